/* Masks: the first byte says which form. */
#include "fuzz.h"
#include "snn_hooks.h"
#include "snn_masks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mistakes = 0;
    snn_mask mask;
    char *picture = fuzz_path("x.jpg"), *runs = NULL;
    int x, y, category;
    if (!size) return 0;
    remove(fuzz_path("x.png"));
    remove(fuzz_path("x.txt"));
    if (data[0] % 2) {
        fuzz_write("x.png", data + 1, size - 1);
    } else {
        FILE *f = fopen(fuzz_write("x.txt", data + 1, size - 1), "r");
        while (snn_mask_line(f, &category, &runs)) continue;
        fclose(f);
    }
    /* clang-format off */
    RUN(if (snn_mask_read(&mistakes, picture, 5, 4, 1 + data[0] / 2 % 4, data[0] / 8 % 2 ? 2 : -1, &mask)) {
        for (y = -1; y < 6; ++y) {
            for (x = -1; x < 6; ++x) snn_mask_top(&mask, x, y);
        }
        snn_mask_free(&mask);
    } else if (!mistakes) {
        abort();
    });
    return 0;
}
