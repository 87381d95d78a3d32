#include "snn_sample.h"
#include "snn_files.h"
#include "snn_set.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BYTES (1024. * 1024 * 1024)

/* Outputs and deltas. */
static double bytes_per_image(const network *net)
{
    double sum = net->inputs;
    int i;
    for (i = 0; i < net->n; ++i) sum += net->layers[i].outputs;
    return sum * 2 * sizeof(float);
}

static void load_pictures(const snn_trial *p, const snn_data *data)
{
    const network *net = p->net;
    size_t size = (size_t)net->inputs, count = (size_t)net->batch, i;
    for (i = 0; i < count; ++i) {
        char *file = data->images.lines[i * data->images.count / count];
        image picture = load_image(file, net->w, net->h, net->c);
        memcpy(p->input + i * size, picture.data, size * sizeof(float));
        free_image(picture);
    }
}

static snn_trial *trial_of(const snn_data *data, char *cfg, char *weights, int images)
{
    double affordable;
    network *net;
    snn_trial *p;
    if ((size_t)images > data->images.count) images = (int)data->images.count;
    snn_use_cpu();
    net = snn_train_network(cfg, images);
    if (!net->w || !net->h || net->c * net->w * net->h != net->inputs) {
        snn_report(cfg, 0, "expected a network that takes images");
        return NULL;
    }
    if (net->c != 1 && net->c != 3) {
        snn_report(cfg, 0, "[net] channels: expected 1 or 3, as images are loaded, got %d", net->c);
        return NULL;
    }
    affordable = MOST_BYTES / bytes_per_image(net);
    if (images > affordable) {
        images = affordable < 1 ? 1 : (int)affordable;
        set_batch_network(net, images);
    }
    if (weights) load_weights(net, weights);
    p = snn_trial_new(net);
    load_pictures(p, data);
    return p;
}

snn_trial *snn_sample(char *data_file, char *cfg, char *weights, int images)
{
    const snn_task task = { SNN_IMAGES, 0, 0, NULL };
    snn_data data;
    size_t mistakes = 0;
    snn_trial *p = NULL;
    memset(&data, 0, sizeof data);
    snn_need_file(&mistakes, cfg);
    if (weights) snn_need_file(&mistakes, weights);
    snn_data_read(&mistakes, data_file, "train", 0, &data);
    snn_set_check(&mistakes, &data, &task);
    if (!mistakes) p = trial_of(&data, cfg, weights, images);
    snn_data_free(&data);
    return p;
}
