/* Weights for a small net: what the check passes, the host must load. */
#include "fuzz.h"
#include "snn_host.h"

static const char cfg[] =
    "[net]\nwidth=4\nheight=4\nchannels=2\n"
    "[convolutional]\nfilters=2\nsize=1\nbatch_normalize=1\nactivation=leaky\n"
    "[batchnorm]\n"
    "[local]\nfilters=1\nsize=3\nactivation=selu\n"
    "[deconvolutional]\nfilters=1\nsize=2\nstride=2\nactivation=linear\n"
    "[connected]\noutput=3\nbatch_normalize=1\nactivation=linear\n"
    "[softmax]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static network *net;
    char *file = fuzz_write("x.weights", data, size);
    if (!net) net = parse_network_cfg(fuzz_write("x.cfg", cfg, sizeof cfg - 1));
    RUN(load_weights(net, file));
    RUN(load_weights_upto(net, file, 0, 2));
    return 0;
}
