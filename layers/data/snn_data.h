/* .data files: lines "key = value", and what they name: the classes and a list
 * of images. */
#ifndef SNN_DATA_H
#define SNN_DATA_H

#include "snn_files.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes a line of a .data file apart, in place: blanks around key and value go,
 * those within a value stay, and so do a byte-order mark and what a '#' behind a
 * blank begins. *value is NULL where there is no '='; both are where the line is
 * blank or a comment. */
void snn_split_setting(char *line, char **key, char **value);

typedef struct {
    const char *key, *value;
    int line;
} snn_setting;

/* ignore   the value of a mask's pixels that count nowhere, or -1
 * names    at least `classes` of them, or none
 * list     the file with the images */
typedef struct {
    const char *file;
    snn_setting *settings;
    size_t count;
    int classes, ignore;
    const char *list;
    snn_text text, names, images;
} snn_data;

/* The steps of snn_data_read. What they name belongs to `d`, which has `file` for
 * its own name. Each prints its mistakes. */
int snn_data_open(size_t *mistakes, const char *file, snn_data *d);
const snn_setting *snn_data_find(const snn_data *d, const char *key);

/* The key's value, or `fallback` where there is none; its line, or 0. */
const char *snn_data_value(const snn_data *d, const char *key, const char *fallback);
int snn_data_line(const snn_data *d, const char *key);

void snn_data_classes(size_t *mistakes, snn_data *d);
void snn_data_names(size_t *mistakes, snn_data *d, const snn_setting *names);
void snn_data_images(size_t *mistakes, snn_data *d, const char *key);

/* Reads a .data file, its names and the list of images under `key` ("train",
 * "valid"); names= may be missing where `needs_names` is 0. What the images are
 * is looked at by snn_set_check. Free with snn_data_free, also after mistakes. */
void snn_data_read(size_t *mistakes, const char *file, const char *key,
                   int needs_names, snn_data *d);
/* The same for a classifier, whose names are in labels=. */
void snn_data_read_named(size_t *mistakes, const char *file, const char *key, snn_data *d);
void snn_data_free(snn_data *d);

#ifdef __cplusplus
}
#endif
#endif
