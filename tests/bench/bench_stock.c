/* What upstream itself takes, for scripts/bench.py: linked with an unpatched
 * build. `bench_stock [CASE]`: rows whose case contains CASE. */
#include "bench.h"

#include "activations.h"
#include "dropout_layer.h"
#include "normalization_layer.h"

typedef struct {
    layer l;
    network net;
    size_t count;
    float *x, *work, *gradient, *delta;
} stock_case;

static void restore(void *context)
{
    stock_case *k = (stock_case *)context;
    memcpy(k->work, k->x, k->count * sizeof(float));
    memcpy(k->delta, k->gradient, k->count * sizeof(float));
}

static void activation_forward(void *context)
{
    stock_case *k = (stock_case *)context;
    activate_array(k->work, (int)k->count, SELU);
}

static void activation_backward(void *context)
{
    stock_case *k = (stock_case *)context;
    gradient_array(k->x, (int)k->count, SELU, k->delta);
}

static void layer_forward(void *context)
{
    stock_case *k = (stock_case *)context;
    k->l.forward(k->l, k->net);
}

static void layer_backward(void *context)
{
    stock_case *k = (stock_case *)context;
    k->l.backward(k->l, k->net);
}

typedef enum { ARRAYS, DROPOUT_5, NORMALIZATION_5 } stock_kind;

static const struct {
    const char *name;
    stock_kind kind;
    bench_kind shapes;
    void (*run)(void *);
} cases[] = {
    { "activation_selu_forward", ARRAYS, BENCH_SHAPES, activation_forward },
    { "activation_selu_backward", ARRAYS, BENCH_SHAPES, activation_backward },
    { "dropout_forward", DROPOUT_5, BENCH_SHAPES, layer_forward },
    { "dropout_backward", DROPOUT_5, BENCH_SHAPES, layer_backward },
    { "normalization_forward", NORMALIZATION_5, BENCH_IMAGES, layer_forward },
    { "normalization_backward", NORMALIZATION_5, BENCH_IMAGES, layer_backward },
};

static void time_case(int i, bench_shape s)
{
    stock_case k;
    bench_row row = { cases[i].name, s, 0, restore, cases[i].run, NULL, &k };
    memset(&k, 0, sizeof k);
    k.count = bench_count(s);
    k.x = bench_values(k.count, 1);
    k.work = bench_values(k.count, 1);
    k.gradient = bench_values(k.count, 2);
    k.delta = bench_values(k.count, 2);
    if (cases[i].kind == DROPOUT_5) {
        k.l = make_dropout_layer(s.n, s.c * s.h * s.w, .05f);
    }
    if (cases[i].kind == NORMALIZATION_5) {
        k.l = make_normalization_layer(s.n, s.w, s.h, s.c, 5, .0001f, .75f, 1);
        memcpy(k.l.delta, k.gradient, k.count * sizeof(float));
    }
    k.net.input = k.work;
    k.net.delta = k.delta;
    k.net.train = 1;
    if (k.l.forward) k.l.forward(k.l, k.net);   /* what backward reads */
    bench_time(&row);
    free_layer(k.l);
    free(k.x);
    free(k.work);
    free(k.gradient);
    free(k.delta);
}

int main(int argc, char **argv)
{
    const bench_shape *s;
    size_t i, k;
    for (i = 0; i < sizeof cases / sizeof *cases; ++i) {
        if (argc > 1 && !strstr(cases[i].name, argv[1])) continue;
        for (k = 0; (s = bench_shape_at(cases[i].shapes, k)) != NULL; ++k) {
            time_case((int)i, *s);
        }
    }
    return 0;
}
