/* Whole networks on the GPU against the CPU: the host's layers and ours in turn,
 * initialisation, clipping, resizing, files, several GPUs. In a build with
 * GPU=1 on the first GPUs of the machine, with GPU=host on the processor. */
#include "net.h"

#include "snn_math.h"
#include "snn_planner.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { BATCH = 4, CHANNELS = 3, SIDE = 20, CLASSES = 5, ITERATIONS = 12 };

/* Convolutions, each of our layers, a sum, a pool; then one more, where the
 * host has it, which it cannot resize. */
#define BODY \
    "learning_rate=.05\nmomentum=.9\ndecay=.0005\nagc=.2\ncentre=1\ninit=lecun_normal\n" \
    "[local_whitening]\nsize=5\ngain=1\n" \
    "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=selu\n" \
    "[alpha_dropout]\nprobability=.2\n" \
    "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=linear\n" \
    "[selu]\n" \
    "[shortcut]\nfrom=-3\nalpha=.7071\nbeta=.7071\nactivation=linear\n" \
    "[maxpool]\nsize=2\nstride=2\n" \
    "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\ngroups=2\n" \
    "init=standardized_normal\nactivation=selu\n"
#define TAIL \
    "[local_whitening]\nmode=zca\nsize=3\ngroups=2\neps=.1\n" \
    "[alpha_dropout]\nspatial=1\nprobability=.1\n" \
    "[convolutional]\nfilters=5\nsize=1\nstride=1\nactivation=linear\n" \
    "[avgpool]\n" \
    "[softmax]\n"
#define DECONVOLUTION TEXT_UNLESS_ALEXEYAB("[deconvolutional]\nfilters=6\nsize=2\nstride=2\nactivation=selu\n")
static const char *const net_text = BODY DECONVOLUTION TAIL;
static const char *const resizable_text = BODY TAIL;

/* A class for each pixel, and a way past the pool. */
static const char *const segmenting_text =
    "learning_rate=.02\nmomentum=.9\ndecay=.0005\nagc=.2\ninit=lecun_normal\n"
    "[convolutional]\nfilters=6\nsize=3\nstride=1\npad=1\nactivation=selu\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=6\nsize=3\nstride=1\npad=1\nactivation=selu\n"
    "[upsample]\nstride=2\n"
    "[route]\nlayers=-1,0\n"
    "[convolutional]\nfilters=5\nsize=1\nstride=1\nactivation=linear\n"
    "[softmax]\nspatial=1\n";

/* Boxes. */
static const char *const detecting_text =
    "learning_rate=.01\nmomentum=.9\ndecay=.0005\nagc=.2\ninit=lecun_normal\n"
    "[local_whitening]\nsize=5\n"
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=selu\n"
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=selu\n"
    "[convolutional]\nfilters=30\nsize=1\nstride=1\nactivation=linear\n%s";
static const char *const heads[] = {
    "[yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 12,12\nclasses=5\nnum=3\nmax=30\n",
    "[region]\nanchors=1,1, 2,2, 3,3\nclasses=5\ncoords=4\nnum=3\nsoftmax=1\n"
    "object_scale=5\nnoobject_scale=1\nclass_scale=1\ncoord_scale=1\nthresh=.6\n",
};

/* In place of the host's cuda_make_array: an array that is made without values holds NaN,
 * so that what is read before it is written shows. pjreddie's tree clears it, AlexeyAB's
 * leaves what was there. */
float *__real_cuda_make_array(float *x, size_t n);
float *__wrap_cuda_make_array(float *x, size_t n);
float *__wrap_cuda_make_array(float *x, size_t n)
{
    float *made = __real_cuda_make_array(x, n), *nans;
    if (x || !made || !n) return made;
    nans = malloc(n * sizeof *nans);
    memset(nans, 0xff, n * sizeof *nans);
    cuda_push_array(made, nans, n);
    free(nans);
    return made;
}

