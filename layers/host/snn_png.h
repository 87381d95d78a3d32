/* PNG and JPEG files, by stb_image as the hosts come with it. hank-ai's tree has OpenCV
 * instead: snn_adapter_hank.c has these functions of stb_image's on it. */
#ifndef SNN_PNG_H
#define SNN_PNG_H

#include "snn_host_names.h"

#ifdef SNN_HANK
extern "C" {
unsigned char *stbi_load_from_memory(const unsigned char *bytes, int size, int *w, int *h, int *channels, int wanted);
unsigned short *stbi_load_16_from_memory(const unsigned char *bytes, int size, int *w, int *h, int *channels, int wanted);
int stbi_info(const char *file, int *w, int *h, int *channels);
const char *stbi_failure_reason(void);
int stbi_write_png_to_func(void (*write)(void *context, void *data, int size), void *context, int w, int h, int channels,
                           const void *pixels, int stride);
int stbi_write_jpg_to_func(void (*write)(void *context, void *data, int size), void *context, int w, int h, int channels,
                           const void *pixels, int quality);
}
#else
#include "stb_image.h"
#include "stb_image_write.h"
#endif

/* Whether the host reads images by OpenCV. */
#if defined(OPENCV) || defined(SNN_HANK)
#define SNN_IMAGES_BY_OPENCV
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the host's OpenCV can decode a file. A family that does not say so can. */
extern int snn_opencv_reads(const char *file) __attribute__((weak));

/* pixels[h][w][channels] as a PNG file, by snn_write_file: 0, with a message, where that fails. */
int snn_write_png(const char *file, int w, int h, int channels, const void *pixels);

#ifdef __cplusplus
}
#endif
#endif
