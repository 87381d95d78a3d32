"""What the project's own report compares, as data: scripts/report.py runs it.

A net is a parent's cfg, converted or not, with changes (cfg_edit.py). Rates are
four for each kind of the stride-2 net, around the best of short trials; the other
detectors have the best of these, and so has an ablation, where the rate is not
among the things that change.
"""
import dataclasses

from lib.regress_plan import Comparison, Net

EVEN, UNEVEN = "build/data/even/scenes.data", "build/data/uneven/scenes.data"

# Of the plain parent, the aided one and the variant.
FOUR_RATES = ((".0025", ".005", ".01", ".02"), (".02", ".04", ".08", ".16"), (".01", ".02", ".04", ".08"))
# The stride-2 net's best of these, at mini-batch 32 and at 1 alike.
BEST_RATES = ((".02",), (".08",), (".04",))
ABLATION_RATES = (".04",)

# Of the parent and the variant: segmentation's loss is a sum over pixels where no clipping holds it.
UNET_RATES = ((".00001", ".00003", ".0001"), (".03", ".06"))
BEST_UNET_RATES = ((".00003",), (".03",))
MASKS = "build/data-unet/uneven/segments.data"
NORMALIZED = ("net+[local_whitening] size=17 gain=1",)

# What the variant needs helps a batch-normalized net too; init_gain= is a factor of what init= draws.
STEP_AIDS = ("agc=.1", "convolutional#-1.init=he_normal", "convolutional#-1.init_gain=.3")
AIDS = ("net+[local_whitening] size=17",) + STEP_AIDS
# With the variant's input: the image whitened as a whole beside that in windows.
AIDS_BOTH = ("net+[local_whitening] size=0", "local_whitening#0+[local_whitening] size=17",
             "local_whitening#1+[route] layers=-2,-1 stopbackward=1") + STEP_AIDS

# Of a variant whose rate is searched: `snn convert` holds the rate times agc= whatever the rate is.
SEARCHED = ("agc=.1", "max_step=0")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """title says what is asked; nets by name; pairs: (parent, variant), where
    guards=True fails the report if the variant is worse."""
    name: str
    title: str
    nets: tuple
    comparisons: tuple
    data: tuple = (UNEVEN,)
    mini_batches: tuple = (32,)


def family(name, cfg, rates):
    """(parent as users have it, parent with the same aids, variant)."""
    plain, aided, snn = rates
    return (Net(name, cfg, rates=plain), Net(name + "-aided", cfg, AIDS, aided),
            Net(name + "-snn", cfg, SEARCHED, snn, convert=""))


def against_parents(name, *kinds):
    return tuple(Comparison(name + kind, name + "-snn") for kind in ("", "-aided") + kinds)


def unets(name, rates):
    """(parent with normalized input, variant)."""
    return (Net(name + "-normalized", f"cfg/{name}.cfg", NORMALIZED, rates[0]),
            Net(name + "-snn", f"cfg/{name}-snn.cfg", rates=rates[1]))


def against_unets(name):
    return (Comparison(name + "-normalized", name + "-snn"),)


STRIDE = family("stride", "cfg/tiny-yolo.cfg", FOUR_RATES)
AIDED_BOTH = Net("stride-aided-both", "cfg/tiny-yolo.cfg", AIDS_BOTH, (".04", ".08"))
STRIDE_BEST = family("stride", "cfg/tiny-yolo.cfg", BEST_RATES)
POOL = family("pool", "cfg/tiny-yolo-pool.cfg", BEST_RATES)
RESIDUAL = family("residual", "cfg/tiny-yolo-residual.cfg", BEST_RATES)
SNN = STRIDE[-1]


def ablation(name, *changes, convert="", lsuv=False, rates=ABLATION_RATES):
    """The stride-2 variant with one thing changed."""
    return dataclasses.replace(SNN, name=name, changes=SEARCHED + changes, convert=convert, lsuv=lsuv, rates=rates)


def compared_with_snn(*nets):
    return tuple(Comparison(SNN.name, net.name, guards=False) for net in nets)


INPUT = (ablation("input-raw", convert="--whiten none"), ablation("input-global", convert="--whiten global"),
         ablation("input-local", convert="--whiten local"))
ZCA = ablation("input-zca", "local_whitening#1.mode=zca")
INITIALISATION = (ablation("init-upstream", "init=", "convolutional.init=", "convolutional.init_gain="),
                  ablation("init-standardized", "init=standardized_normal"),
                  ablation("init-lsuv", lsuv=True))
STEPS = (ablation("clipping-off", "agc=0", rates=(".005", ".01")), ablation("centring-off", "centre=0"))
DROPOUT = (ablation("alpha-dropout", "convolutional#-2+[alpha_dropout] probability=.05"),
           ablation("ordinary-dropout", "convolutional#-2+[dropout] probability=.05"))
ACTIVATION = (ablation("elu", "convolutional.activation=selu>elu"),
              ablation("leaky", "convolutional.activation=selu>leaky", "init_gain=1.4", rates=(".04", ".08")),
              ablation("batchnorm-after-selu", "convolutional.activation=selu+[batchnorm]"))

# The last claim of the discussion: inputs must be normalized locally.
LIGHT_NETS = STRIDE + (AIDED_BOTH,) + INPUT

EXPERIMENTS = (
    Experiment("stride", "Tiny YOLO, stride-2: parent, parent with the same aids, variant", STRIDE + (AIDED_BOTH,),
               against_parents("stride", "-aided-both"), mini_batches=(32, 1)),
    Experiment("unet", "UNet, Dice: parent with normalized input, variant", unets("unet", UNET_RATES),
               against_unets("unet"), (MASKS,), (8, 1)),
    Experiment("light", "Even and uneven lighting: raw, global and local input, and both side by side", LIGHT_NETS,
               against_parents("stride", "-aided-both") +
               tuple(Comparison(a, b, guards=False) for a, b in
                     (("input-raw", "input-local"), ("input-global", "input-local"), ("input-local", SNN.name),
                      ("input-global", SNN.name))), data=(EVEN, UNEVEN)),
    Experiment("input", "Ablation: what comes first", (SNN, ZCA) + INPUT, compared_with_snn(ZCA, *INPUT)),
    Experiment("steps", "Ablation: clipping and centring", (SNN,) + STEPS, compared_with_snn(*STEPS)),
    Experiment("init", "Ablation: initialisation", (SNN,) + INITIALISATION, compared_with_snn(*INITIALISATION)),
    Experiment("activation", "Ablation: other activations, batch normalization after SELU", (SNN,) + ACTIVATION,
               compared_with_snn(*ACTIVATION)),
    Experiment("dropout", "Ablation: dropout of 5 % before the last layer", (SNN,) + DROPOUT,
               compared_with_snn(*DROPOUT) + (Comparison("ordinary-dropout", "alpha-dropout", guards=False),)),
    Experiment("stride-small", "Tiny YOLO at mini-batches of 8 and 2", STRIDE_BEST, against_parents("stride"),
               mini_batches=(8, 2)),
    Experiment("pool", "Tiny YOLO with max-pools", POOL + (SNN,),
               against_parents("pool") + (Comparison("pool-snn", SNN.name, guards=False),)),
    Experiment("residual", "Residual detector", RESIDUAL, against_parents("residual")),
    Experiment("unet-residual", "UNet with residual sums, Dice", unets("unet-residual", BEST_UNET_RATES),
               against_unets("unet-residual"), (MASKS,), (8,)),
)
