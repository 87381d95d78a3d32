/* Which class an image's path names, for classifiers.
 *
 * A name counts where it is, from strictest to loosest, one of the path's
 * folders; the file's name without extension; a part of the path with no letter
 * or digit beside it ("1_dog.jpg"); or any part of it. The strictest that any name
 * fulfils decides, so that "race_car/1.jpg" is no "car", and "0/1.png" a 0. */
#ifndef SNN_NAMED_H
#define SNN_NAMED_H

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_NO_NAME = -1, SNN_SEVERAL_NAMES = -2 };

/* The class from 0, SNN_NO_NAME, or SNN_SEVERAL_NAMES with the first two in
 * several[]. */
int snn_class_named(const char *path, char *const *names, int count, int several[2]);

#ifdef __cplusplus
}
#endif
#endif
