/* The page of a training, NAME.html beside its weights: curves, the first mini-batch as the
 * net saw it, detections beside the truth, what the layers do, the cfg and the command. */
#ifndef SNN_WATCH_PAGE_H
#define SNN_WATCH_PAGE_H

#include "snn_files.h"
#include "snn_history.h"
#include "snn_host_names.h"
#include "snn_watch_options.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_WATCH_PICTURES = 8, SNN_WATCH_WIDTH = 240 };

/* A picture of the first mini-batch, and what it is said to show. */
typedef struct {
    unsigned char *rgb;         /* [h][w][3] */
    int w, h;
    char *caption;
    float *boxes;               /* [count][5]: centre, size, class; of the picture's size */
    int count;
} snn_watch_picture;

typedef struct {
    network *net;
    const snn_watch_options *options;
    const char *name;
    snn_text names;             /* of the classes; may be none */
    snn_watch_picture pictures[SNN_WATCH_PICTURES];
    int picture_count;
} snn_watch_page;

void snn_watch_page_begin(snn_watch_page *p, network *net, const char *name, const snn_watch_options *options);

/* Keeps pictures of the first mini-batch that it is given. */
void snn_watch_page_batch(snn_watch_page *p, const network *net, data d);

/* m: the last measure, or NULL. A page that cannot be written is said, and ends nothing. */
void snn_watch_page_write(const snn_watch_page *p, const char *file, const snn_history *h, const snn_accuracy *m,
                          int is_last);

#ifdef __cplusplus
}
#endif
#endif
