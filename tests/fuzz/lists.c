/* A data set for `snn map`: the .data file, names, list and labels, one behind
 * the other with a byte of 1 between them. */
#include "fuzz.h"
#include "snn_found.h"
#include "snn_host.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *names[] = { "x.names", "list.txt", "x.txt" };
    char *text = (char *)malloc(size + 256), *file;
    size_t mistakes = 0, i, n;
    snn_box_set set;
    static int home = -1;
    memset(&set, 0, sizeof set);
    if (home < 0) home = open(".", O_RDONLY);
    if (chdir(fuzz_folder())) abort();
    fuzz_write("x.png", "GIF89a\1\0\1\0\0\0\0", 13);
    for (i = 0; i < 3; ++i) {
        const uint8_t *end = (const uint8_t *)memchr(data, 1, size);
        n = end ? (size_t)(end - data) : size;
        fuzz_write(names[i], data, n);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
    n = (size_t)sprintf(text, "names=x.names\nvalid=list.txt\n");
    memcpy(text + n, data, size);
    file = fuzz_write("x.data", text, n + size);
    free(text);
    RUN(snn_box_set_read(&mistakes, file, &set));
    snn_box_set_free(&set);
    if (fchdir(home)) abort();
    return 0;
}
