#include "snn_results.h"
#include "snn_cfg.h"
#include "snn_commands.h"
#include "snn_folders.h"
#include "snn_hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
static void check_stems(size_t *mistakes, const snn_data *d)
{
    size_t count = d->images.count, i, same = 0;
    char **stems = (char **)snn_alloc(count, sizeof *stems);
    for (i = 0; i < count; ++i) stems[i] = stem_of(d->images.lines[i]);
    qsort(stems, count, sizeof *stems, by_name);
    for (i = 1; i < count; ++i) {
        if (strcmp(stems[i], stems[i - 1])) continue;
        if (!same++) {
            snn_warning(mistakes, d->list, 0, "expected images of different names, as results name "
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

static void check_coco(size_t *mistakes, const snn_data *d)
{
    size_t i;
    if (d->classes > SNN_COCO_CLASSES) {
        snn_mistake(mistakes, d->file, snn_data_line(d, "eval"), "eval=coco: expected at most %d classes, got "
                    "%d", SNN_COCO_CLASSES, d->classes);
    }
    for (i = 0; i < d->images.count; ++i) {
        if (snn_coco_id(d->images.lines[i]) >= 0) continue;
        snn_mistake(mistakes, d->list, d->images.numbers[i], "expected a name that ends in COCO's "
                    "number of the image, as eval=coco, got \"%s\"", d->images.lines[i]);
    }
}

/* A class's results are written to a file of its name. */
static void check_names(size_t *mistakes, const snn_data *d)
{
    enum { LONGEST = 200 };
    const char *file = snn_data_value(d, "names", "data/names.list");
    int i, k;
    for (i = 0; i < d->classes && i < (int)d->names.count; ++i) {
        const char *name = d->names.lines[i];
        if (strchr(name, '/') || strlen(name) > LONGEST) {
            snn_mistake(mistakes, file, d->names.numbers[i], "expected a name that a file of results can have, got "
                        "\"%s\"", name);
        }
        for (k = 0; k < i && strcmp(name, d->names.lines[k]); ++k) continue;
        if (k < i) {
            snn_mistake(mistakes, file, d->names.numbers[i], "expected a name of its own, as results are written to "
                        "a file of that name, got \"%s\", as in line %d", name, d->names.numbers[k]);
        }
    }
}

void snn_results_check(size_t *mistakes, const snn_data *d)
{
    static const char *const ways[] = { "voc", "coco", "imagenet", NULL };
    const char *folder = snn_data_value(d, "results", "results"), *eval = snn_data_value(d, "eval", "voc");
    int error = snn_folder_need(folder), line = snn_data_line(d, "results");
    if (error) {
        snn_mistake(mistakes, line ? d->file : folder, line, "results: expected a folder that can be "
                    "written, got \"%s\": %s", folder, strerror(error));
    }
    if (!strcmp(eval, "coco")) {
        check_coco(mistakes, d);
        return;
    }
    if (!strcmp(eval, "imagenet") && d->classes != SNN_IMAGENET_CLASSES) {
        snn_mistake(mistakes, d->file, snn_data_line(d, "eval"), "eval=imagenet: expected %d classes, got %d",
                    SNN_IMAGENET_CLASSES, d->classes);
    }
    if (!snn_is_listed(ways, eval)) {
        snn_warning(mistakes, d->file, snn_data_line(d, "eval"), "eval: expected voc, coco or imagenet, got \"%s\", "
                    "which is taken as voc", eval);
    }
    if (strcmp(eval, "imagenet")) check_names(mistakes, d);
    check_stems(mistakes, d);
}