/* -1: the CPU. */
static void use_device(int index)
{
    if (index >= 0) cuda_set_device(index);
    gpu_index = index;
}

static network *net_on(int device, const char *text)
{
    use_device(device);
    return net_of(BATCH, CHANNELS, SIDE, SIDE, text);
}

enum { OF_IMAGES, OF_PIXELS, OF_BOXES };

/* `count` images, each with a square at its class's place in noise. The truth is
 * the class; or of each pixel the class within the square, 0 elsewhere; or the
 * square, and 29 boxes that are none. */
static data images_of(int count, int truth)
{
    static const int columns[] = { CLASSES, CLASSES * SIDE * SIDE, 150 };
    data d;
    float *x = normals((size_t)count * CHANNELS * SIDE * SIDE, 3);
    int i, c, p;
    memset(&d, 0, sizeof d);
    d.X = make_matrix(count, CHANNELS * SIDE * SIDE);
    d.y = make_matrix(count, columns[truth]);
    for (i = 0; i < count; ++i) {
        int kind = i * 7 % CLASSES;
        for (p = 0; p < d.X.cols; ++p) d.X.vals[i][p] = .2f * x[i * d.X.cols + p];
        for (c = 0; c < CHANNELS; ++c) {
            for (p = 0; p < SIDE * SIDE; ++p) {
                int inside = p / SIDE / 8 == kind / 3 && p % SIDE / 8 == kind % 3;
                d.X.vals[i][c * SIDE * SIDE + p] += (float)(inside * (c + 1));
                if (truth == OF_PIXELS) d.y.vals[i][(inside ? kind : 0) * SIDE * SIDE + p] = 1;
            }
        }
        if (truth == OF_IMAGES) d.y.vals[i][kind] = 1;
        if (truth == OF_BOXES) {
            const float box[] = { (float)(kind % 3 * 8 + 4) / SIDE,
                                  (float)(kind / 3 * 8 + 4) / SIDE, 8.f / SIDE,
                                  8.f / SIDE, (float)kind };
            memcpy(d.y.vals[i], box, sizeof box);
        }
    }
    free(x);
    return d;
}

static void pull(network *net)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        layer l = net->layers[i];
        if (!l.weights_gpu || !l.nweights) continue;
        cuda_pull_array(l.weights_gpu, l.weights, (size_t)l.nweights);
        cuda_pull_array(l.biases_gpu, l.biases, (size_t)l.n);
    }
}

/* |a - b| / |b| of all convolutions' weights; the device's were pulled. */
static double distance(const network *a, const network *b)
{
    double differences = 0, squares = 0;
    int i, k;
    for (i = 0; i < a->n; ++i) {
        const layer *l = &a->layers[i];
        if (!l->weights || !l->nweights || l->type == SHORTCUT) continue;
        for (k = 0; k < l->nweights; ++k) {
            double want = b->layers[i].weights[k], d = l->weights[k] - want;
            differences += d * d;
            squares += want * want;
        }
    }
    return sqrt(differences / squares);
}

TEST(weights_of_init_are_on_the_device)
{
    static const char *const forms[] = {
        "lecun_normal", "he_normal", "glorot_uniform", "orthogonal",
        "standardized_normal"
    };
    char text[1024];
    size_t i;
    int k;
    for (i = 0; i < COUNT(forms); ++i) {
        network *net;
        snprintf(text, sizeof text, "init=%s\n"
                 "[convolutional]\nfilters=6\nsize=3\npad=1\nstride=1\nactivation=selu\n"
                 "[convolutional]\nfilters=4\nsize=3\ngroups=2\npad=1\nstride=1\nactivation=selu\n"
                 TEXT_UNLESS_ALEXEYAB("[deconvolutional]\nfilters=4\nsize=2\nstride=2\nactivation=selu\n")
                 "[connected]\noutput=5\nactivation=linear\n", forms[i]);
        net = net_on(0, text);
        for (k = 0; k < net->n; ++k) {
            layer l = net->layers[k];
            int n = l.type == CONNECTED ? l.inputs * l.outputs : l.nweights;
            float *got = calloc((size_t)n, sizeof *got);
            cuda_pull_array(l.weights_gpu, got, (size_t)n);
            CHECK(!memcmp(got, l.weights, (size_t)n * sizeof *got));
            cuda_pull_array(l.biases_gpu, got, 4);
            CHECK(got[0] == 0 && got[3] == 0);
            free(got);
        }
        net_free(net);
    }
}

