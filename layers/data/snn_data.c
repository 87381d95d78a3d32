#include "snn_data.h"
#include "snn_host.h"

#include <errno.h>
#include <string.h>

/* The value of a key in the .data file, NULL and a mistake where it is not
 * there. Belongs to the list. */
static char *data_value(size_t *mistakes, const char *file, list *options,
                        const char *key, const char *what)
{
    char *value = option_find(options, (char *)key);
    if (!value) {
        snn_mistake(mistakes, file, 0, "%s: expected %s, got none", key, what);
    }
    return value;
}

int snn_data_classes(size_t *mistakes, const char *file, list *options)
{
    char *end, *classes = data_value(mistakes, file, options, "classes",
                                     "the number of classes");
    long value;
    if (!classes) return 0;
    if (snn_parse_integer(classes, &end, &value) && !*end && value >= 1 &&
        value <= 1000000) return (int)value;
    snn_mistake(mistakes, file, 0, "classes: expected an integer from 1 to "
                "1000000, got \"%s\"", classes);
    return 0;
}

static void read_names(size_t *mistakes, const char *file, const char *names,
                       snn_data *d)
{
    if (!snn_text_read(names, &d->names)) {
        snn_mistake(mistakes, names, 0, "expected the names of the classes, "
                    "got \"%s\"", strerror(errno));
    } else if (d->names.count < (size_t)d->classes) {
        snn_mistake(mistakes, names, 0, "expected %d names, as many as "
                    "classes= in %s, got %zu", d->classes, file,
                    d->names.count);
    }
}

static void read_images(size_t *mistakes, const char *file, snn_text *images)
{
    size_t i;
    if (!snn_text_read(file, images)) {
        snn_mistake(mistakes, file, 0, "expected a list of images, got \"%s\"",
                    strerror(errno));
        return;
    }
    if (!images->count) {
        snn_mistake(mistakes, file, 0, "expected a list of images, got an "
                    "empty one");
    }
    for (i = 0; i < images->count; ++i) {
        if (snn_is_readable(images->lines[i])) continue;
        snn_mistake(mistakes, file, images->numbers[i], "expected an image, "
                    "got \"%s\": %s", images->lines[i], strerror(errno));
    }
}

/* The host has no function, common to both families, that frees an option
 * list; it is small and stays. */
void snn_data_read(size_t *mistakes, char *file, const char *key,
                   int needs_names, snn_data *d)
{
    list *options;
    char *names;
    memset(d, 0, sizeof *d);
    if (!snn_need_file(mistakes, file)) return;
    options = read_data_cfg(file);
    d->classes = snn_data_classes(mistakes, file, options);
    names = needs_names ? data_value(mistakes, file, options, "names",
                                     "the file with the names of the classes")
                        : option_find(options, (char *)"names");
    d->list = data_value(mistakes, file, options, key,
                         "the file with the list of images");
    if (!d->classes || (needs_names && !names) || !d->list) return;
    if (names) read_names(mistakes, file, names, d);
    read_images(mistakes, d->list, &d->images);
}

void snn_data_free(snn_data *d)
{
    snn_text_free(&d->names);
    snn_text_free(&d->images);
}
