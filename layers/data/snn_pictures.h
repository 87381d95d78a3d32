/* Image files as far as they can be judged without decoding them: what they are,
 * whether all of the file is there, and which way up the image is. */
#ifndef SNN_PICTURES_H
#define SNN_PICTURES_H

#ifdef __cplusplus
extern "C" {
#endif

/* is_jpeg      a JPEG
 * w, h         pixels as stored; 0 where the format does not tell here
 * orientation  EXIF's, 1 to 8: what has to be done to the stored pixels to show
 *              the image (1: nothing)
 * lacks_end    a JPEG without an end marker that has all of its pixels */
typedef struct {
    int is_jpeg, w, h, orientation, lacks_end;
} snn_picture;

/* NULL, or what is wrong with the file, as "a JPEG that ends before its end"; p is
 * then zeros. `thorough`: what takes reading all of it as well, a PNG's check sums and
 * decoding what is neither JPEG, PNG nor BMP. */
const char *snn_picture_read(const char *file, int thorough, snn_picture *p);

/* Whether a file begins as a JPEG or PNG does. */
int snn_is_picture(const char *file);

/* 1 where orientation swaps width and height. */
int snn_is_turned(int orientation);

/* Width and height of the image as it is shown; decodes it where `p` does not tell. */
void snn_picture_shown(const char *file, const snn_picture *p, int *w, int *h);

/* Where pixel (x, y) of the image that is shown, w pixels wide and h high, is in
 * the stored one: EXIF 2.3, 4.6.4 A, tag Orientation. */
void snn_stored_place(int orientation, int w, int h, int x, int y, int *stored_x,
                      int *stored_y);

#ifdef __cplusplus
}
#endif
#endif