/* Sums are taken in another order in every layer, and each iteration carries on
 * what differs. */
static void train_on_both(const char *text, int truth)
{
    data d = images_of(BATCH, truth);
    network *cpu = net_on(-1, text), *first = net_on(-1, text);
    network *gpu = net_on(0, text);
    int step;
    for (step = 0; step < ITERATIONS; ++step) {
        float want, got;
        use_device(-1);
        want = family_train(cpu, d);
        use_device(0);
        got = family_train(gpu, d);
        CHECK_NEAR(got, want, 1e-4 * (1 + want));
    }
    pull(gpu);
    CHECK_NEAR(distance(gpu, cpu), 0, 1e-5);
    CHECK(distance(first, cpu) > .03);
    free_data(d);
    net_free(gpu);
    use_device(-1);
    net_free(cpu);
    net_free(first);
}

TEST(training_gives_the_losses_and_weights_of_the_cpu)
{
    train_on_both(net_text, OF_IMAGES);
}

TEST(segmentation_trains_as_on_the_cpu)
{
    train_on_both(segmenting_text, OF_PIXELS);
}

TEST(detection_trains_as_on_the_cpu)
{
    char text[2048];
    size_t i;
    if (!FAMILY_HAS_CPU_YOLO) SKIP("AlexeyAB's [yolo] has no activations on the CPU in a build for GPUs");
    for (i = 0; i < COUNT(heads); ++i) {
        snprintf(text, sizeof text, detecting_text, heads[i]);
        train_on_both(text, OF_BOXES);
    }
}

static void predict_both(network *cpu, network *gpu, int side)
{
    size_t n = (size_t)BATCH * CHANNELS * (size_t)side * (size_t)side;
    int k, outputs = net_last(cpu)->outputs * BATCH;
    float *x = normals(n, 5), *want = calloc((size_t)outputs, sizeof *want);
    use_device(-1);
    memcpy(want, snn_predict(cpu, x), (size_t)outputs * sizeof *want);
    use_device(0);
    {
        const float *got = snn_predict(gpu, x);
        for (k = 0; k < outputs; ++k) CHECK_NEAR(got[k], want[k], 1e-4);
    }
    free(x);
    free(want);
}

TEST(predictions_follow_a_resize)
{
    static const int sides[] = { 32, 12, SIDE };
    network *cpu = net_on(-1, resizable_text), *gpu = net_on(0, resizable_text);
    size_t i;
    for (i = 0; i < COUNT(sides); ++i) {
        int saved = quiet_begin();
        use_device(-1);
        resize_network(cpu, sides[i], sides[i]);
        use_device(0);
        resize_network(gpu, sides[i], sides[i]);
        quiet_end(saved);
        predict_both(cpu, gpu, sides[i]);
    }
    net_free(gpu);
    use_device(-1);
    net_free(cpu);
}

/* The largest gradient of what layer 0 passes on. */
static float largest_gradient(const network *net)
{
    const layer *l = &net->layers[0];
    int n = l->batch * l->outputs, k;
    float most = 0;
    cuda_pull_array(l->delta_gpu, l->delta, (size_t)n);
    for (k = 0; k < n; ++k) most = fmaxf(most, fabsf(l->delta[k]));
    return most;
}

