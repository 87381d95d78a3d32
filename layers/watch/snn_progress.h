/* A training on a terminal: one line that is updated. */
#ifndef SNN_PROGRESS_H
#define SNN_PROGRESS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double iteration, iterations;       /* iterations 0: without an end */
    double loss, mean_loss, rate;
    double images_per_second;
    double seconds_left;
    double waited;                      /* share of the time in [0, 1] that the step waits for images */
    const char *measure;                /* "mAP"; NULL: nothing is measured */
    double last, best;                  /* -1: not yet */
    double best_iteration;
} snn_progress;

/* Whether standard output is a terminal. */
int snn_is_terminal(void);

/* The line as text of at most `columns` characters, without control characters. */
void snn_progress_text(const snn_progress *p, char *text, int columns);

/* Shows it in place of the one before. */
void snn_progress_show(const snn_progress *p);

/* Ends the line that is shown, so that what others print begins on a new one. */
void snn_progress_end(void);

#ifdef __cplusplus
}
#endif
#endif
