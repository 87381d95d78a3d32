/* A JPEG, PNG or BMP, as it is looked at before training: without decoding it. */
#include "fuzz.h"
#include "snn_hooks.h"
#include "snn_jpeg.h"
#include "snn_pictures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *file = fuzz_write("x.jpg", data, size);
    snn_picture p;
    snn_jpeg_check(data, size, 0);
    snn_jpeg_check(data, size, 1);
    /* Other files are given to the host's decoder. */
    if (size < 8 || (memcmp(data, "\xFF\xD8", 2) && memcmp(data, "\x89PNG\r\n\x1A\n", 8) && memcmp(data, "BM", 2))) return 0;
    if (!snn_picture_read(file, 1, &p) && (p.w < 0 || p.h < 0 || p.orientation < 1 || p.orientation > 8)) abort();
    return 0;
}
