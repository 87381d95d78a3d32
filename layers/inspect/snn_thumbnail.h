/* Small pictures for pages. */
#ifndef SNN_THUMBNAIL_H
#define SNN_THUMBNAIL_H

#ifdef __cplusplus
extern "C" {
#endif

/* planes [c][h][w] of values in [0, 1], the first three red, green and blue, or one grey,
 * as bytes [*out_h][*out_w][3], at most `width` wide. The caller frees. */
unsigned char *snn_thumbnail(const float *planes, int w, int h, int c, int width, int *out_w, int *out_h);

/* Half of a pixel's colour becomes that of a class. */
void snn_tint(unsigned char rgb[3], int category);

/* PASCAL VOC's colours: the bits of the class, spread over red, green and blue from the
 * highest down. */
void snn_class_colour(int category, unsigned char rgb[3]);

#ifdef __cplusplus
}
#endif
#endif
