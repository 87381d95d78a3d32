#include "snn_work.h"
#include "snn_commands.h"
#include "snn_folders.h"
#include "snn_gate.h"
#include "snn_host.h"
#include "snn_hooks.h"
#include "snn_messages.h"
#include "snn_set.h"

#include <errno.h>
#include <string.h>

/* set        what the .data file and the cfg say; the former's classes are the net's
 *            where that has its own
 * cfg        NULL where it cannot be read
 * last       the section that finds boxes, or NULL */
typedef struct {
    const snn_command *work;
    size_t mistakes;
    snn_data set;
    snn_cfg *cfg;
    const snn_section *last;
} check;

static char *kept_list;

char *snn_valid_list(void) { return kept_list; }

static int is_one_of(const char *word, const char *const *words)
{
    int i;
    for (i = 0; words[i]; ++i) {
        if (!strcmp(word, words[i])) return 1;
    }
    return 0;
}

static long number_of(const snn_section *s, const char *key, long fallback)
{
    const snn_option *o = snn_find(s, key);
    return o && *o->value ? strtol(o->value, NULL, 10) : fallback;
}

static const char *value_of(const check *c, const char *key, const char *fallback)
{
    const snn_setting *s = snn_data_find(&c->set, key);
    return s && *s->value ? s->value : fallback;
}

static int line_of(const check *c, const char *key)
{
    const snn_setting *s = snn_data_find(&c->set, key);
    return s ? s->line : 0;
}

static int trains(const check *c) { return !strcmp(c->work->verb, "train"); }

static int validates(const check *c) { return !strncmp(c->work->verb, "valid", 5); }

/* ---- the cfg ------------------------------------------------------------- */

static void open_cfg(check *c, const char *file)
{
    static const char *const finders[] = { "yolo", "Gaussian_yolo", "region", "detection", NULL };
    const snn_section *s;
    c->cfg = snn_cfg_read(file);
    if (!c->cfg) {
        snn_mistake(&c->mistakes, file, 0, "expected a cfg, got \"%s\"", strerror(errno));
        return;
    }
    if (c->cfg->count < 2) return;
    s = &c->cfg->sections[c->cfg->count - 1];
    if (is_one_of(s->name, finders)) c->last = s;
}

/* Images are loaded with as many channels as the host can; the net's input has room
 * for its own. */
static void check_channels(check *c)
{
    const snn_section *net;
    long channels;
    if (!c->cfg || !c->cfg->count) return;
    net = &c->cfg->sections[0];
    channels = number_of(net, "channels", 0);
    if (!channels || channels == 3 || (channels == 1 && SNN_LOADS_GREY)) return;
    c->mistakes += (size_t)snn_gate_mistake(net, "channels", SNN_LOADS_GREY ? "1 or 3, as images are loaded"
                                            : "3, as images are loaded");
}

/* A warning: what random=1 does is not what the net's form lets one expect. */
static void check_random(check *c)
{
    const snn_section *net = &c->cfg->sections[0];
    long w = number_of(net, "width", 0), h = number_of(net, "height", 0);
    if (!SNN_RESIZES_SQUARE || !c->last || !number_of(c->last, "random", 0)) return;
    if (w == h && w >= SNN_LEAST_SIZE && w <= SNN_MOST_SIZE) return;
    c->mistakes += (size_t)snn_gate_warning(c->last, "random", "0 in a net of %ld x %ld: training would take "
                                            "square images of %d to %d pixels", w, h, SNN_LEAST_SIZE,
                                            SNN_MOST_SIZE);
}

