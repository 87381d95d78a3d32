/* loss_scale= of AlexeyAB's tree: a step whose gradients overflowed is left out. */
#include "net.h"

#include "snn_overflow.h"

#define NET "momentum=.9\n[convolutional]\nfilters=2\nsize=3\nstride=1\npad=1\nactivation=linear\n"

static const snn_fault of_gradients = { 0, "gradients", 3, 18 }, of_weights = { 0, "weights", 3, 18 };

static int is_left_out(network *net, const snn_fault *f)
{
    int saved = quiet_begin(), result;
    result = snn_leave_step_out(net, f);
    quiet_end(saved);
    return result;
}

TEST(without_a_scale_nothing_is_left_out)
{
    network *net = net_of(2, 3, 4, 4, NET);
    net->layers[0].weight_updates[0] = 5;
    CHECK(!is_left_out(net, &of_gradients));
    CHECK(net->layers[0].weight_updates[0] == 5);
    net_free(net);
}

TEST(with_a_scale_gradients_and_momentum_begin_anew)
{
    network *net = net_of(2, 3, 4, 4, "loss_scale=128\n" NET);
    layer *l = &net->layers[0];
    int i;
    if (snn_loss_scale(net) == 1) {
        net_free(net);
        SKIP("a tree without loss_scale=");
    }
    for (i = 0; i < l->nweights; ++i) l->weight_updates[i] = i % 3 ? 1 : INFINITY;
    l->bias_updates[1] = NAN;
    CHECK(!is_left_out(net, &of_weights));
    CHECK(l->weight_updates[1] == 1);
    CHECK(is_left_out(net, &of_gradients));
    for (i = 0; i < l->nweights; ++i) CHECK(l->weight_updates[i] == 0);
    CHECK(l->bias_updates[1] == 0);
    net_free(net);
}

TEST(what_overflows_again_and_again_ends_the_training)
{
    network *net = net_of(2, 3, 4, 4, "loss_scale=128\n" NET);
    int i, left_out;
    if (snn_loss_scale(net) == 1) {
        net_free(net);
        SKIP("a tree without loss_scale=");
    }
    snn_set_seen(net, 1000);
    for (left_out = 0; left_out < 100 && is_left_out(net, &of_gradients); ++left_out) {
        snn_set_seen(net, *net->seen + (size_t)net->batch);
    }
    CHECK(left_out == 8);
    for (i = 0; i < 20; ++i) {      /* every second mini-batch */
        snn_set_seen(net, *net->seen + 2 * (size_t)net->batch);
        CHECK(is_left_out(net, &of_gradients));
    }
    net_free(net);
}

int main(void)
{
    RUN(without_a_scale_nothing_is_left_out);
    RUN(with_a_scale_gradients_and_momentum_begin_anew);
    RUN(what_overflows_again_and_again_ends_the_training);
    return test_report();
}
