#include "snn_command_files.h"
#include "snn_commands.h"
#include "snn_device.h"
#include "snn_folders.h"
#include "snn_gate.h"
#include "snn_hooks.h"
#include "snn_messages.h"
#include "snn_paths.h"
#include "snn_pictures.h"
#include "snn_png.h"
#include "snn_results.h"
#include "snn_set.h"
#include "snn_command_net.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* set        what the .data file and the cfg say; the former's classes are the net's
 *            where that has its own
 * cfg        NULL where it cannot be read
 * last       the last section, where it finds boxes, or NULL */
typedef struct {
    const snn_command *work;
    size_t mistakes;
    snn_data set;
    snn_cfg *cfg;
    const snn_section *last;
} check;

static char *kept_list;
static int kept_outputs;

char *snn_valid_list(void) { return kept_list; }
int snn_command_outputs(void) { return kept_outputs; }

static int trains(const check *c) { return !strcmp(c->work->verb, "train"); }

static int validates(const check *c) { return !strncmp(c->work->verb, "valid", 5); }

/* ---- the cfg ------------------------------------------------------------- */

static void open_cfg(check *c, const char *file)
{
    c->cfg = snn_cfg_read(file);
    if (!c->cfg) {
        snn_mistake(&c->mistakes, file, 0, "expected a cfg, got \"%s\"", strerror(errno));
    } else if (c->cfg->count) {
        c->last = snn_finder(c->cfg);
    }
}

static void check_cfg(check *c)
{
    int detects = !strcmp(c->work->command, "detector"), classifies = !strcmp(c->work->command, "classifier");
    if (!c->cfg || !c->cfg->count) return;
    if (detects || classifies || !trains(c)) snn_check_channels(&c->mistakes, c->cfg, detects || classifies);
    if (detects || classifies) snn_check_kind(&c->mistakes, c->cfg, detects);
    if (!trains(c)) return;
    snn_check_schedule(&c->mistakes, c->cfg, detects);
    snn_check_augmentation(&c->mistakes, c->cfg);
    if (detects) snn_check_random(&c->mistakes, c->cfg);
    if (detects) snn_check_truths(&c->mistakes, c->cfg);
    else snn_check_loss(&c->mistakes, c->cfg);
    if (classifies) snn_check_square(&c->mistakes, c->cfg);
}

/* ---- the .data file ------------------------------------------------------ */

/* classes= has to be the net's; without it, it is that, or what the host takes. */
static void check_classes(check *c, long of_net, long fallback)
{
    const snn_setting *classes = snn_data_find(&c->set, "classes");
    if (classes || !fallback) snn_data_classes(&c->mistakes, &c->set);
    if (classes && of_net && c->set.classes && c->set.classes != of_net) {
        snn_mistake(&c->mistakes, c->set.file, classes->line, "classes: expected %ld, as the net in %s, got "
                    "\"%s\"", of_net, c->cfg->file, classes->value);
    }
    if (of_net) c->set.classes = (int)of_net;
    else if (!c->set.classes) c->set.classes = (int)fallback;
}

/* Of a file that the host would take by default as well. */
static void check_names(check *c, const char *key, const char *file, int needed)
{
    const snn_setting *given = snn_data_find(&c->set, key);
    snn_setting names = { key, file, 0 };
    if (given) names = *given;
    if (given || (needed && snn_exists(file))) snn_data_names(&c->mistakes, &c->set, &names);
    else if (needed) {
        snn_mistake(&c->mistakes, c->set.file, 0, "%s: expected the file with the names of the classes, got "
                    "none", key);
    }
}

/* Weights are written as FOLDER/NAME_NUMBER.weights. Without the key the host has a
 * folder of its own, with an empty one "". */
