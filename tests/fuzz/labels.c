/* A file of labels. */
#include "fuzz.h"
#include "snn_labels.h"

static size_t told;

static void count(void *context, snn_finding kind, const char *file, int line, const char *text)
{
    (void)context;
    (void)file;
    if (line < 1 || !*text) abort();
    told += kind == SNN_WRONG;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *file = fuzz_write("x.txt", data, size);
    snn_labels labels;
    size_t i;
    if (!snn_labels_read(file, 3, &labels, count, NULL)) abort();
    for (i = 0; i < labels.count; ++i) {
        const snn_label *l = &labels.items[i];
        if (l->category < 0 || l->category > 2 || !(l->width > 0) || !(l->height > 0) || !(l->x > -2) || !(l->x < 3) ||
            !(l->y > -2) || !(l->y < 3)) abort();
    }
    snn_labels_free(&labels);
    return 0;
}
