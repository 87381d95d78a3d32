/* What scripts/corpus.py asks the host about a net.
 *
 *     corpus_driver CFG [LIST STEPS]
 *
 * Prints "layer TYPE OUTPUTS CHANNELS HEIGHT WIDTH" for each layer. Then, where
 * LIST names image files, takes STEPS training steps of one mini-batch of them
 * each and prints "loss LOSS" after each step. The truths fit the last layer:
 * boxes from the labels beside images/, or one class an image.
 */
#include "family.h"
#include "snn_files.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_trial.h"

#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- truths, as the host's loaders leave them ------------------------------ */

/* x y w h class, the rest zeros; `stride` values a box. */
static void put_list(float *truth, int room, int stride, const box_label *boxes, int n)
{
    int i;
    for (i = 0; i < n && (i + 1) * stride <= room; ++i) {
        const box_label *b = &boxes[i];
        const float values[5] = { b->x, b->y, b->w, b->h, (float)b->id };
        memcpy(truth + i * stride, values, sizeof values);
    }
}

/* [detection]: for each cell whether it has an object, its class, its box. */
static void put_cells(float *truth, const layer *l, const box_label *boxes, int n)
{
    int i, values = 1 + l->classes + l->coords;
    for (i = 0; i < n; ++i) {
        const box_label *b = &boxes[i];
        int column = (int)(b->x * l->side), row = (int)(b->y * l->side);
        float *cell = truth + (row * l->side + column) * values;
        const float box[4] = { b->x * l->side - column, b->y * l->side - row, b->w, b->h };
        if (column >= l->side || row >= l->side || cell[0] > 0) continue;
        cell[0] = 1;
        if (l->classes) cell[1 + b->id % l->classes] = 1;
        memcpy(cell + 1 + l->classes, box, sizeof box);
    }
}

/* One class of `count`, the next one for each image. */
static void put_class(float *truth, int count, size_t number)
{
    truth[number % (size_t)count] = 1;
}

static void put_truth(float *truth, int count, const layer *last, const char *picture,
                      size_t number)
{
    char *labels = snn_sibling(picture, "labels", ".txt");
    box_label *boxes;
    int n;
    memset(truth, 0, (size_t)count * sizeof *truth);
    if (family_finds_boxes(last)) {
        boxes = read_boxes(labels, &n);
        if (last->type == DETECTION) put_cells(truth, last, boxes, n);
        else put_list(truth, count, snn_truth_stride(last), boxes, n);
        free(boxes);
    } else if (last->type == SOFTMAX || last->type == COST) {
        put_class(truth, count, number);
    } else {
        snn_fatal("expected a net that ends in a loss of boxes or classes");
    }
    free(labels);
}

/* ---- steps --------------------------------------------------------------- */

static int truths_of(const network *net)
{
    const layer *last = &net->layers[net->n - 1];
    return last->truths ? last->truths : last->outputs;
}

static void train(network *net, char *list, int steps)
{
    size_t inputs = (size_t)net->inputs, truths = (size_t)truths_of(net);
    size_t batch = (size_t)net->batch, next = 0, i;
    float *input = (float *)snn_alloc(inputs * batch, sizeof *input);
    float *truth = (float *)snn_alloc(truths * batch, sizeof *truth);
    snn_text files;
    if (!snn_text_read(list, &files) || !files.count) snn_fatal("%s: expected a list of images", list);
    while (steps--) {
        for (i = 0; i < batch; ++i, ++next) {
            char *file = files.lines[next % files.count];
            image picture = load_image(file, net->w, net->h, net->c);
            memcpy(input + i * inputs, picture.data, inputs * sizeof *input);
            free_image(picture);
            put_truth(truth + i * truths, (int)truths, &net->layers[net->n - 1], file, next);
        }
        printf("loss %g\n", family_train_datum(net, input, truth));
    }
    snn_text_free(&files);
    free(input);
    free(truth);
}

int main(int argc, char **argv)
{
    network *net;
    int i;
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: corpus_driver CFG [LIST STEPS]\n");
        return 2;
    }
    net = snn_train_network(argv[1], 0);
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        printf("layer %s %d %d %d %d\n", snn_layer_name(l), l->outputs, l->out_c, l->out_h, l->out_w);
    }
    if (argc == 4) train(net, argv[2], atoi(argv[3]));
    return 0;
}
