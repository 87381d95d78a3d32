/* snn convert, with and without --pool stride, and again on its own output. */
#include "fuzz.h"
#include "snn_host.h"
#include "snn_verbs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *in = fuzz_write("in.cfg", data, size);
    char *out = fuzz_path("out.cfg"), *again = fuzz_path("again.cfg");
    char *first[] = { "convert", in, out, NULL };
    char *pools[] = { "convert", in, again, "--pool", "stride", "--keep-batchnorm", NULL };
    char *second[] = { "convert", out, again, NULL };
    int status = 1;
    RUN(status = snn_convert(3, first));
    RUN(snn_convert(6, pools));
    /* What it writes it reads. */
    if (!status) RUN(if (snn_convert(3, second)) abort());
    return 0;
}
