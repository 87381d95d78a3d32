#include "snn_verbs.h"
#include "snn_cfg.h"
#include "snn_command.h"
#include "snn_hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *does;
    const char *example;
} verb;

static const verb verbs[] = {
    { "map", snn_map,
      "DATA CFG WEIGHTS [--iou .5] [--points 0|11|101] [--coco] [--json FILE] "
      "[--detections FILE] [--per-image FILE]",
      "average precision of a detector on the images of the data file's valid "
      "list",
      "darknet snn map build/data/uneven/scenes.data cfg/tiny-yolo-snn.cfg "
      "build/demo/snn.weights --coco" },
    { "convert", snn_convert,
      "IN.cfg OUT.cfg [--learning-rate R] [--agc A] "
      "[--whiten both|local|global|none] "
      "[--pool keep|stride] [--dropout keep|P] [--keep-batchnorm] "
      "[--keep-activations] [--keep-dropout] [--keep-init] [--keep-agc] "
      "[--keep-centre] [--keep-input] [--keep-head] [--keep-sums] [--keep-rate] [--keep-noise] "
      "[--data DATA] [--weights IN.weights OUT.weights]",
      "makes a cfg with batch normalization one without: each change with its "
      "reason; --data measures init_gain= on images of the data file's train list, and "
      "leaves noise= out where each of them is seen less than 15 times; "
      "--weights folds trained weights for a warm start",
      "darknet snn convert cfg/tiny-yolo.cfg tiny-yolo-snn.cfg "
      "--learning-rate .04" },
    { "fold", snn_fold, "IN.cfg IN.weights OUT.cfg OUT.weights",
      "folds batch normalization into weights and biases; checks that the "
      "outputs stay",
      "darknet snn fold cfg/tiny-yolo.cfg build/demo/bn/cfg_final.weights "
      "folded.cfg folded.weights" },
    { "iou", snn_iou, "DATA CFG WEIGHTS [--json FILE] [--masks DIR] "
      "[--per-image FILE]",
      "IoU and Dice of a segmenter on the images of the data file's valid list",
      "darknet snn iou build/data-unet/uneven/segments.data cfg/unet-snn.cfg "
      "build/demo-unet/snn/cfg.weights --masks masks" },
    { "check", snn_verb_check, "CFG",
      "every mistake and warning in a cfg, with file and line",
      "darknet snn check cfg/tiny-yolo-snn.cfg" },
    { "init", snn_verb_init,
      "DATA CFG OUT.weights [--images 16] [--target second_moment|variance] "
      "[--tolerance .05] [--iterations 10] [--start orthogonal|cfg] "
      "[--centre 1|0] [--seed 0]",
      "weights that keep every layer at unit variance on images of the data "
      "file's train list",
      "darknet snn init build/data/uneven/scenes.data cfg/tiny-yolo-snn.cfg "
      "start.weights" },
    { "probe", snn_verb_probe,
      "DATA CFG [WEIGHTS] [--images 16] [--csv FILE] [--plot FILE.png]",
      "mean, variance and gradient of every layer on images of the data file's "
      "train list, and the first layer that leaves the fixed point",
      "darknet snn probe build/data/uneven/scenes.data cfg/tiny-yolo-snn.cfg "
      "--plot probe.png" },
    { "look", snn_look, "DATA [CFG] [--out FILE.html] [--as boxes|masks|classes]",
      "a data set as a page: counts by class, sizes of boxes and anchors that fit, pictures with "
      "their boxes or masks, mistakes; --as: what it has, where neither a cfg nor its files tell",
      "darknet snn look build/data/uneven/scenes.data cfg/tiny-yolo-snn.cfg --out look.html" },
    { "gradcheck", snn_gradcheck, "CFG [--layer N]",
      "back-propagation against central differences, upstream's layers included",
      "darknet snn gradcheck cfg/tiny-yolo-snn.cfg" },
    { "export", snn_verb_export,
      "CFG WEIGHTS OUT.onnx [--decode] [--batch N|dynamic] [--size W H] [--fp16] [--names FILE]",
      "the trained net as ONNX, for ONNX Runtime, OpenCV, OpenVINO, ncnn; --decode: boxes and "
      "scores. Runs scripts/export_onnx.py, which needs Python's onnx",
      "darknet snn export cfg/tiny-yolo-snn.cfg build/demo/snn.weights tiny-yolo.onnx --decode" },
    { "strip", snn_strip, "IN.cfg OUT.cfg [--weights IN.weights OUT.weights]",
      "a cfg without training keys and what folds folded, for trees without the "
      "plugin; says which of them run it",
      "darknet snn strip net-snn.cfg net-stock.cfg --weights snn.weights "
      "stock.weights" },
    { "help", snn_help, "[VERB]", "this text, or one verb's usage",
      "darknet snn help map" },
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static const verb *find_verb(const char *name)
{
    int i;
    for (i = 0; i < VERBS; ++i) {
        if (!strcmp(verbs[i].name, name)) return &verbs[i];
    }
    return NULL;
}

static void print_verb(FILE *out, const verb *v)
{
    fprintf(out, "usage: darknet snn %s %s\n  %s\n  example: %s\n", v->name,
            v->arguments, v->does, v->example);
}

int snn_usage(const char *name)
{
    print_verb(stderr, find_verb(name));
    return 2;
}

static void print_verbs(FILE *out)
{
    int i;
    fputs("usage: darknet snn VERB ...\n\n", out);
    for (i = 0; i < VERBS; ++i) fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].does);
    fputs("\ndarknet snn help VERB prints a verb's arguments and an example.\n", out);
}

int snn_help(int argc, char **argv)
{
    if (argc > 2) return snn_usage("help");
    if (argc == 2) {
        const verb *v = find_verb(argv[1]);
        if (!v) {
            fprintf(stderr, "snn help: expected a verb, got \"%s\"\n", argv[1]);
            return 2;
        }
        print_verb(stdout, v);
        return 0;
    }
    print_verbs(stdout);
    return 0;
}

int snn_main(int argc, char **argv)
{
    const char *names[VERBS + 1];
    const char *near;
    const verb *v;
    int i;
    if (strcmp(argv[1], "snn")) snn_unknown_command(argv);
    /* What the host has read, -nogpu and -i, it takes out and leaves NULL for. */
    while (!argv[argc - 1]) --argc;
    if (argc < 3) {
        print_verbs(stderr);
        exit(2);
    }
    v = find_verb(argv[2]);
    if (v) exit(v->run(argc - 2, argv + 2));
    for (i = 0; i < VERBS; ++i) names[i] = verbs[i].name;
    names[VERBS] = NULL;
    near = snn_nearest(argv[2], names);
    fprintf(stderr, "snn: expected a verb, got \"%s\"", argv[2]);
    if (near) fprintf(stderr, ", did you mean \"%s\"?", near);
    fputs("; darknet snn help lists them\n", stderr);
    exit(2);
}
