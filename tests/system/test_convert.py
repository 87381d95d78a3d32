#!/usr/bin/env python3
"""snn convert and snn fold: what they write, what they refuse.

    tests/system/test_convert.py build/tree-noopencv/darknet build/tests-noopencv/corpus_driver

Any build serves; one without OpenCV starts ten times as fast.
Small cfgs are compared word for word; the cfgs of build/upstream layer by layer
(scripts/corpus.py).
"""
import glob
import math
import os
import random
import re
import struct
import subprocess
import zlib

import harness
from harness import ROOT, check, holds
from lib import cfg_structure
import corpus
import samples


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


class Converter:
    def __init__(self, darknet, driver, folder):
        self.darknet, self.driver, self.folder = darknet, driver, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        """Exit status, stdout, stderr of `darknet snn ...`."""
        done = subprocess.run([self.darknet, "snn", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60, cwd=self.folder)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def convert(self, text, *arguments):
        """What becomes of cfg text (bytes); None where it is refused."""
        write(self.path("in.cfg"), text)
        if os.path.exists(self.path("out.cfg")):
            os.remove(self.path("out.cfg"))
        status, self.said, self.wrong = self.run("convert", "in.cfg", "out.cfg", *arguments)
        return None if status else read(self.path("out.cfg"))


# ------------------------------------------------------------------ word for word

BARE = "[net]\nwidth=32\nheight=32\nchannels=3\nlearning_rate=.04\n"
NET = BARE.replace("learning", "noise=0\nlearning")
WINDOWS = "\n[local_whitening]\nsize=17\ngain=1\n"
WHITE = "\n[local_whitening]\nsize=0\n" + WINDOWS + "\n[route]\nlayers=-2,-1\nstopbackward=1\n"
NET_SNN = ("[net]\nwidth=32\nheight=32\nchannels=3\nnoise=0\ninit=lecun_normal\nagc=.4\nmax_step=.004\nagc_fan_in=288\ncentre=1\nlearning_rate=.04\n" + WHITE)
CLASSIFIER_SNN = NET_SNN.replace("agc=.4", "agc=.1")
QUIET_SNN = NET_SNN.replace("noise=0\n", "")
NOISY_SNN = QUIET_SNN.replace("=1\nl", "=1\nnoise=.3\nl")
CONV = "\n[convolutional]\nbatch_normalize=1\nfilters=4\nactivation=relu\n"
CONV_SNN = "\n[convolutional]\nfilters=4\nactivation=selu\n"
plain = lambda text: text.replace("batch_normalize=1\n", "").replace("relu", "selu")
HEAD = "\n[convolutional]\nfilters=4\nactivation=linear\n"
HEAD_SNN = "\n[convolutional]\ninit_gain=.3\nfilters=4\nactivation=linear\n"
BOXES = "\n[convolutional]\nfilters=6\nactivation=linear\n\n[yolo]\nmask=0\nanchors=9,9\nnum=1\nclasses=1\n"
BOXES_SNN = BOXES.replace("]\nf", "]\ninit_gain=.3\nnoise=0\nf")
STEPPED = NET + "policy=steps\nmax_batches=90\nsteps=70,80\nscales=.1,.1\n"
LINEAR = "policy=poly\npower=1\nmax_batches=90\n"
PLAIN, ALEXEYAB = "a Darknet with the snn plugin", "AlexeyAB's Darknet with the snn plugin, for "
GATE = "\n[convolutional]\nfilters=4\nactivation=swish\n"
LEAKY = GATE.replace("swish", "leaky")
PJREDDIE = "pjreddie's or Debian's Darknet with the snn plugin, for "


def case(name, before, after, arguments="", binary=PLAIN, net=NET, net_snn=NET_SNN):
    return name, net + before, net_snn + after, arguments, binary


def activation(name, becomes):
    return case(f"activation_{name}", CONV.replace("relu", name), CONV_SNN.replace("selu", becomes))


CASES = [
    case("batch_normalize_goes_and_relu_becomes_selu", CONV, CONV_SNN),
    case("batch_normalize_0_stays", CONV.replace("normalize=1", "normalize=0"),
         CONV_SNN.replace("]\n", "]\nbatch_normalize=0\n")),
    *[activation(name, "selu") for name in
      "leaky elu mish hard_mish swish gelu relu6 ramp relie plse revleaky selu".split()],
    *[activation(name, name) for name in "linear logistic loggy tanh hardtan lhtan stair".split()],
    case("activation_normalize_channels_softmax", CONV.replace("relu", "normalize_channels_softmax"),
         CONV_SNN.replace("selu", "normalize_channels_softmax"),
         binary=ALEXEYAB + "[convolutional] activation=normalize_channels_softmax"),
    *[case(f"hidden_{name}_becomes_selu", CONV.replace("relu", name) + HEAD, CONV_SNN + HEAD) for name in
      "logistic loggy tanh hardtan lhtan stair normalize_channels normalize_channels_softmax".split()],
    case("a_hidden_layer_without_activation_is_logistic", CONV.replace("activation=relu\n", "") + HEAD, CONV_SNN + HEAD),
    case("a_hidden_activation_layer_becomes_selu", CONV + "\n[activation]\nactivation=tanh\n" + CONV,
         CONV_SNN + "\n[selu]\n" + CONV_SNN),
    case("other_weighted_layers",
         CONV + "\n[connected]\nbatch_normalize=1\noutput=9\nactivation=leaky\n\n[local]\nfilters=2\nactivation=leaky\n",
         CONV_SNN + "\n[connected]\noutput=9\nactivation=selu\n\n[local]\nfilters=2\nactivation=selu\n"),
    case("an_activation_layer_becomes_selu", CONV + "\n[activation]\nactivation=leaky\n", CONV_SNN + "\n[selu]\n"),
    case("another_activation_layer_stays", CONV + "\n[activation]\nactivation=tanh\n",
         CONV_SNN + "\n[activation]\nactivation=tanh\n"),
    case("unknown_keys_and_sections_of_any_host_stay",
         CONV + "future=1\n\n[upsample]\nstride=2\n\n[reorg3d]\nstride=2\n",
         CONV_SNN + "future=1\n\n[upsample]\nstride=2\n\n[reorg3d]\nstride=2\n", binary=ALEXEYAB + "[reorg3d]"),
    # Dropout.
    case("dropout_keeps_its_probability", CONV + "\n[dropout]\nprobability=.5\n",
         CONV_SNN + "\n[alpha_dropout]\nprobability=.5\n"),
    case("dropout_without_probability", CONV + "\n[dropout]\n", CONV_SNN + "\n[alpha_dropout]\n"),
    case("dropout_loses_what_its_new_form_does_not_know",
         CONV + "\n[dropout]\ndropblock=1\ndropblock_size_rel=.1\nprobability= .1 # small\n",
         CONV_SNN + "\n[alpha_dropout]\nprobability= .1\n"),
    case("dropout_as_told", CONV + "\n[dropout]\nprobability=.5\n\n[dropout]\n",
         CONV_SNN + "\n[alpha_dropout]\nprobability=.05\n\n[alpha_dropout]\nprobability=.05\n", "--dropout .05"),
    case("dropout_kept", CONV + "\n[dropout]\nprobability=.5\n", CONV_SNN + "\n[dropout]\nprobability=.5\n",
         "--dropout keep"),
    case("dropout_kept_as_what_it_reads_is_no_selu",
         CONV.replace("relu", "linear") + "\n[dropout]\nprobability=.5\ndropblock=1\n" + CONV + "\n[avgpool]\n\n[dropout]\nprobability=.5\n",
         CONV_SNN.replace("selu", "linear") + "\n[dropout]\nprobability=.5\ndropblock=1\n" + CONV_SNN + "\n[avgpool]\n\n[dropout]\nprobability=.5\n"),
    case("dropout_kept_behind_an_upsampled_sum",
         CONV + CONV + "\n[shortcut]\nfrom=-2\n\n[upsample]\n\n[dropout]\nprobability=.2\n\n[shortcut]\nfrom=-1\nactivation=relu\n\n[dropout]\n",
         CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=-2\nalpha=.7071\nbeta=.7071\n\n[upsample]\n\n[dropout]\nprobability=.2\n"
         "\n[shortcut]\nfrom=-1\nalpha=.5000\nbeta=.5000\nactivation=selu\n\n[alpha_dropout]\n"),
    # The last layers.
    *[case(f"the_layer_before_{loss}_starts_small", CONV + HEAD + f"\n[{loss}]\n", CONV_SNN + HEAD_SNN + f"\n[{loss}]\n",
           binary=binary)
      for loss, binary in (("yolo", PLAIN), ("region", PLAIN), ("detection", PLAIN), ("iseg", PJREDDIE + "[iseg]"),
                           ("Gaussian_yolo", ALEXEYAB + "[Gaussian_yolo]"))],
    *[case(f"the_layer_before_{loss}_begins_as_it_is", CONV + HEAD + f"\n[{loss}]\n", CONV_SNN + HEAD + f"\n[{loss}]\n",
           net_snn=NET_SNN if loss == "logistic" else CLASSIFIER_SNN, binary=binary)
      for loss, binary in (("softmax", PLAIN), ("cost", PLAIN), ("logistic", PJREDDIE + "[logistic]"))],
    case("the_last_layers_activation_stays",
         CONV + HEAD.replace("linear", "leaky") + "\n[avgpool]\n\n[softmax]\n\n[cost]\n",
         CONV_SNN + HEAD.replace("linear", "leaky") + "\n[avgpool]\n\n[softmax]\n\n[cost]\n", net_snn=CLASSIFIER_SNN),
    case("every_head_of_several",
         CONV + HEAD + "\n[yolo]\n\n[route]\nlayers=-3\n" + HEAD + "\n[yolo]\n",
         CONV_SNN + HEAD_SNN + "\n[yolo]\n\n[route]\nlayers=-3\n" + HEAD_SNN + "\n[yolo]\n"),
    # References.
    case("absolute_references_move_and_relative_ones_do_not",
         CONV + CONV + "\n[shortcut]\nfrom=0\n\n[route]\nlayers = -1, 1 ,+0\n\n[shortcut]\nfrom=-4\nactivation=leaky\n",
         CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=3\nalpha=.7071\nbeta=.7071\n\n[route]\nlayers = -1, 4 ,3\n"
         "\n[shortcut]\nfrom=-4\nalpha=.7071\nbeta=.7071\nactivation=selu\n"),
    case("comments_behind_references_stay", CONV + "\n[route]\nlayers=0 ###P1\n", CONV_SNN + "\n[route]\nlayers=3 ###P1\n"),
    case("groups_of_a_route_stay", CONV + "\n[route]\nlayers=0\ngroups=2\ngroup_id=1\n",
         CONV_SNN + "\n[route]\nlayers=3\ngroups=2\ngroup_id=1\n", binary=ALEXEYAB + "[route] groups"),
    case("references_of_gates", CONV + CONV + "\n[scale_channels]\nfrom=0\n\n[sam]\nfrom=-2\n",
         CONV_SNN + CONV_SNN + "\n[scale_channels]\nfrom=3\n\n[sam]\nfrom=-2\n", binary=ALEXEYAB + "[scale_channels]"),
    case("shared_weights_move_and_are_not_initialised",
         CONV + CONV.replace("filters", "share_index=0\ngroups=4\nfilters"),
         CONV_SNN + CONV_SNN.replace("filters", "share_index=3\ngroups=4\nfilters"),
         binary=ALEXEYAB + "[convolutional] share_index"),
    case("layers_that_a_loss_names",
         HEAD + "\n[yolo]\nembedding_layer=0\n\n[route]\nlayers=0\n\n[contrastive]\nyolo_layer=1\n\n[contrastive]\nyolo_layer=0\n",
         HEAD_SNN + "\n[yolo]\nembedding_layer=3\n\n[route]\nlayers=3\n\n[contrastive]\nyolo_layer=4\n\n[contrastive]\nyolo_layer=0\n",
         binary=ALEXEYAB + "[contrastive]"),
    case("a_batchnorm_layer_goes_and_what_read_it_reads_the_one_before",
         CONV + "\n[batchnorm]\n" + CONV + "\n[route]\nlayers=-1,-2,1,0\n\n[shortcut]\nfrom=-4\n",
         CONV_SNN + "\n" + CONV_SNN + "\n[route]\nlayers=-1,-2,3,3\n\n[shortcut]\nfrom=-3\nalpha=.7071\nbeta=.7071\n"),
    case("a_batchnorm_layer_that_is_kept", CONV + "\n[batchnorm]\n\n[route]\nlayers=1\n",
         CONV_SNN.replace("]\n", "]\nbatch_normalize=1\n") + "\n[batchnorm]\n\n[route]\nlayers=4\n", "--keep-batchnorm"),
    # Sums, pools, groups.
    case("sums_that_are_weighed_already", CONV + CONV + "\n[shortcut]\nfrom=-2\nalpha=1\n",
         CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=-2\nalpha=1\n"),
    case("sums_of_three", CONV + CONV + CONV + "\n[shortcut]\nfrom=-2,-3\n",
         CONV_SNN + CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=-2,-3\nalpha=.5774\nbeta=.5774\n"),
    case("sums_of_one_layer_alone", CONV + "\n[shortcut]\nfrom=-1\n\n[route]\nlayers=-2\n\n[shortcut]\nfrom=-3,-1\n",
         CONV_SNN + "\n[shortcut]\nfrom=-1\nalpha=.5000\nbeta=.5000\n\n[route]\nlayers=-2\n"
         "\n[shortcut]\nfrom=-3,-1\nalpha=.3333\nbeta=.3333\n"),
    case("sums_of_one_layer_twice_and_another", CONV + CONV + "\n[shortcut]\nfrom=-2,-1\n",
         CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=-2,-1\nalpha=.4472\nbeta=.4472\n"),
    case("sums_that_share_a_term", CONV + CONV + "\n[shortcut]\nfrom=-2\n\n[shortcut]\nfrom=-2\n",
         CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=-2\nalpha=.7071\nbeta=.7071\n"
         "\n[shortcut]\nfrom=-2\nalpha=.5412\nbeta=.5412\n"),
    *[case(f"sums_with_weights_of_their_own_{normalization}",
           CONV + CONV + CONV + (weights := f"\n[shortcut]\nfrom=-2,-3\nweights_type=per_feature\nweights_normalization={normalization}\n") + CONV,
           CONV_SNN + CONV_SNN + CONV_SNN + weights + CONV_SNN.replace("]\n", "]\ninit_gain=1.73\n"),
           binary=ALEXEYAB + "[shortcut] weights_type") for normalization in ("relu", "softmax")],
    # Gates.
    *[case(f"squeeze_and_excitation_by_{gate}",
           CONV + (SE := f"\n[avgpool]\n{GATE}{GATE.replace('swish', gate)}\n[scale_channels]\nfrom=-4\n") + CONV,
           CONV_SNN + SE + CONV_SNN.replace("]\n", "]\ninit_gain=1.9\n"), binary=ALEXEYAB + "[convolutional] activation=swish")
      for gate in ("logistic",)],
    case("a_gate_that_is_not_bounded",
         CONV + f"\n[avgpool]\n{LEAKY}{LEAKY}\n[scale_channels]\nfrom=-4\nactivation=leaky\n" + CONV,
         CONV_SNN + "\n[avgpool]\n" + LEAKY + LEAKY.replace("]\n", "]\ninit_bias=1\n") +
         "\n[scale_channels]\nfrom=-4\nactivation=leaky\n" + CONV_SNN.replace("]\n", "]\ninit_gain=1.41\n"),
         binary=ALEXEYAB + "[scale_channels]"),
    case("an_activation_that_the_host_puts_out_as_0_becomes_selu",
         CONV + CONV.replace("relu", "logistic") + "\n[sam]\nfrom=-2\nactivation=mish\n" + CONV,
         CONV_SNN + CONV_SNN.replace("selu", "logistic") + "\n[sam]\nfrom=-2\nactivation=selu\n" +
         CONV_SNN.replace("]\n", "]\ninit_gain=1.67\n"), binary=ALEXEYAB + "[sam]"),
    case("a_gate_around_0", CONV + CONV.replace("relu", "tanh") + "\n[sam]\nfrom=-2\n" + CONV,
         CONV_SNN + CONV_SNN.replace("selu", "tanh").replace("]\n", "]\ninit_bias=1\ninit_gain=.3\n") + "\n[sam]\nfrom=-2\n" +
         CONV_SNN.replace("]\n", "]\ninit_gain=1.31\n"), binary=ALEXEYAB + "[sam]"),
    case("spatial_attention", CONV + CONV.replace("relu", "logistic") + "\n[sam]\nfrom=-2\n" + CONV,
         CONV_SNN + CONV_SNN.replace("selu", "logistic") + "\n[sam]\nfrom=-2\n" + CONV_SNN.replace("]\n", "]\ninit_gain=1.9\n"),
         binary=ALEXEYAB + "[sam]"),
    case("a_sum_of_what_a_gate_let_through",
         CONV + CONV.replace("relu", "logistic") + "\n[sam]\nfrom=-2\n\n[shortcut]\nfrom=-3\n",
         CONV_SNN + CONV_SNN.replace("selu", "logistic") + "\n[sam]\nfrom=-2\n\n[shortcut]\nfrom=-3\nalpha=.8849\nbeta=.8849\n",
         binary=ALEXEYAB + "[sam]"),
    # Means and rearrangements.
    *[case(name, CONV + between + CONV, CONV_SNN + between + CONV_SNN.replace("]\n", f"]\ninit_gain={gain}\n"), binary=binary)
      for name, between, gain, binary in (
          ("means_of_2_x_2", "\n[local_avgpool]\nsize=2\nstride=2\n", "1.32", ALEXEYAB + "[local_avgpool]"),
          ("means_of_5_x_5", "\n[local_avgpool]\nsize=5\nstride=1\n", "1.9", ALEXEYAB + "[local_avgpool]"),
          ("a_mean_of_a_mean", 2 * "\n[local_avgpool]\nsize=3\nstride=1\n", "1.76", ALEXEYAB + "[local_avgpool]"),
          ("a_mean_of_the_map", "\n[avgpool]\n", "5.35", PLAIN),
          ("a_factor_of_upsample", "\n[upsample]\nstride=2\nscale=2\n", ".5", PLAIN))],
    case("a_blur", CONV.replace("filters", "antialiasing=1\nfilters") + CONV,
         CONV_SNN.replace("filters", "antialiasing=1\nfilters") + CONV_SNN.replace("]\n", "]\ninit_gain=1.24\n"),
         binary=ALEXEYAB + "[convolutional] antialiasing"),
    case("a_pool_over_channels", CONV + "\n[maxpool]\nmaxpool_depth=1\nout_channels=1\nsize=1\n" + CONV,
         CONV_SNN + "\n[maxpool]\nmaxpool_depth=1\nout_channels=1\nsize=1\n" +
         CONV_SNN.replace("]\n", "]\ninit=standardized_normal\ninit_gain=1.37\n"), binary=ALEXEYAB + "[maxpool] maxpool_depth"),
    case("pools_side_by_side", CONV + "\n[maxpool]\nsize=5\nstride=1\n\n[route]\nlayers=-1,-2\n" + CONV,
         CONV_SNN + "\n[maxpool]\nsize=5\nstride=1\n\n[route]\nlayers=-1,-2\n" +
         CONV_SNN.replace("]\n", "]\ninit=standardized_parts\ninit_gain=1.15\n")),
    case("depthwise_filters_on_a_smooth_map", CONV + CONV.replace("filters", "groups=4\nfilters") + CONV.replace("filters", "groups=4\nfilters"),
         CONV_SNN + CONV_SNN.replace("filters", "groups=4\nfilters").replace("]\n", "]\ninit=standardized_normal\ninit_gain=1.7\n") +
         CONV_SNN.replace("filters", "groups=4\nfilters").replace("]\n", "]\ninit=standardized_normal\n")),
    *[case(f"depthwise_filters_behind_{strides}_strides", strides * (stem := CONV.replace("filters", "stride=2\nfilters")) +
           CONV.replace("filters", "groups=4\nfilters"), strides * plain(stem) +
           CONV_SNN.replace("filters", "groups=4\nfilters").replace("]\n", "]\ninit=standardized_normal\n" + gain))
      for strides, gain in ((1, "init_gain=1.7\n"), (2, "init_gain=1.27\n"), (3, ""))],
    case("a_mean_of_a_map_that_depthwise_filters_have_levelled", 2 * CONV.replace("filters", "stride=2\nfilters") +
         CONV.replace("filters", "groups=4\nfilters") + "\n[avgpool]\n" + CONV, 2 * CONV_SNN.replace("filters", "stride=2\nfilters") +
         CONV_SNN.replace("filters", "groups=4\nfilters").replace("]\n", "]\ninit=standardized_normal\ninit_gain=1.27\n") +
         "\n[avgpool]\n" + CONV_SNN.replace("]\n", "]\ninit_gain=8\n")),
    *[case(f"filters_{dilation}_places_apart_in_a_map_of_16", (stem := CONV.replace("filters", "stride=2\nfilters")) +
           CONV.replace("filters", f"size=3\npad=1\ndilation={dilation}\nfilters"),
           plain(stem) + CONV_SNN.replace("filters", f"size=3\npad=1\ndilation={dilation}\nfilters").replace("]\n", "]\n" + gain),
           binary=ALEXEYAB + "[convolutional] dilation") for dilation, gain in ((4, ""), (8, "init_gain=1.5\n"), (16, "init_gain=3\n"))],
    *[case(f"weights_that_{key}_would_freeze", CONV + f"{key}=1\n", CONV_SNN) for key in ("train_only_bn", "stopbackward", "dont_update")],
    case("no_weights_that_stopbackward_would_freeze", "\n[maxpool]\nsize=2\nstride=2\nstopbackward=1\n" + CONV,
         "\n[maxpool]\nsize=2\nstride=2\nstopbackward=1\n" + CONV_SNN.replace("]\n", "]\ninit=standardized_normal\ninit_gain=1.15\n")),
    case("weights_that_a_converted_cfg_freezes", CONV_SNN + "stopbackward=1\n", CONV_SNN + "stopbackward=1\n",
         net=NET + "init=lecun_normal\n", net_snn=NET_SNN.replace("init=lecun_normal\n", "").replace("=.04\n", "=.04\ninit=lecun_normal\n")),
    case("grouped_convolutions", CONV.replace("filters", "groups=2\nfilters"),
         CONV_SNN.replace("filters", "groups=2\nfilters").replace("]\n", "]\ninit=standardized_normal\n")),
    case("a_convolution_behind_a_max_pool",
         CONV + "\n[maxpool]\nsize=2\nstride=2\n\n[route]\nlayers=-1\n" + CONV + CONV,
         CONV_SNN + "\n[maxpool]\nsize=2\nstride=2\n\n[route]\nlayers=-1\n" +
         CONV_SNN.replace("]\n", "]\ninit=standardized_normal\ninit_gain=1.15\n") + CONV_SNN),
    case("a_head_behind_a_max_pool", CONV + "\n[maxpool]\nsize=2\n" + HEAD + "\n[yolo]\n",
         CONV_SNN + "\n[maxpool]\nsize=2\n" + HEAD_SNN.replace("]\n", "]\ninit=standardized_normal\n") + "\n[yolo]\n"),
    case("pools_as_strides",
         CONV.replace("filters", "size=3\nstride=1\npad=1\nfilters") + "\n[maxpool]\nsize=2\nstride=2\n" + CONV +
         "\n[route]\nlayers=1\n",
         CONV_SNN.replace("filters", "size=3\nstride=2\npad=1\nfilters") + "\n" + CONV_SNN + "\n[route]\nlayers=3\n",
         "--pool stride"),
    case("pools_whose_input_is_read_elsewhere_stay",
         CONV + "\n[maxpool]\nsize=2\nstride=2\n\n[route]\nlayers=-2\n",
         CONV_SNN + "\n[maxpool]\nsize=2\nstride=2\n\n[route]\nlayers=-2\n", "--pool stride"),
    # The input.
    case("whitening_follows_crop", "\n[crop]\nflip=1\n" + CONV + "\n[route]\nlayers=0,1\n",
         "\n[crop]\nflip=1\n" + WHITE + CONV_SNN + "\n[route]\nlayers=0,4\n",
         net_snn=NET_SNN.replace(WHITE, "")),
    case("whitening_in_windows", CONV + "\n[route]\nlayers=0\n", CONV_SNN + "\n[route]\nlayers=1\n", "--whiten local",
         net_snn=NET_SNN.replace(WHITE, WINDOWS)),
    case("whitening_over_the_whole_image", CONV, CONV_SNN, "--whiten global",
         net_snn=NET_SNN.replace(WHITE, "\n[local_whitening]\nsize=0\n")),
    case("numbers_behind_a_form_feed", CONV + "\n[route]\nlayers=\f0\n", CONV_SNN + "\n[route]\nlayers=\f3\n"),
    case("no_whitening_of_vectors", CONV, CONV_SNN, net="[net]\ninputs=9\nlearning_rate=.04\n",
         net_snn="[net]\ninputs=9\ninit=lecun_normal\nagc=.4\nmax_step=.004\nagc_fan_in=288\ncentre=1\nlearning_rate=.04\n"),
    case("a_whitened_input_stays", "\n[local_whitening]\nsize=5\n" + CONV, "\n[local_whitening]\nsize=5\n" + CONV_SNN,
         net_snn=NET_SNN.replace(WHITE, "")),
    *[case(f"back_propagation_goes_on_into_the_image_for_{key}", CONV, CONV_SNN, net=NET + f"{key}\n",
           net_snn=NET_SNN.replace("=.04\n\n", f"=.04\n{key}\n\n").replace("stopbackward=1\n", ""))
      for key in ("adversarial_lr=.05", "attention=1")],
    # What it needs.
    case("both_families", CONV + HEAD.replace("linear", "mish") + "\n[iseg]\n", CONV_SNN + HEAD_SNN.replace("linear", "mish") + "\n[iseg]\n",
         binary="a Darknet with the snn plugin that has both [convolutional] activation=mish, as AlexeyAB's, and [iseg], as pjreddie's"),
    case("sums_of_different_sizes", CONV + CONV.replace("filters", "stride=2\nfilters") + "\n[shortcut]\nfrom=-2\n",
         CONV_SNN + CONV_SNN.replace("filters", "stride=2\nfilters") + "\n[shortcut]\nfrom=-2\nalpha=.7071\nbeta=.7071\n",
         binary=PJREDDIE + "[shortcut] from of another size"),
    # [net].
    case("a_learning_rate_as_told", CONV, CONV_SNN, "--learning-rate 2e-3", net_snn=NET_SNN.replace("agc=.4", "agc=8").replace("=.04\n\n", "=2e-3\n\n")),
    case("no_learning_rate", CONV, CONV_SNN, "--learning-rate .2", net="[net]\nwidth=8\nheight=8\nchannels=1\n",
         net_snn="[net]\nwidth=8\nheight=8\nchannels=1\ninit=lecun_normal\nagc=.08\nmax_step=.004\nagc_fan_in=288\ncentre=1\nlearning_rate=.2\n" + WHITE),
    case("init_agc_and_centre_of_the_user_stay", CONV, CONV_SNN, net=NET + "init=orthogonal\nagc=0\ncentre=0\n",
         net_snn="[net]\nwidth=32\nheight=32\nchannels=3\nnoise=0\nlearning_rate=.04\ninit=orthogonal\nagc=0\ncentre=0\n" + WHITE),
    case("agc_fan_in_of_the_user_stays", CONV, CONV_SNN, net=NET + "agc_fan_in=50\n",
         net_snn=NET_SNN.replace("agc_fan_in=288\n", "").replace("=.04\n", "=.04\nagc_fan_in=50\n")),
    # Rate, schedule and noise.
    case("a_rate_for_clipped_steps", CONV, CONV_SNN, net=NET.replace(".04", ".001")),
    case("keep_rate", CONV, CONV_SNN, "--keep-rate", net=STEPPED.replace(".04", ".001"),
         net_snn=NET_SNN.replace("agc=.4", "agc=16").replace("=.04\n", "=.001\npolicy=steps\nmax_batches=90\nsteps=70,80\nscales=.1,.1\n")),
    case("a_schedule_that_falls_to_0", CONV, CONV_SNN, net=STEPPED, net_snn=NET_SNN.replace("=.04\n", "=.04\n" + LINEAR)),
    case("a_schedule_where_there_is_none", CONV, CONV_SNN, net=NET + "max_batches=90\n",
         net_snn=NET_SNN.replace("=.04\n", "=.04\nmax_batches=90\npolicy=poly\npower=1\n")),
    case("another_power", CONV, CONV_SNN, net=NET + "policy=poly\npower=4\nmax_batches=90\n",
         net_snn=NET_SNN.replace("=.04\n", "=.04\n" + LINEAR)),
    case("a_schedule_without_an_end_stays", CONV, CONV_SNN, net=NET + "policy=steps\nsteps=70\nscales=.1\n",
         net_snn=NET_SNN.replace("=.04\n", "=.04\npolicy=steps\nsteps=70\nscales=.1\n")),
    case("classifiers_keep_their_pace", CONV + HEAD + "\n[softmax]\n", CONV_SNN + HEAD + "\n[softmax]\n",
         net=STEPPED.replace("rate=.04", "rate=.1"), net_snn=NET_SNN.replace("agc=.4", "agc=.04").replace(
             "rate=.04\n", "rate=.1\npolicy=steps\nmax_batches=90\nsteps=70,80\nscales=.1,.1\n")),
    case("noise_where_boxes_are_found", CONV + BOXES, CONV_SNN + BOXES_SNN, net=BARE, net_snn=NOISY_SNN),
    case("no_noise_where_none_are", CONV + HEAD, CONV_SNN + HEAD, net=BARE, net_snn=QUIET_SNN),
    case("no_noise_in_a_gate", CONV + CONV.replace("relu", "logistic") + "\n[sam]\nfrom=-2\n" + BOXES,
         CONV_SNN + CONV_SNN.replace("selu", "logistic").replace("]\n", "]\nnoise=0\n") + "\n[sam]\nfrom=-2\n" + BOXES_SNN,
         net=BARE, net_snn=NOISY_SNN, binary=ALEXEYAB + "[sam]"),
    case("no_noise_at_all_where_a_gate_has_no_bound", CONV + HEAD + "\n[sam]\nfrom=-2\n" + BOXES,
         CONV_SNN + HEAD.replace("]\n", "]\ninit_bias=1\ninit_gain=.3\n") + "\n[sam]\nfrom=-2\n" + BOXES_SNN.replace("noise=0\n", ""),
         net=BARE, net_snn=QUIET_SNN, binary=ALEXEYAB + "[sam]"),
    case("no_noise_at_all_where_a_gate_loses_its_bound",
         CONV + CONV.replace("relu", "logistic") + "\n[sam]\nfrom=-2\n\n[route]\nlayers=-1,-2\n" + BOXES,
         CONV_SNN + CONV_SNN + "\n[sam]\nfrom=-2\n\n[route]\nlayers=-1,-2\n" + BOXES_SNN.replace("noise=0\n", ""),
         net=BARE, net_snn=QUIET_SNN, binary=ALEXEYAB + "[sam]"),
    case("no_noise_in_channels_that_are_compared", CONV + CONV + "\n[upsample]\n" + (DEPTH := "\n[maxpool]\nmaxpool_depth=1\nout_channels=4\nsize=1\n") + BOXES,
         CONV_SNN + CONV_SNN.replace("]\n", "]\nnoise=0\n") + "\n[upsample]\n" + DEPTH +
         BOXES_SNN.replace("]\ni", "]\ninit=standardized_normal\ni"), net=BARE, net_snn=NOISY_SNN, binary=ALEXEYAB + "[maxpool] maxpool_depth"),
    case("keep_noise", CONV + BOXES, CONV_SNN + BOXES_SNN.replace("noise=0\n", ""), "--keep-noise", net=BARE, net_snn=QUIET_SNN),
    case("noise_of_the_user_stays", CONV + BOXES, CONV_SNN + BOXES_SNN.replace("noise=0\n", ""), net=BARE + "noise=.1\n",
         net_snn=QUIET_SNN.replace("=.04\n", "=.04\nnoise=.1\n")),
    case("no_noise_beside_batch_normalization", CONV + BOXES, CONV_SNN.replace("]\n", "]\nbatch_normalize=1\n") +
         BOXES_SNN.replace("noise=0\n", ""), "--keep-batchnorm", net=BARE, net_snn=QUIET_SNN),
    # Text.
    case("comments_and_blanks_stay",
         "# of net\n\n; one\n[ convolutional ]  \n  batch_normalize = 1 \n# two\n filters\t= 4\nactivation  =  relu \n# end\n",
         WHITE + "\n; one\n[ convolutional ]  \n# two\n filters\t= 4\nactivation  =  selu \n# end\n",
         net_snn=NET_SNN.partition("\n\n[local")[0] + "\n# of net\n"),
    case("comments_above_a_header_belong_to_it", "# first\n[convolutional]\nactivation=relu\n",
         "# first\n[convolutional]\nactivation=selu\n"),
    case("no_newline_at_the_end", CONV[:-1], CONV_SNN[:-1]),
    # Steps left out.
    case("keep_batchnorm", CONV, CONV_SNN.replace("]\n", "]\nbatch_normalize=1\n"), "--keep-batchnorm"),
    case("keep_activations", CONV + "\n[activation]\nactivation=relu\n",
         CONV_SNN.replace("selu", "relu") + "\n[activation]\nactivation=relu\n", "--keep-activations"),
    case("keep_dropout", CONV + "\n[dropout]\n", CONV_SNN + "\n[dropout]\n", "--keep-dropout"),
    case("keep_init", CONV.replace("filters", "groups=2\nfilters") + HEAD + "\n[softmax]\n",
         CONV_SNN.replace("filters", "groups=2\nfilters") + HEAD + "\n[softmax]\n", "--keep-init",
         net_snn=CLASSIFIER_SNN.replace("init=lecun_normal\n", "")),
    case("steps_are_smaller_in_a_deep_net", 20 * CONV, 20 * CONV_SNN,
         net_snn=NET_SNN.replace("agc=.4\nmax_step=.004", "agc=.34\nmax_step=.0034").replace("fan_in=288", "fan_in=399")),
    case("a_wide_net_is_not_deep", CONV + 20 * (CONV + "\n[route]\nlayers=0\n"), CONV_SNN + 20 * (CONV_SNN + "\n[route]\nlayers=3\n")),
    case("keep_agc", CONV, CONV_SNN, "--keep-agc", net_snn=NET_SNN.replace("agc=.4\nmax_step=.004\nagc_fan_in=288\n", "")),
    case("a_stride_of_many_digits", CONV + "\n[maxpool]\nsize=2\nstride=" + 200 * "0" + "2\n",
         CONV_SNN.replace("[convolutional]\n", "[convolutional]\nstride=" + 200 * "0" + "2\n") + "\n", "--pool stride"),
    case("agc_as_told", CONV, CONV_SNN, "--agc .03", net_snn=NET_SNN.replace("agc=.4\nmax_step=.004\nagc_fan_in=288", "agc=.03")),
    case("keep_centre", CONV, CONV_SNN, "--keep-centre", net_snn=NET_SNN.replace("centre=1\n", "")),
    case("keep_input", CONV + "\n[route]\nlayers=0\n", CONV_SNN + "\n[route]\nlayers=0\n", "--keep-input",
         net_snn=NET_SNN.replace(WHITE, "")),
    case("keep_head", CONV + HEAD + "\n[softmax]\n", CONV_SNN + HEAD + "\n[softmax]\n", "--keep-head", net_snn=CLASSIFIER_SNN),
    case("keep_sums", CONV + CONV + "\n[shortcut]\nfrom=-2\n", CONV_SNN + CONV_SNN + "\n[shortcut]\nfrom=-2\n",
         "--keep-sums"),
]


# What to type next, by how the net ends and what was typed.
NEXT = re.compile(r"Next: .*\nThen: .*\n")
NEXT_STEPS = (
    ("yolo", NET + CONV + "\n[yolo]\nmask=0\nanchors=1,1\nnum=1\nclasses=1\n", "detector", "-map"),
    ("softmax", NET + CONV + "\n[softmax]\n", "classifier", "-top"),
    ("softmax of each pixel", NET + CONV + "\n[softmax]\nspatial=1\n", "segmenter", "-iou"),
    ("logistic", NET + CONV + "\n[logistic]\n", "segmenter", "-iou"),
)


@harness.test
def says_what_to_type_next(converter):
    for name, text, command, option in NEXT_STEPS:
        converter.convert(text.encode())
        check(f"next_{name}", ("stderr", converter.wrong,
                               f"Next: darknet snn probe your.data out.cfg\nThen: darknet {command} train your.data out.cfg {option}\n"))
    again = converter.convert(read(converter.path("out.cfg")))
    check("next_nothing_where_nothing_changes", ("converted", again is not None, True), ("stderr", converter.wrong, ""))


def header(arguments, binary):
    said = " " + arguments if arguments else ""
    return f"# Made from in.cfg by: darknet snn convert{said}\n# Needs {binary}.\n\n"


@harness.test
def converts_word_for_word(converter):
    for name, before, after, arguments, binary in CASES:
        got = converter.convert(before.encode(), *arguments.split())
        want = (header(arguments, binary) + after).encode()
        lines = [line for line in converter.said.rstrip("\n").split("\n") if not re.match(r"in\.cfg:\d+: \[\w+\].*: .", line)]
        again = got and converter.convert(got, *arguments.split())
        check(f"convert_{name}", ("cfg", got, want), ("stderr", NEXT.sub("", converter.wrong), ""),
              ("lines that explain nothing", lines, [f"out.cfg: needs {binary}"]), ("converted again", again, want))


@harness.test
def keeps_carriage_returns(converter):
    before = (NET + CONV + "\n[route]\nlayers=0 , -1 \n").replace("\n", "\r\n").encode()
    after = (header("", PLAIN) + NET_SNN + CONV_SNN + "\n[route]\nlayers=3 , -1 \n").replace("\n", "\r\n").encode()
    check("convert_keeps_carriage_returns", ("cfg", converter.convert(before), after))


@harness.test
def converts_a_file_into_itself(converter):
    write(converter.path("same.cfg"), (NET + CONV).encode())
    status, _, _ = converter.run("convert", "same.cfg", "same.cfg")
    check("convert_in_place", ("status", status, 0),
          ("cfg", read(converter.path("same.cfg")), (header("", PLAIN) + NET_SNN + CONV_SNN).replace("in.cfg", "same.cfg").encode()))


# ----------------------------------------------------------------------- refused

REFUSED = [
    ("nothing_but_batchnorm", "\n[batchnorm]\n", "7: [batchnorm]: expected layers besides it"),
    ("recurrent_layers", "\n[rnn]\nbatch_normalize=1\n",
     "7: [rnn]: expected a feed-forward net, got a recurrent layer, whose batch normalization is inside it"),
    ("binary_weights", CONV + "xnor=1\n",
     '11: [convolutional] xnor: expected 0: binary weights have no scale without batch normalization, got "1"'),
    ("unknown_activations", CONV.replace("relu", "reluu"),
     '10: [convolutional] activation: expected the name of an activation, got "reluu"'),
    ("misspelt_sections", "\n[convolutionel]\n",
     '7: [convolutionel]: expected the name of a layer type, got "convolutionel", did you mean [convolutional]?'),
    ("our_own_keys_mistaken", CONV + "agc=x\n",
     '11: [convolutional] agc: expected a number from 0 (off) to 1000, got "x"'),
    ("layers_that_follow", CONV + "\n[route]\nlayers=-1,1\n",
     '13: [route] layers: expected numbers of layers before this one, separated by commas, got "-1,1"'),
    ("layers_before_the_first", CONV + "\n[shortcut]\nfrom=-2\n",
     '13: [shortcut] from: expected numbers of layers before this one, separated by commas, got "-2"'),
    ("words_for_layers", CONV + "\n[route]\nlayers=one\n",
     '13: [route] layers: expected numbers of layers before this one, separated by commas, got "one"'),
    ("lists_with_an_end_missing", CONV + "\n[route]\nlayers=0,\n",
     '13: [route] layers: expected numbers of layers before this one, separated by commas, got "0,"'),
    ("routes_to_nowhere", CONV + "\n[route]\n",
     "12: [route] layers: expected numbers of layers before this one, got no such key"),
    ("probabilities_of_1", CONV + "\n[dropout]\nprobability=1\n",
     '13: [dropout] probability: expected a number in [0, 1), got "1"'),
    ("probabilities_that_are_none", CONV + "\n[dropout]\nprobability=x\n",
     '13: [dropout] probability: expected a number in [0, 1), got "x"'),
]

OPTIONS = re.findall(r'"(--[a-z-]+)"', read(os.path.join(ROOT, "layers/verbs/snn_convert.c")).decode())
USAGE = [
    ("no_file", [], None), ("one_file", ["in.cfg"], None), ("three_files", ["in.cfg", "out.cfg", "more.cfg"], None),
    ("unknown_option", ["in.cfg", "out.cfg", "--future", "1"], '--future: expected an option of this verb, got "--future"'),
    ("bad_agc", ["in.cfg", "out.cfg", "--agc", "-1"], '--agc: expected a number above 0, at most 1000, got "-1"'),
    ("bad_rate", ["in.cfg", "out.cfg", "--learning-rate", "0"],
     '--learning-rate: expected a number above 0, at most 1000, got "0"'),
    ("missing_value", ["in.cfg", "out.cfg", "--pool"], '--pool: expected one of keep, stride, got ""'),
    ("bad_choice", ["in.cfg", "out.cfg", "--whiten", "all"], '--whiten: expected one of both, local, global, none, got "all"'),
    ("bad_probability", ["in.cfg", "out.cfg", "--dropout", "1"], '--dropout: expected keep or a number in [0, 1), got "1"'),
    ("one_weights_file", ["in.cfg", "out.cfg", "--weights", "a"], '--weights: expected two files, got ""'),
    ("weights_for_other_channels", ["in.cfg", "out.cfg", "--whiten", "both", "--weights", "a", "b"],
     '--weights: expected no --whiten both, whose first layer has other weights, got "--whiten both"'),
    ("weights_with_batch_normalization", ["in.cfg", "out.cfg", "--keep-batchnorm", "--weights", "a", "b"],
     '--weights: expected no --keep-batchnorm, got "--keep-batchnorm"'),
]


@harness.test
def refuses_mistakes(converter):
    for name, text, message in REFUSED:
        write(converter.path("out.cfg"), b"before")
        write(converter.path("bad.cfg"), (BARE + text).encode())
        status, said, wrong = converter.run("convert", "bad.cfg", "out.cfg")
        check(f"convert_refuses_{name}", ("status", status, 1), ("message", wrong, f"bad.cfg:{message}\n"),
              ("output file", read(converter.path("out.cfg")), b"before"),
              ("left over", glob.glob(converter.path("*.tmp")), []))
    for name, path, reason in (("absent", "absent.cfg", "No such file or directory"), ("a_folder", ".", "Is a directory")):
        status, _, wrong = converter.run("convert", path, "out.cfg")
        check(f"convert_refuses_a_file_that_is_{name}", ("status", status, 1),
              ("message", wrong, f"{path}: cannot be read: {reason}\n"))
    write(converter.path("in.cfg"), (BARE + CONV).encode())
    status, _, wrong = converter.run("convert", "in.cfg", "absent/out.cfg")
    check("convert_says_where_it_cannot_write", ("status", status, 1),
          ("message", wrong, 'absent/out.cfg: expected a file that can be written, got "No such file or directory"\n'))
    for name, arguments, message in USAGE:
        status, said, wrong = converter.run("convert", *arguments)
        first = wrong.splitlines()[0]
        check(f"convert_usage_{name}", ("status", status, 2), ("stdout", said, ""),
              ("message", first, f"snn convert: {message}" if message else first),
              ("usage", "usage: darknet snn convert IN.cfg OUT.cfg" in wrong, True),
              ("options left out", [o for o in OPTIONS if o not in wrong], []))


def bitmap(width, height, seed):
    """A picture of noise, as a BMP file."""
    row = 3 * width + -3 * width % 4
    pixels = random.Random(seed).randbytes(row * height)
    return (struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54) +
            struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels)


@harness.test
def noise_is_for_many_epochs(converter):
    text = (BARE + "max_batches=90\n" + CONV + BOXES).encode()
    write(converter.path("one.bmp"), bitmap(32, 32, 1))
    write(converter.path("set.data"), f"train={converter.path('list.txt')}\nclasses=1\n".encode())
    for images, is_noisy in ((6, True), (7, False)):    # 15 and 12.9 epochs
        write(converter.path("list.txt"), f"{converter.path('one.bmp')}\n".encode() * images)
        made = converter.convert(text, "--data", "set.data") or b""
        reason = "in.cfg:1: [net] noise: none, as 7 images are seen 13 times each: it is for 15 times and more"
        check(f"noise_for_{images}_images", ("in [net]", b"noise=.3\n" in made, is_noisy),
              ("anywhere", b"noise" in made, is_noisy), ("reason", reason in converter.said, not is_noisy))
    os.remove(converter.path("list.txt"))
    check("convert_says_which_list_is_absent", ("converted", converter.convert(text, "--data", "set.data"), None),
          ("message", converter.wrong, f"{converter.path('list.txt')}: expected a list of images, got \"No such file or directory\"\n"))


# -------------------------------------------------------------------- the corpus

PARENT = """[net]
# a comment
[convolutional]
batch_normalize=1
filters=4
size=3
[convolutional]
filters=4
[shortcut]
from=-2
[route]
layers=0,2
"""
VARIANT = """# made
[net]
# a comment
[local_whitening]
[local_whitening]
[route]
layers=-2,-1
[convolutional]
filters=4
size=3
[convolutional]
init_gain=.3
filters=4
[shortcut]
from=-2
alpha=.7071
[route]
layers=3,5
"""


@harness.test
def sees_what_is_wrong_with_a_conversion(_):
    """The check of the corpus, on mistakes that a converter could make."""
    check("structure_accepts_a_conversion", ("differences", cfg_structure.differences(PARENT, VARIANT), []))
    for name, old, new, message in (
            ("layers_not_renumbered", "layers=3,5", "layers=0,2", "layer 3: [route] refers to other layers"),
            ("input_not_joined", "layers=-2,-1", "layers=-1", "the number of layers changed"),
            ("relative_numbers_changed", "from=-2", "from=-1", "layer 2: [shortcut] refers to other layers"),
            ("normalization_left", "size=3", "size=3\nbatch_normalize=1", "layer 0: [convolutional] is still normalized"),
            ("keys_changed", "size=3", "size=5", "layer 0: [convolutional] size changed"),
            ("keys_lost", "size=3\n", "", "layer 0: [convolutional] size changed"),
            ("sections_changed", "[shortcut]", "[sam]", "layer 2: [shortcut] became [sam]"),
            ("layers_lost", "[route]\nlayers=3,5\n", "", "the number of layers changed"),
            ("comments_lost", "# a comment\n", "", "comments changed")):
        wrong = cfg_structure.differences(PARENT, VARIANT.replace(old, new))
        check(f"structure_sees_{name}", ("first difference", wrong[:1], [message]))


@harness.test
def converts_the_corpus(converter):
    """Each cfg of the fetched tree: its indices, and its layers' shapes as the host makes
    them, with an eighth of the filters (scripts/corpus.py has all of them, and trains)."""
    paths = sorted(glob.glob(os.path.join(ROOT, "build/upstream/darknet/cfg/*.cfg")))
    if not paths:
        raise harness.Skip("no build/upstream")
    tried = corpus.Corpus(converter.darknet, converter.driver, os.path.dirname(paths[0]), converter.path("corpus"))
    refused = []
    for path in paths:
        name = os.path.basename(path)
        row = tried.row(path)
        if row["refused"]:
            refused.append(name)
            continue
        variant = read(converter.path(f"corpus/{name[:-4]}-snn.cfg"))
        check(f"convert_corpus_{name}", ("reason", row["reason"], None), ("shapes", row["shapes"], True),
              ("converted again", converter.convert(variant), variant))
    broken = corpus.Corpus(converter.darknet, "/bin/false", os.path.dirname(paths[0]), converter.path("corpus"))
    row = broken.row(os.path.join(os.path.dirname(paths[0]), "yolov3-tiny.cfg"))
    check("corpus_fails_where_the_host_does", ("reason", row["reason"], "the parent: no message"),
          ("good", corpus.is_good(row), False))
    check("convert_refuses_only_recurrent_nets", ("refused", refused, ["gru.cfg", "rnn.cfg", "rnn.train.cfg"]))


def noise_png(side, seed):
    """A colour picture of random pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    draw = random.Random(seed)
    rows = b"".join(b"\0" + bytes(draw.randrange(256) for _ in range(3 * side)) for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


@harness.test
def measures_gains_without_noise(converter):
    """--data: the gains of a cfg with noise= are those of the same one without."""
    for i in range(8):
        write(converter.path(f"{i}.png"), noise_png(32, i))
    write(converter.path("train.txt"), "".join(converter.path(f"{i}.png") + "\n" for i in range(8)).encode())
    write(converter.path("set.data"), b"classes=1\ntrain=train.txt\n")
    # Kept as they are, layers of ReLU halve the second moment: there are gains to write.
    net = CONV.replace("filters=4", "filters=32\nsize=3\npad=1") * 4 + BOXES
    found, named, written = [], [], []
    for noise in ("0", ".5"):
        text = BARE.replace("learning", f"noise={noise}\nlearning") + net
        made = converter.convert(text.encode(), "--data", "set.data", "--keep-activations")
        found.append(made and re.findall(rb"init_gain=(.*)", made))
        # What is said of a gain is said of the line of the user's file where it stands.
        named.append(re.findall(r"out\.cfg:(\d+): \[convolutional\] init_gain: (\S+), as measured", converter.said))
        lines = enumerate((made or b"").decode().split("\n"), 1)
        written.append([(str(i), line[10:]) for i, line in lines if line.startswith("init_gain=")])
    holds("measures_gains_without_noise", found[0] == found[1] and len(found[0] or []) == 4, f"{found} {converter.wrong}")
    holds("measured_gains_are_explained_by_their_lines", named[0] and set(named[0]) <= set(written[0]), f"{named[0]} {written[0]} {converter.said}")


def made_from(text):
    """(parent, arguments) of a cfg that the converter made, or None."""
    match = re.match(rb"# Made from (\S+) by: darknet snn convert(.*)\n", text)
    return match and (match[1].decode(), match[2].decode().split())


@harness.test
def makes_the_sample_cfgs(converter):
    for name, parent in samples.PARENTS.items():
        check(f"samples_make_{name}", ("cfg", parent().text().encode(), read(os.path.join(ROOT, "cfg", name + ".cfg"))))
    for name, said in samples.VARIANTS.items():
        check(f"samples_have_{name}-snn", ("made from", made_from(read(os.path.join(ROOT, "cfg", name + "-snn.cfg"))),
                                           (name + ".cfg", said.split())))
    for path in sorted(glob.glob(os.path.join(ROOT, "cfg/*.cfg"))):
        made = made_from(read(path))
        if made:
            parent = os.path.join(ROOT, "cfg", made[0])
            status, _, wrong = converter.run("convert", parent, "made.cfg", *made[1])
            check(f"convert_makes_{os.path.basename(path)}", ("status", status, 0), ("stderr", NEXT.sub("", wrong), ""),
                  ("cfg", read(converter.path("made.cfg")), read(path)))


# ------------------------------------------------------------------------ folding

FOLDED = """[net]
width=9
height=7
channels=3

[convolutional]
batch_normalize=1
filters=6
size=3
pad=1
activation=leaky
# a comment

[convolutional]
batch_normalize=1
filters=4
groups=2
size=1
activation=selu

[convolutional]
filters=5
size=3
activation=linear

[connected]
batch_normalize=1
output=8
activation=logistic

[softmax]
"""
DECONVOLUTIONAL = FOLDED.replace("[convolutional]\nfilters=5", "[deconvolutional]\nbatch_normalize=1\nstride=2\nfilters=5")


def weights_layout(text, w, h, c):
    """(filters, taps, is normalized, runs, is connected) of each layer; runs: of
    the taps of a filter, None where they stand together."""
    layout = []
    for name, o in cfg_structure.sections(text)[1:]:
        size, stride = int(o.get("size", 1)), int(o.get("stride", 1))
        normalized = "batch_normalize" in o
        if name in ("convolutional", "deconvolutional"):
            filters, groups = int(o["filters"]), int(o.get("groups", 1))
            pad = size // 2 if "pad" in o else 0
            if name == "convolutional":
                w, h = (w + 2 * pad - size) // stride + 1, (h + 2 * pad - size) // stride + 1
                layout.append((filters, c // groups * size * size, normalized, None, False))
            else:
                w, h = (w - 1) * stride + size - 2 * pad, (h - 1) * stride + size - 2 * pad
                layout.append((filters, c * size * size, normalized, size * size, False))
            c = filters
        elif name == "connected":
            layout.append((int(o["output"]), w * h * c, normalized, None, True))
            w = h = 1
            c = int(o["output"])
    return layout


def random_weights(layout, seed):
    """Biases, scales, means, variances and weights of each layer."""
    r = random.Random(seed)
    layers = []
    for filters, taps, normalized, *_ in layout:
        statistics = [[r.uniform(.5, 2) for _ in range(filters)], [r.gauss(0, 1) for _ in range(filters)],
                      [r.uniform(.1, 4) for _ in range(filters)]] if normalized else []
        layers.append([[r.gauss(0, 1) for _ in range(filters)], *statistics,
                       [r.gauss(0, taps ** -.5) for _ in range(filters * taps)]])
    return layers


def weights_file(layout, layers, seen=123):
    """Connected layers have their weights behind the biases, the others at the
    end."""
    floats = []
    for (*_, connected), (biases, *statistics, weights) in zip(layout, layers):
        for part in [biases, weights, *statistics] if connected else [biases, *statistics, weights]:
            floats += part
    return struct.pack("<iiiQ", 0, 2, 0, seen) + struct.pack(f"<{len(floats)}f", *floats)


def folded(layout, layers):
    """The same in the textbook's form: scale / sqrt(variance) into weights."""
    result = []
    for (_, taps, normalized, runs, _), parts in zip(layout, layers):
        if not normalized:
            result.append(parts)
            continue
        biases, scales, means, variances, weights = parts
        factors = [s / math.sqrt(v) for s, v in zip(scales, variances)]
        filter_of = (lambda i: i // runs % len(biases)) if runs else (lambda i: i // taps)
        result.append([[b - f * m for b, f, m in zip(biases, factors, means)],
                       [w * factors[filter_of(i)] for i, w in enumerate(weights)]])
    return result


def floats_of(content):
    return struct.unpack(f"<{(len(content) - 20) // 4}f", content[20:])


def farthest(got, want):
    return max((abs(a - b) for a, b in zip(got, want)), default=0) if len(got) == len(want) else math.inf


def folds(converter, name, text):
    layout = weights_layout(text, 9, 7, 3)
    layers = random_weights(layout, 5)
    write(converter.path("in.cfg"), text.encode())
    write(converter.path("in.weights"), weights_file(layout, layers))
    want = floats_of(weights_file(layout, folded(layout, layers)))
    status, said, wrong = converter.run("fold", "in.cfg", "in.weights", "folded.cfg", "folded.weights")
    content = read(converter.path("folded.weights"))
    check(f"fold_{name}", ("status", status, 0), ("cfg", read(converter.path("folded.cfg")),
                                               text.replace("batch_normalize=1\n", "").encode()),
          ("weights are the textbook's", farthest(floats_of(content), want) < 2e-5, True),
          ("images seen", struct.unpack("<Q", content[12:20])[0], 123),
          ("says the difference", re.search(r"largest difference of \d+ outputs \S+, largest output", said) is not None, True))
    status, _, wrong = converter.run("convert", "in.cfg", "out.cfg", "--weights", "in.weights", "out.weights")
    content = read(converter.path("out.weights"))
    check(f"convert_{name}_with_weights", ("status", status, 0),
          ("is the cfg of", made_from(read(converter.path("out.cfg"))), ("in.cfg", ["--keep-input"])),
          ("what to type next has the weights", "Next: darknet snn probe your.data out.cfg out.weights\n" in wrong, True),
          ("what is frozen stays frozen", read(converter.path("out.cfg")).count(b"stopbackward=1"), text.count("stopbackward=1")),
          ("its input stays", b"[local_whitening]" in read(converter.path("out.cfg")), b"[local_whitening]" in text.encode()),
          ("images seen", struct.unpack("<Q", content[12:20])[0], 0),
          ("weights are the folded ones", content[20:], read(converter.path("folded.weights"))[20:]))
    # What was folded has nothing left to fold.
    status, _, _ = converter.run("fold", "folded.cfg", "folded.weights", "again.cfg", "again.weights")
    check(f"fold_{name}_again", ("status", status, 0),
          ("cfg", read(converter.path("again.cfg")), read(converter.path("folded.cfg"))),
          ("weights", read(converter.path("again.weights")), read(converter.path("folded.weights"))))


@harness.test
def folds_a_backbone(converter):
    """A file that ends behind the first layer, as `darknet partial` writes it: the second one's is not written either."""
    layout = weights_layout(FOLDED, 9, 7, 3)
    layers = random_weights(layout, 5)
    write(converter.path("in.cfg"), FOLDED.encode())
    write(converter.path("backbone.weights"), weights_file(layout[:1], layers[:1]))
    status, _, wrong = converter.run("convert", "in.cfg", "out.cfg", "--weights", "backbone.weights", "out.weights")
    want = floats_of(weights_file(layout[:1], folded(layout[:1], layers[:1])))
    check("convert_with_a_backbone", ("status", status, 0),
          ("weights are the textbook's", farthest(floats_of(read(converter.path("out.weights"))), want) < 2e-5, True),
          ("says which layers begin anew", "ends before layer 1" in wrong, True))


UNFOLDABLE = [
    ("batchnorm_layers", HEAD + "\n[batchnorm]\n", "11: [batchnorm]: expected batch normalization within a layer with weights"),
    ("binary_weights", CONV + "binary=1\n", '8: [convolutional] batch_normalize: expected real weights, as binary ones cannot be scaled, got "1"'),
    ("recurrent_layers", "\n[rnn]\nbatch_normalize=1\noutput=3\n",
     '8: [rnn] batch_normalize: expected batch normalization in feed-forward layers alone, got "1"'),
    ("shared_weights", CONV + "\n[convolutional]\nbatch_normalize=1\nshare_index=0\n",
     '13: [convolutional] batch_normalize: expected weights of its own, as shared ones cannot be scaled, got "1"'),
]


@harness.test
def refuses_to_fold(converter):
    for name, text, message in UNFOLDABLE:
        write(converter.path("bad.cfg"), (BARE + text).encode())
        status, _, wrong = converter.run("fold", "bad.cfg", "x.weights", "f.cfg", "f.weights")
        wrong = re.sub(r"(?m)^.*: warning: .*\n", "", wrong)
        check(f"fold_refuses_{name}", ("status", status, 1), ("message", wrong, f"bad.cfg:{message}\n"),
              ("files", [f for f in ("f.cfg", "f.weights") if os.path.exists(converter.path(f))], []))
    write(converter.path("in.cfg"), FOLDED.encode())
    layout = weights_layout(FOLDED, 9, 7, 3)
    layers = random_weights(layout, 5)
    write(converter.path("short.weights"), weights_file(layout, layers)[:-8])
    layers[0][0][0] = math.nan
    write(converter.path("nan.weights"), weights_file(layout, layers))
    for name, message in (("short", "truncated"), ("nan", "expected finite outputs, got NaN or infinity"),
                          ("absent", "absent.weights")):
        status, _, wrong = converter.run("fold", "in.cfg", f"{name}.weights", "f.cfg", "f.weights")
        status_of_convert, _, _ = converter.run("convert", "in.cfg", "f.cfg", "--weights", f"{name}.weights", "f.weights")
        check(f"convert_writes_nothing_where_it_refuses_{name}_weights", ("status", status_of_convert, 1),
              ("files", [f for f in ("f.cfg", "f.weights") if os.path.exists(converter.path(f))], []))
        check(f"fold_refuses_{name}_weights", ("status", status, 1), ("message", message in wrong, True),
              ("files", [f for f in ("f.cfg", "f.weights") if os.path.exists(converter.path(f))], []))
    status, _, wrong = converter.run("fold", "in.cfg")
    check("fold_usage", ("status", status, 2), ("usage", wrong.startswith("usage: darknet snn fold IN.cfg"), True))


@harness.test
def folds_each_kind_of_layer(converter):
    folds(converter, "convolutional_and_connected", FOLDED)
    folds(converter, "weights_that_are_frozen", FOLDED.replace("size=3\n", "size=3\nstopbackward=1\n", 1))
    if os.path.exists(os.path.join(os.path.dirname(os.path.realpath(converter.darknet)), "src/deconvolutional_layer.c")):
        folds(converter, "deconvolutional", DECONVOLUTIONAL)
    else:
        harness.report("SKIP", "fold_deconvolutional", "this host has no such layer")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("driver", type=harness.program, metavar="corpus_driver")
    options = parser.parse_args()
    harness.run(options.only, Converter(options.darknet, options.driver, harness.folder()))