/* Values of a classifier's output, where its last layers tell; otherwise 0. */
static long outputs_of(const snn_cfg *cfg)
{
    static const char *const keeping[] = { "softmax", "soft", "cost", "logistic", "dropout", "alpha_dropout",
                                           "selu", "activation", NULL };
    int i, pooled = 0;
    for (i = cfg->count - 1; i > 0; --i) {
        const snn_section *s = &cfg->sections[i];
        if (!strcmp(s->name, "connected") || !strcmp(s->name, "conn")) return number_of(s, "output", 1);
        if (!strcmp(s->name, "avgpool") || !strcmp(s->name, "avg")) pooled = 1;
        else if (pooled && (!strcmp(s->name, "convolutional") || !strcmp(s->name, "conv"))) {
            return number_of(s, "filters", 1);
        } else if (!is_one_of(s->name, keeping)) {
            return 0;
        }
    }
    return 0;
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

/* Weights are written as FOLDER/NAME_NUMBER.weights. */
static void check_backup(check *c)
{
    static const char longest[] = "/_2147483647.weights";
    const char *given = value_of(c, "backup", NULL), *folder = given ? given : "/backup/";
    const char *cfg = c->work->arguments[1], *slash = strrchr(cfg, '/');
    size_t name = strlen(slash ? slash + 1 : cfg) + sizeof longest;
    int line = line_of(c, "backup"), error;
    if (strlen(folder) + name > SNN_NAME_BYTES) {
        snn_mistake(&c->mistakes, c->set.file, line, "backup: expected a path of at most %d bytes, as the host "
                    "has room for with the names of weights, got %zu", (int)(SNN_NAME_BYTES - name),
                    strlen(folder));
        return;
    }
    error = snn_folder_need(folder);
    if (!error) return;
    snn_mistake(&c->mistakes, c->set.file, line, "backup: expected a folder for weights that can be written, "
                "got %s%s%s: %s", given ? "\"" : "none, \"", folder, "\"", strerror(error));
}

/* ---- detector valid ------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return snn_beside(slash ? slash + 1 : path, "");
}

/* Results name images by the file's name alone. */
static void check_stems(check *c)
{
    size_t count = c->set.images.count, i, same = 0;
    char **stems = (char **)snn_alloc(count, sizeof *stems);
    for (i = 0; i < count; ++i) stems[i] = stem_of(c->set.images.lines[i]);
    qsort(stems, count, sizeof *stems, by_name);
    for (i = 1; i < count; ++i) {
        if (strcmp(stems[i], stems[i - 1])) continue;
        if (!same++) {
            snn_warning(&c->mistakes, c->set.list, 0, "expected images of different names, as results name "
                        "them, got \"%s\" twice", stems[i]);
        }
    }
    for (i = 0; i < count; ++i) free(stems[i]);
    free(stems);
}

int snn_coco_id(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *line = strrchr(name, '_');
    char *end;
    long id;
    if (line) name = line + 1;
    errno = 0;
    id = strtol(name, &end, 10);
    return end == name || (*end && *end != '.') || strchr(*end ? end + 1 : end, '.') || errno || id < 0 ||
           id > 2147483647 ? -1 : (int)id;
}

static void check_coco(check *c)
{
    size_t i;
    if (c->set.classes > SNN_COCO_CLASSES) {
        snn_mistake(&c->mistakes, c->set.file, line_of(c, "eval"), "eval=coco: expected at most %d classes, got "
                    "%d", SNN_COCO_CLASSES, c->set.classes);
    }
    for (i = 0; i < c->set.images.count; ++i) {
        if (snn_coco_id(c->set.images.lines[i]) >= 0) continue;
        snn_mistake(&c->mistakes, c->set.list, c->set.images.numbers[i], "expected a name that ends in COCO's "
                    "number of the image, as eval=coco, got \"%s\"", c->set.images.lines[i]);
    }
}

static void check_results(check *c)
{
    const char *folder = value_of(c, "results", "results"), *eval = value_of(c, "eval", "voc");
    int error = snn_folder_need(folder), line = line_of(c, "results");
    size_t i;
    if (error) {
        snn_mistake(&c->mistakes, line ? c->set.file : folder, line, "results: expected a folder that can be "
                    "written, got \"%s\": %s", folder, strerror(error));
    }
    if (!strcmp(eval, "coco")) {
        check_coco(c);
        return;
    }
    if (!strcmp(eval, "imagenet") && c->set.classes != SNN_IMAGENET_CLASSES) {
        snn_mistake(&c->mistakes, c->set.file, line_of(c, "eval"), "eval=imagenet: expected %d classes, got %d",
                    SNN_IMAGENET_CLASSES, c->set.classes);
    }
    for (i = 0; !strcmp(eval, "voc") && i < c->set.names.count; ++i) {
        if (!strchr(c->set.names.lines[i], '/')) continue;
        snn_mistake(&c->mistakes, value_of(c, "names", "data/names.list"), c->set.names.numbers[i], "expected a "
                    "name that a file of results can have, got \"%s\"", c->set.names.lines[i]);
    }
    check_stems(c);
}

/* ---- commands ------------------------------------------------------------ */

static void check_images(check *c, const char *key, snn_truths truths)
{
    snn_task task = { truths, 0, c->work->arguments[1] };
    /* [detection] takes as many as it has cells. */
    if (trains(c) && c->last && strcmp(c->last->name, "detection")) {
        task.max_boxes = (int)number_of(c->last, "max", strcmp(c->last->name, "region") ? SNN_MAX_BOXES
                                                        : SNN_REGION_MAX_BOXES);
    }
    snn_data_images(&c->mistakes, &c->set, key);
    snn_set_check(&c->mistakes, &c->set, &task);
}

static void check_detector(check *c)
{
    static const char *const of_labels[] = { "train", "recall", "map", "calc_anchors", NULL };
    const char *verb = c->work->verb;
    long classes = c->last ? number_of(c->last, "classes", 20) : 0;
    check_classes(c, classes, classes ? classes : 20);
    check_names(c, "names", "data/names.list", strcmp(verb, "train") && strcmp(verb, "recall") &&
                strcmp(verb, "calc_anchors"));
    if (trains(c)) {
        check_backup(c);
        if (c->cfg && c->cfg->count) check_random(c);
    }
    if (trains(c) || !strcmp(verb, "calc_anchors")) check_images(c, "train", c->last ? SNN_BOXES : SNN_IMAGES);
    else if (is_one_of(verb, of_labels)) check_images(c, "valid", SNN_BOXES);
    else if (validates(c)) check_images(c, "valid", SNN_IMAGES);
    if (validates(c)) check_results(c);
}

static void check_top(check *c)
{
    const char *given = value_of(c, "top", NULL);
    long top = c->work->top ? c->work->top : given ? strtol(given, NULL, 10) : 1;
    int line = c->work->top ? 0 : line_of(c, "top");
    const char *file = c->work->top ? "-t" : c->set.file;
    if (trains(c) || !c->set.classes || (top >= 1 && top <= c->set.classes)) return;
    if (top < 1 || !SNN_LIMITS_TOP) {
        snn_mistake(&c->mistakes, file, line, "top: expected 1 to %d, the number of classes, got \"%ld\"",
                    c->set.classes, top);
    } else {
        snn_warning(&c->mistakes, file, line, "top: expected 1 to %d, the number of classes, got \"%ld\"",
                    c->set.classes, top);
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

static void check_classifier(check *c)
{
    /* Of a tree or of tags, paths name more than one class; of contrastive learning none. */
    int by_path = !value_of(c, "tree", NULL) && !value_of(c, "tag", NULL) && !has_section(c->cfg, "contrastive");
    int predicts = !strcmp(c->work->verb, "predict");
    check_classes(c, c->cfg && by_path ? outputs_of(c->cfg) : 0, 2);
    if (predicts && value_of(c, "names", NULL)) check_names(c, "names", "", 1);
    else if (!value_of(c, "tag", NULL)) check_names(c, "labels", "data/labels.list", 1);
    check_top(c);
    if (trains(c)) check_backup(c);
    if (trains(c)) check_images(c, "train", by_path ? SNN_CLASSES : SNN_IMAGES);
    else if (validates(c)) check_images(c, "valid", by_path ? SNN_CLASSES : SNN_IMAGES);
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
    check_images(c, "train", segments ? SNN_MASKS : SNN_IMAGES);
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

void snn_work_check(const snn_command *w)
{
    check c;
    memset(&c, 0, sizeof c);
    c.work = w;
    check_gpus(w);
    if (w->count > 1) open_cfg(&c, w->arguments[1]);
    if (w->count > 2 && strcmp(w->verb, "calc_anchors")) snn_need_file(&c.mistakes, w->arguments[2]);
    if (w->count > 3) check_length(&c, "image", w->arguments[3]);
    check_length(&c, "-out", w->out);
    if (strcmp(w->command, "segmenter") || !trains(&c)) check_channels(&c);
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