static void check_backup(check *c)
{
    static const char longest[] = "/_2147483647.weights";
    const snn_setting *setting = snn_data_find(&c->set, "backup");
    const char *given = setting ? setting->value : NULL, *folder = given ? given : "/backup/";
    const char *cfg = c->work->arguments[1], *slash = strrchr(cfg, '/');
    size_t name = strlen(slash ? slash + 1 : cfg) + sizeof longest;
    int line = snn_data_line(&c->set, "backup"), error;
    if (strlen(folder) + name > SNN_NAME_BYTES) {
        snn_mistake(&c->mistakes, c->set.file, line, "backup: expected a path of at most %d bytes, as the host "
                    "has room for with the names of weights, got %zu", (int)(SNN_NAME_BYTES - name),
                    strlen(folder));
        return;
    }
    if (given && strchr("\"'~$", *given) && access(given, F_OK)) {
        snn_mistake(&c->mistakes, c->set.file, line, "backup: expected a folder for weights, got \"%s\"%s", given,
                    *given ? snn_path_hint(given, NULL) : "");
        return;
    }
    if (!given) snn_warning(&c->mistakes, c->set.file, 0, "backup: expected a folder for weights, got none: \"%s\"", folder);
    error = snn_folder_need(folder);
    if (!error) return;
    snn_mistake(&c->mistakes, c->set.file, line, "backup: expected a folder for weights that can be written, "
                "got %s%s%s: %s", given ? "\"" : "none, \"", folder, "\"", strerror(error));
}

/* ---- commands ------------------------------------------------------------ */

/* `learns`: it is what the net is trained on. */
static void check_images(check *c, const char *key, snn_truths truths, int learns)
{
    /* In training, both families leave out smaller boxes (fill_truth_detection). */
    snn_task task = { truths, 0, learns ? .001 : 0, c->work->arguments[1] };
    /* [detection] takes as many as it has cells. */
    if (learns && c->last && strcmp(c->last->name, "detection")) {
        task.max_boxes = (int)snn_long_of(c->last, "max", strcmp(c->last->name, "region") ? snn_family.max_boxes
                                                        : snn_family.region_max_boxes);
    }
    snn_data_images(&c->mistakes, &c->set, key);
    snn_set_check(&c->mistakes, &c->set, &task);
}

/* What the host will measure on while it trains; ours has it checked by snn_watch.h. */
static void check_measured(check *c, snn_truths truths)
{
    const snn_setting *valid = snn_data_find(&c->set, "valid"), *train = snn_data_find(&c->set, "train");
    snn_text images = c->set.images;
    const char *list = c->set.list;
    if (!c->work->measures || !snn_family.measures || !valid || (train && !strcmp(valid->value, train->value))) return;
    memset(&c->set.images, 0, sizeof c->set.images);
    check_images(c, "valid", truths, 0);
    snn_text_free(&c->set.images);
    c->set.images = images;
    c->set.list = list;
}

/* A file that the host opens without asking whether it is there. */
static void check_file(check *c, const char *key)
{
    const snn_setting *s = snn_data_find(&c->set, key);
    if (!s || snn_is_readable(s->value)) return;
    snn_mistake(&c->mistakes, c->set.file, s->line, "%s: expected a file, got \"%s\": %s%s", key, s->value, snn_why(errno),
                *s->value ? snn_path_hint(s->value, c->set.file) : "");
}

static void check_detector(check *c)
{
    static const char *const of_labels[] = { "recall", "map", NULL };
    const char *verb = c->work->verb;
    long classes = c->last ? snn_long_of(c->last, "classes", 20) : 0;
    check_classes(c, classes, classes ? classes : 20);
    check_names(c, "names", "data/names.list", (trains(c) ? c->work->measures && snn_family.measures : strcmp(verb, "recall") != 0) &&
                strcmp(verb, "calc_anchors"));
    if (trains(c)) check_backup(c);
    if (trains(c)) check_images(c, "train", c->last ? SNN_BOXES : SNN_IMAGES, 1);
    else if (!strcmp(verb, "calc_anchors")) check_images(c, "train", SNN_BOXES, 0);
    else if (snn_is_listed(of_labels, verb)) check_images(c, "valid", SNN_BOXES, 0);
    else if (validates(c)) check_images(c, "valid", SNN_IMAGES, 0);
    if (trains(c)) check_measured(c, SNN_BOXES);
    if (validates(c)) {
        check_file(c, "map");
        snn_results_check(&c->mistakes, &c->set);
    }
}