TEST(gradient_of_a_whitened_input_is_left_out_of_a_training)
{
    data d = images_of(BATCH, OF_IMAGES);
    network *all = net_on(0, net_text), *planned = net_on(0, net_text);
    snn_plan_training(planned);
    family_train(all, d);
    family_train(planned, d);
    CHECK(largest_gradient(all) > 0);
    CHECK(largest_gradient(planned) == 0);
    pull(all);
    pull(planned);
    CHECK(distance(planned, all) == 0);
    free_data(d);
    net_free(planned);
    net_free(all);
}

TEST(files_hold_what_was_trained_on_the_device)
{
    char path[] = "/tmp/snn-weights-XXXXXX";
    data d = images_of(BATCH, OF_IMAGES);
    network *gpu = net_on(0, net_text), *cpu = net_on(-1, net_text);
    int saved;
    close(mkstemp(path));
    use_device(0);
    family_train(gpu, d);
    saved = quiet_begin();
    snn_save_weights(gpu, path);
    use_device(-1);
    load_weights(cpu, path);
    quiet_end(saved);
    CHECK(distance(gpu, cpu) == 0);
    predict_both(cpu, gpu, SIDE);
    unlink(path);
    free_data(d);
    net_free(gpu);
    use_device(-1);
    net_free(cpu);
}

/* ---------------------------------------------------------------- several GPUs */

/* The mask of layer 2, the first [alpha_dropout]. */
static void pull_mask(network *net, uint32_t *mask, size_t words)
{
    use_device(net->gpu_index);
    cuda_pull_array(net->layers[2].rand_gpu, (float *)(void *)mask, words);
}

TEST(several_gpus_draw_masks_of_their_own_and_end_alike)
{
    enum { WORDS = BATCH * 8 * SIDE * SIDE / 32 };
    static uint32_t masks[3][WORDS];
    network *nets[2], *alone;
    data d, half;
    int devices = 0, i, step;
#ifdef CUDA_HOST_H
    cuda_host_devices = 2;
#endif
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices < 2) {
        SKIP("one CUDA device");
    }
    d = images_of(2 * BATCH, OF_IMAGES);
    half = d;
    half.X.rows = half.y.rows = BATCH;
    for (i = 0; i < 2; ++i) nets[i] = net_on(i, net_text);
    alone = net_on(0, net_text);
    for (step = 0; step < 4; ++step) {
        family_train_both(nets, d);
        for (i = 0; i < 2; ++i) pull_mask(nets[i], masks[i], WORDS);
        CHECK(memcmp(masks[0], masks[1], sizeof masks[0]));
        if (step) continue;
        use_device(0);
        family_train(alone, half);
        pull_mask(alone, masks[2], WORDS);
        CHECK(!memcmp(masks[0], masks[2], sizeof masks[0]));
        pull(alone);
        pull(nets[0]);
        use_device(1);
        pull(nets[1]);
        CHECK(distance(nets[0], alone) == 0);
        CHECK(distance(nets[1], nets[0]) > 1e-3);
    }
    /* after four iterations weights are averaged */
    for (i = 0; i < 2; ++i) {
        use_device(i);
        pull(nets[i]);
    }
    CHECK(distance(nets[1], nets[0]) == 0);
    use_device(0);
    net_free(nets[0]);
    net_free(alone);
    use_device(1);
    net_free(nets[1]);
    use_device(0);
    free_data(d);
}

static int has_gpu(void)
{
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!has_gpu()) test_skip_all = "no CUDA device";
    RUN(weights_of_init_are_on_the_device);
    RUN(training_gives_the_losses_and_weights_of_the_cpu);
    RUN(segmentation_trains_as_on_the_cpu);
    RUN(detection_trains_as_on_the_cpu);
    RUN(predictions_follow_a_resize);
    RUN(gradient_of_a_whitened_input_is_left_out_of_a_training);
    RUN(files_hold_what_was_trained_on_the_device);
    RUN(several_gpus_draw_masks_of_their_own_and_end_alike);
    return test_report();
}
