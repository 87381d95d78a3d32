/* Small networks for tests: made from cfg text, run, and differentiated. */
#ifndef NET_H
#define NET_H

#include "test.h"

#include "family.h"
#include "snn_random.h"

#include <unistd.h>

/* The host reports each layer on stderr; tests do not want to hear, unless it
 * ends the process meanwhile. */
static int quiet_active;

static void quiet_exit(void)
{
    if (quiet_active) puts("FAIL: the host refused a cfg (see net_of)");
}

static inline int quiet_begin(void)
{
    static int registered;
    int saved = dup(2);
    if (!registered) registered = !atexit(quiet_exit);
    fflush(stderr);
    if (!freopen("/dev/null", "w", stderr)) exit(1);
    quiet_active = 1;
    return saved;
}

static inline void quiet_end(int saved)
{
    quiet_active = 0;
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
}

/* A network of batch x c x h x w inputs; `layers` is cfg text. */
static inline network *net_of(int batch, int c, int h, int w, const char *layers)
{
    char path[] = "/tmp/snn-test-XXXXXX";
    int saved, fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    network *net;
    if (!f) exit(1);
    fprintf(f, "[net]\nbatch=%d\nchannels=%d\nheight=%d\nwidth=%d\nseed=7\n%s",
            batch, c, h, w, layers);
    fclose(f);
    saved = quiet_begin();
    net = family_parse(path);
    quiet_end(saved);
    unlink(path);
    return net;
}

static inline void net_free(network *net) { family_free(net); }

static inline layer *net_last(network *net) { return &net->layers[net->n - 1]; }

/* One pass over `input`; `delta` receives the gradient for it where `backward`
 * is set, and is added to. An inference with a delta can be gone back from by net_backward. */
static inline void net_run(network *net, float *input, float *truth,
                           float *delta, int train, int backward)
{
    family_run(net, input, truth, delta, train, backward);
}

/* Back-propagates `gradient` from the last layer's output, as a layer after it
 * would, down to a layer with stopbackward=1, and adds the gradient for the input to `delta`. net_run comes first. */
static inline void net_backward(network *net, float *input,
                                const float *gradient, float *delta, int train)
{
    layer *last = net_last(net);
    int k;
    memcpy(last->delta, gradient,
           (size_t)last->batch * (size_t)last->outputs * sizeof *gradient);
    for (k = net->n - 1; k >= 0; --k) {
        layer l = net->layers[k];
        if (l.stopbackward == 1) break;
        snn_state s = snn_first_state(net);
        s.train = train;
        s.index = k;
        s.input = k ? net->layers[k - 1].output : input;
        s.delta = k ? net->layers[k - 1].delta : delta;
        l.backward(l, s);
    }
}

/* One step as the host's update_network takes it. */
static inline void net_step(layer *l, int batch, float rate,
                            float momentum, float decay)
{
    family_step(l, batch, rate, momentum, decay);
}

/* `count` standard normals, the same for the same stream. */
static inline float *normals(size_t count, int stream)
{
    float *x = malloc(count * sizeof *x);
    size_t i;
    for (i = 0; i < count; ++i) {
        x[i] = (float)snn_random_normal(snn_random_key(99, SNN_STREAM_WEIGHTS,
                                                       stream), i);
    }
    return x;
}

#endif
