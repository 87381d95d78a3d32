#include "snn_finite.h"
#include "snn_data_parallel.h"
#include "snn_device.h"
#include "snn_exact_sum.h"
#include "snn_finite_kernels.h"
#include "snn_hooks.h"
#include "snn_host.h"
#include "snn_layers.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_overflow.h"
#include "snn_parameters.h"
#include "snn_ranks.h"
#include "snn_step.h"
#include "snn_summary.h"

static int is_fault(int layer, const char *what, const float *x, size_t n,
                    snn_fault *f)
{
    if (!x || snn_all_finite(x, n)) return 0;
    f->layer = layer;
    f->what = what;
    f->nonfinite = snn_nonfinite(x, n);
    f->count = n;
    return 1;
}

static size_t values_of(const layer *l)
{
    return (size_t)l->batch * (size_t)l->outputs;
}

static int is_forward_fault(const layer *l, int index, snn_fault *f)
{
    snn_parameters p[SNN_MOST_PARAMETERS];
    int n = snn_parameters_of(l, p), i;
    for (i = 0; i < n; ++i) {
        if (is_fault(index, "weights", p[i].values, p[i].count, f)) return 1;
    }
    return !snn_is_loss_type(l->type) &&
           is_fault(index, "activations", l->output, values_of(l), f);
}

static int is_backward_fault(const layer *l, int index, snn_fault *f)
{
    snn_parameters p[SNN_MOST_PARAMETERS];
    int n = snn_parameters_of(l, p), i;
    if (is_fault(index, "gradients", l->delta, values_of(l), f)) return 1;
    for (i = 0; i < n; ++i) {
        if (is_fault(index, "gradients", p[i].gradient, p[i].count, f)) return 1;
    }
    return 0;
}

int snn_find_nonfinite(const network *net, snn_fault *f)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        snn_pull_layer(&net->layers[i]);
        if (is_forward_fault(&net->layers[i], i, f)) return 1;
    }
    for (i = net->n - 1; i >= 0; --i) {
        if (is_backward_fault(&net->layers[i], i, f)) return 1;
    }
    return 0;
}

static void stop(size_t iteration, const network *net, const snn_fault *f) SNN_NORETURN;
static void stop(size_t iteration, const network *net, const snn_fault *f)
{
    snn_fatal("iteration %zu: layer %d [%s]: expected finite %s, got %zu of %zu that "
              "are NaN or infinite. Training stops, and what it has saved stays. What "
              "helps: agc=.1 in [net], or a lower learning_rate",
              iteration, f->layer, snn_layer_name(&net->layers[f->layer]), f->what, f->nonfinite, f->count);
}

#ifdef GPU
/* Mini-batches whose flag (snn_finite_kernels.h) nobody has waited for: each device's last. A
 * step changes nothing where it is set, and the next pass, which waits for the device anyway,
 * finds all of the mini-batch as it was. */
static struct {
    const network *net;     /* NULL: none */
    size_t iteration;
} late[SNN_MOST_DEVICES];

static int has_bad_gradient(const network *net)
{
    int device = snn_device();
    snn_seek_nonfinite_gpu(net->layers, net->n);
    /* Of several processes all must know before gradients are summed. */
    if (snn_ranks() > 1 || !snn_net_steps_together(net)) return snn_found_nonfinite_gpu();
    late[device].net = net;
    late[device].iteration = snn_iteration(net);
    return 0;
}

static void look_back(int device)
{
    const network *net = late[device].net;
    snn_fault f;
    late[device].net = NULL;
    if (net && snn_found_nonfinite_gpu() && snn_find_nonfinite(net, &f)) stop(late[device].iteration, net, &f);
}
#endif

void snn_check_late(void)
{
#ifdef GPU
    if (snn_on_gpu()) look_back(snn_device());
#endif
}

void snn_check_all_late(void)
{
#ifdef GPU
    int own, i;
    if (!snn_on_gpu()) return;
    own = snn_device();
    for (i = 0; i < SNN_MOST_DEVICES; ++i) {
        if (!late[i].net) continue;
        snn_gpu_check(cudaSetDevice(i));
        look_back(i);
    }
    snn_gpu_check(cudaSetDevice(own));
#endif
}

/* A layer's loss is a sum over the batch, and its weights' gradients are sums
 * over everything that the layer read: what is not finite reaches one of them. */
static int is_suspect(const network *net)
{
    int i, k;
#ifdef GPU
    if (snn_on_gpu() && has_bad_gradient(net)) return 1;
#endif
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        snn_parameters p[SNN_MOST_PARAMETERS];
        if (l->cost && !snn_is_finite(l->cost[0])) return 1;
        for (k = snn_on_gpu() ? 0 : snn_parameters_of(l, p); k--;) {
            if (!snn_all_finite(p[k].gradient, p[k].count)) return 1;
        }
    }
    return 0;
}

void snn_check_step(network *net)
{
    snn_fault f;
    /* Gradients are this process's own, and not summed up yet. */
    int is_own = snn_ranks() == 1 || snn_exact_is_asked() || snn_on_gpu();
    int is_faulty = (is_own ? is_suspect(net) : snn_parallel_is_suspect(net)) && snn_find_nonfinite(net, &f);
    if (is_faulty && snn_ranks() == 1 && snn_leave_step_out(net, &f)) return;
    snn_parallel_step(net, is_faulty);
    if (is_faulty) stop(snn_iteration(net), net, &f);
}
