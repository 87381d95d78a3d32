/* How often a training step launches a kernel of ours, and what else it asks of a GPU: of
 * sample nets, in their own size, counted where kernels are not run (GPU=host; cuda_host/).
 * One mini-batch of two images and its update.
 *
 *     build/tests-gpuhost/test_launches [CFG...]      with the names of all kernels
 */
#include "net.h"

#ifdef CUDA_HOST_H

enum { BATCH = 2 };

/* The most launches of ours in a step of the variant: a pass over the output of each layer, one over its
 * gradient, and what the net has once. yolov3 has 72 such layers. */
static const struct { const char *name; long most; } samples[] = {
    { "tiny-yolo", 40 }, { "tiny-yolo-pool", 40 }, { "tiny-yolo-residual", 70 }, { "unet", 60 }, { "unet-residual", 80 },
    { "fashion", 20 }, { "yolov3-tiny", 50 }, { "yolov3", 240 },
};

static network *net_from(const char *cfg)
{
    network *net;
    int saved = quiet_begin();
    net = snn_train_network((char *)(size_t)cfg, BATCH);
    quiet_end(saved);
    net->subdivisions = 1;
    return net;
}

/* What the second step asks for: arrays that a net keeps are there by then. */
static struct cuda_host_counts counts_of(const char *cfg, int shows_kernels)
{
    network *net = net_from(cfg);
    struct cuda_host_counts before, c;
    data d;
    int i, saved;
    memset(&d, 0, sizeof d);
    d.X = make_matrix(BATCH, net->inputs);
    d.y = make_matrix(BATCH, net->truths);
    saved = dup(1);
    fflush(stdout);
    if (!freopen("/dev/null", "w", stdout)) exit(1);    /* [yolo] says how it does */
    for (i = 0; i < 2; ++i) {
        before = cuda_host_count;
        cuda_host_forget_kernels();
        train_network(net, d);
    }
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    c = cuda_host_count;
    c.ours -= before.ours;
    c.host -= before.host;
    c.products -= before.products;
    c.copies -= before.copies;
    c.arrays -= before.arrays;
    printf("%-28s %6ld %6ld %6ld %6ld %6ld\n", cfg + (strncmp(cfg, "cfg/", 4) ? 0 : 4), c.ours, c.host, c.products,
           c.copies, c.arrays);
    if (shows_kernels) cuda_host_print_kernels();
    free_data(d);
    net_free(net);
    return c;
}

static void print_head(void)
{
    printf("%-28s %6s %6s %6s %6s %6s\n", "a step of", "ours", "host's", "gemm", "copies", "arrays");
}

TEST(a_step_launches_few_kernels_of_ours)
{
    char cfg[64];
    size_t i;
    print_head();
    for (i = 0; i < sizeof samples / sizeof *samples; ++i) {
        snprintf(cfg, sizeof cfg, "cfg/%s.cfg", samples[i].name);
        counts_of(cfg, 0);
        snprintf(cfg, sizeof cfg, "cfg/%s-snn.cfg", samples[i].name);
        CHECK(counts_of(cfg, 0).ours <= samples[i].most);
    }
}

int main(int argc, char **argv)
{
    int i;
    cuda_host_dry = 1;
    gpu_index = 0;
    if (argc > 1) {
        print_head();
        for (i = 1; i < argc; ++i) counts_of(argv[i], 1);
        return 0;
    }
    RUN(a_step_launches_few_kernels_of_ours);
    return test_report();
}

#else

int main(void)
{
    test_skip_all = "kernels are counted where they are emulated";
    return test_report();
}

#endif