static void check_top(check *c)
{
    const char *given = snn_data_value(&c->set, "top", NULL);
    char *end = NULL;
    long top = c->work->top ? c->work->top : given ? strtol(given, &end, 10) : 1;
    int line = c->work->top ? 0 : snn_data_line(&c->set, "top"), is_number = !end || (end != given && !*end);
    const char *file = c->work->top ? "-t" : c->set.file;
    char got[32];
    snprintf(got, sizeof got, "%ld", top);
    if (trains(c) || !c->set.classes || (is_number && top >= 1 && top <= c->set.classes)) return;
    if (!is_number || top < 1 || !snn_family.limits_top) {
        snn_mistake(&c->mistakes, file, line, "top: expected 1 to %d, the number of classes, got \"%s\"",
                    c->set.classes, is_number ? got : given);
    } else {
        snn_warning(&c->mistakes, file, line, "top: expected 1 to %d, the number of classes, got \"%s\"",
                    c->set.classes, got);
    }
}

static int has_section(const snn_cfg *cfg, const char *name)
{
    int i;
    for (i = 0; cfg && i < cfg->count; ++i) {
        if (!strcmp(cfg->sections[i].name, name)) return 1;
    }
    return 0;
}

/* The last argument of `classifier try`. */
static void check_layer(check *c)
{
    char *end;
    long layer = strtol(c->work->arguments[4], &end, 10);
    if (!c->cfg || (!*end && layer >= 0 && layer < c->cfg->count - 1)) return;
    snn_mistake(&c->mistakes, c->work->arguments[1], 0, "expected a layer from 0 to %d, got \"%s\"", c->cfg->count - 2,
                c->work->arguments[4]);
}

static void check_classifier(check *c)
{
    /* Of a tree or of tags, paths name more than one class; of contrastive learning none. */
    int by_path = !snn_data_value(&c->set, "tree", NULL) && !snn_data_value(&c->set, "tag", NULL) && !has_section(c->cfg, "contrastive");
    int predicts = !strcmp(c->work->verb, "predict");
    check_classes(c, c->cfg && by_path ? snn_classifier_outputs(c->cfg) : 0, 2);
    if (by_path && (trains(c) || validates(c))) kept_outputs = c->set.classes;
    if (predicts && snn_data_value(&c->set, "names", NULL)) check_names(c, "names", "", 1);
    else if (!snn_data_value(&c->set, "tag", NULL)) check_names(c, "labels", "data/labels.list", 1);
    check_top(c);
    check_file(c, "tree");
    check_file(c, "leaves");
    if (!strcmp(c->work->verb, "try")) check_layer(c);
    if (trains(c)) check_backup(c);
    if (trains(c)) check_images(c, "train", by_path ? SNN_CLASSES : SNN_IMAGES, 1);
    else if (validates(c)) check_images(c, "valid", by_path ? SNN_CLASSES : SNN_IMAGES, 0);
    if (trains(c)) check_measured(c, by_path ? SNN_CLASSES : SNN_IMAGES);
    if (!strcmp(c->work->verb, "validcrop") && c->set.images.count < 1000) {
        snn_mistake(&c->mistakes, c->set.list, 0, "expected at least 1000 images for validcrop, got %zu",
                    c->set.images.count);
    }
}

static void check_others(check *c)
{
    int segments = !strcmp(c->work->command, "segmenter");
    if (!trains(c)) return;
    if (segments) snn_data_classes(&c->mistakes, &c->set);
    check_backup(c);
    check_images(c, "train", segments ? SNN_MASKS : SNN_IMAGES, 1);
}

#ifdef GPU
static void check_gpus(const snn_command *w)
{
    int devices = 0;
    const char *at = w->gpus;
    char *end;
    if (!at) return;
    if (!snn_on_gpu()) {
        fprintf(stderr, "darknet: -gpus: expected it without -nogpu or -i -1, got \"%s\"\n", w->gpus);
        exit(2);
    }
    if (cudaGetDeviceCount(&devices) != cudaSuccess) devices = 0;
    for (;; at = end + 1) {
        long number = strtol(at, &end, 10);
        if (end == at || number < 0 || number >= devices || (*end && *end != ',')) {
            fprintf(stderr, "darknet: -gpus: expected numbers from 0 to %d with commas between them, as there %s %d CUDA "
                    "device%s, got \"%s\"\n", devices - 1, devices == 1 ? "is" : "are", devices, devices == 1 ? "" : "s",
                    w->gpus);
            exit(2);
        }
        if (!*end) return;
    }
}
#else
static void check_gpus(const snn_command *w)
{
    if (!w->gpus) return;
    if (strchr(w->gpus, ',')) {
        fprintf(stderr, "darknet: -gpus: expected a build with CUDA (GPU=1), got \"%s\" in one without\n", w->gpus);
        exit(2);
    }
    fprintf(stderr, "darknet: warning: -gpus: expected a build with CUDA (GPU=1), got \"%s\" in one without: "
            "training on the CPU\n", w->gpus);
}
#endif

