/* Saving weights so that the file from before is lost to nothing: not to a full
 * disk, a crash, a power cut, or weights that are no numbers. */
#include "snn_files.h"
#include "snn_finite.h"
#include "snn_hooks.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_ranks.h"
#include "snn_state.h"
#include "snn_weights.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void give_up(const char *file, int error)
{
    snn_fatal("%s: expected a file that can be written, got \"%s\"; what was there before "
              "is untouched", file, strerror(error));
}

/* Of several processes the first one writes, the images of all. */
FILE *snn_save_begin(network *net, const char *file)
{
    FILE *out;
    snn_check_all_late();
    out = snn_rank() ? fopen("/dev/null", "wb") : snn_write_begin(file);
    if (!out) give_up(file, errno);
    *net->seen = snn_images_of_all(*net->seen);
    return out;
}

unsigned long long snn_saved_images(int images) { return snn_images_of_all((uint64_t)images); }

/* Reads back what was written; exits where it is not what it must be. A pipe or
 * a device cannot be read back. */
static void verify(snn_weights *w, const char *file, FILE *out)
{
    struct stat s;
    const char *mistake;
    if (fstat(fileno(out), &s) || !S_ISREG(s.st_mode)) return;
    mistake = snn_weights_scan(w, out);
    if (!mistake && w->nonfinite_layer < 0) return;
    snn_write_drop(file);
    if (mistake) snn_fatal("%s: not saved: %s", file, mistake);
    snn_fatal("%s: not saved: expected finite weights, got %lld that are not in layer %d "
              "[%s]; what was there before is untouched", file, w->nonfinite,
              w->nonfinite_layer, snn_layer_name(&w->net->layers[w->nonfinite_layer]));
}

static void publish(network *net, const char *file, FILE *out, int cutoff)
{
    snn_weights w = { net, 0, cutoff, 1, 0, -1, 0, -1 };
    int has_state = snn_state_goes_with(file), error = 0;
    /* Before reading back, which a failed write would leave nothing to. */
    if (fflush(out) || ferror(out)) {
        error = errno ? errno : EIO;
        fclose(out);
    } else {
        verify(&w, file, out);
        error = snn_write_sync(out);
    }
    if (!error && has_state) {
        error = snn_state_write(net, file, w.fingerprint);
        if (error) has_state = 0;
    }
    if (!error) error = snn_write_publish(file);
    if (!error && has_state) error = snn_state_publish(file);
    if (!error) return;
    snn_write_drop(file);
    if (has_state) snn_state_drop(file);
    give_up(file, error);
}

void snn_save_end(network *net, const char *file, FILE *out, int cutoff)
{
    if (snn_rank()) fclose(out);
    else publish(net, file, out, cutoff);
    *net->seen /= (size_t)snn_ranks();
}
