/* What a training has gone through, iteration by iteration, in memory and in a file
 * NAME.history beside its weights, from which a training that is resumed goes on:
 *
 *     iteration,loss,rate,seconds,accuracy
 *     1,12.0817,4e-08,0.113,
 *     100,3.4012,.04,0.108,.3125
 *
 * seconds: of the step and of the wait for its images; accuracy: where it was measured. */
#ifndef SNN_HISTORY_H
#define SNN_HISTORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Columns of `count` rows; `accuracy` is NaN where none was measured. */
typedef struct {
    size_t count, room;
    double *iteration, *loss, *rate, *seconds, *accuracy;
} snn_history;

/* Appends a row without accuracy. */
void snn_history_add(snn_history *h, double iteration, double loss, double rate, double seconds);

/* The accuracy after the last row's iteration. */
void snn_history_measured(snn_history *h, double accuracy);

/* The row of the best accuracy, the first of equals; -1 where none was measured. And how
 * many measures came after it. */
ptrdiff_t snn_history_best(const snn_history *h, size_t *measures_since);

/* Reads rows up to `last` from the file; none where there is no file, or where a row is
 * not as above: what is shown of the past is lost then, and nothing else. */
void snn_history_read(snn_history *h, const char *file, double last);

/* The file changes whole or not at all (snn_files.h); 0 and a message where not. */
int snn_history_write(const snn_history *h, const char *file);

void snn_history_free(snn_history *h);

#ifdef __cplusplus
}
#endif
#endif