static void check_length(check *c, const char *what, const char *path)
{
    if (!path || strlen(path) < SNN_NAME_BYTES - 5) return;
    snn_mistake(&c->mistakes, what, 0, "expected a path of at most %d bytes, got %zu", SNN_NAME_BYTES - 6,
                strlen(path));
}

static void check_weights(check *c, const char *file)
{
    if (snn_need_file(&c->mistakes, file) && snn_is_picture(file)) {
        snn_mistake(&c->mistakes, file, 0, "expected weights, which stand before the image, got an image");
    }
}

/* Without OpenCV the host ends these with status 0 and not a word; detector demo it does not. */
static void check_film(check *c)
{
#ifndef SNN_IMAGES_BY_OPENCV
    static const char *const watchers[] = { "demo", "gun", "threat", NULL };
    char what[64];
    if (!strcmp(c->work->command, "detector") || !snn_is_listed(watchers, c->work->verb)) return;
    snprintf(what, sizeof what, "%s %s", c->work->command, c->work->verb);
    snn_mistake(&c->mistakes, what, 0, "expected a build with OpenCV (OPENCV=1), which films are read by");
#else
    (void)c;
#endif
}

/* The host says that it cannot write the image of its result, and ends with status 0. */
static void check_out(check *c, const char *path)
{
    char *folder, *slash;
    struct stat there;
    check_length(c, "-out", path);
    if (path && !stat(path, &there) && S_ISDIR(there.st_mode)) {
        snn_mistake(&c->mistakes, "-out", 0, "expected a file, got \"%s\": %s", path, strerror(EISDIR));
        return;
    }
    if (!path || !strchr(path, '/')) return;
    folder = (char *)snn_alloc(strlen(path) + 2, 1);
    strcpy(folder, path);
    slash = strrchr(folder, '/');
    slash[slash == folder] = '\0';
    if (access(folder, W_OK)) {
        snn_mistake(&c->mistakes, "-out", 0, "expected a file in a folder that can be written to, got \"%s\": %s", path,
                    strerror(errno));
    }
    free(folder);
}

void snn_command_check(const snn_command *w)
{
    static const char *const users[] = { "test", "predict", NULL };
    check c;
    memset(&c, 0, sizeof c);
    c.work = w;
    check_gpus(w);
    if (w->count > 1) open_cfg(&c, w->arguments[1]);
    if (w->count > 2 && strcmp(w->verb, "calc_anchors")) check_weights(&c, w->arguments[2]);
    if (w->count > 3) check_length(&c, "image", w->arguments[3]);
    check_out(&c, w->out);
    check_film(&c);
    check_cfg(&c);
    if (w->count == 2 && snn_is_listed(users, w->verb)) {
        fprintf(stderr, "darknet: warning: expected weights, got none: the net is as it is initialised\n");
        c.mistakes += (size_t)snn_is_strict();
    }
    if (snn_data_open(&c.mistakes, w->arguments[0], &c.set)) {
        if (!strcmp(w->command, "detector")) check_detector(&c);
        else if (!strcmp(w->command, "classifier")) check_classifier(&c);
        else check_others(&c);
    }
    /* What would come up next; where all is well the host's parser finds it. */
    if (c.mistakes && c.cfg) snn_gate_check(c.cfg);
    snn_count_mistakes(c.mistakes, w->arguments[0]);
    if (c.mistakes) exit(EXIT_FAILURE);
    if (c.set.list) {
        kept_list = (char *)snn_alloc(strlen(c.set.list) + 1, 1);
        strcpy(kept_list, c.set.list);
    }
    snn_cfg_free(c.cfg);
    snn_data_free(&c.set);
}
