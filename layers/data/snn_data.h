/* .data files: what they say, checked. */
#ifndef SNN_DATA_H
#define SNN_DATA_H

#include "snn_files.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a .data file says about one list of images. */
typedef struct {
    int classes;
    snn_text names;     /* at least `classes` of them, or none */
    snn_text images;
    const char *list;   /* the file with the images; stays with the process */
} snn_data;

/* Reads a .data file, its names and the list of images under `key` ("train",
 * "valid"), and sees that each image can be read; names= may be missing where
 * `needs_names` is 0. Free with snn_data_free, also after mistakes. */
void snn_data_read(size_t *mistakes, char *file, const char *key,
                   int needs_names, snn_data *d);
void snn_data_free(snn_data *d);

/* classes= of a .data file; 0 and a mistake where there is none. */
struct list;
int snn_data_classes(size_t *mistakes, const char *file, struct list *options);


#ifdef __cplusplus
}
#endif
#endif
