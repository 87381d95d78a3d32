#include "snn_thumbnail.h"
#include "snn_mem.h"

#include <string.h>

/* The mean of the pixels [x0, x1) x [y0, y1) of a plane, as a byte. */
static unsigned char mean_of(const float *plane, int w, int x0, int x1, int y0, int y1)
{
    double sum = 0;
    int x, y;
    for (y = y0; y < y1; ++y) {
        for (x = x0; x < x1; ++x) sum += plane[(size_t)y * (size_t)w + (size_t)x];
    }
    sum = 255 * sum / ((x1 - x0) * (y1 - y0)) + .5;
    return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

unsigned char *snn_thumbnail(const float *planes, int w, int h, int c, int width, int *out_w, int *out_h)
{
    size_t plane = (size_t)w * (size_t)h;
    int x, y, k, W = w < width ? w : width, H = (int)((double)h * W / w + .5);
    unsigned char *rgb;
    if (H < 1) H = 1;
    rgb = (unsigned char *)snn_alloc((size_t)W * (size_t)H, 3);
    for (y = 0; y < H; ++y) {
        for (x = 0; x < W; ++x) {
            for (k = 0; k < 3; ++k) {
                int x0 = x * w / W, x1 = (x + 1) * w / W, y0 = y * h / H, y1 = (y + 1) * h / H;
                if (y1 <= y0) y1 = y0 + 1;
                rgb[3 * (y * W + x) + k] = mean_of(planes + (c < 3 ? 0 : (size_t)k) * plane, w, x0, x1, y0, y1);
            }
        }
    }
    *out_w = W;
    *out_h = H;
    return rgb;
}

void snn_class_colour(int category, unsigned char rgb[3])
{
    int bit, k;
    memset(rgb, 0, 3);
    for (bit = 7; category; category >>= 3, --bit) {
        for (k = 0; k < 3; ++k) rgb[k] |= (unsigned char)((category >> k & 1) << bit);
    }
}

void snn_tint(unsigned char rgb[3], int category)
{
    unsigned char colour[3];
    int k;
    snn_class_colour(category, colour);
    for (k = 0; k < 3; ++k) rgb[k] = (unsigned char)((rgb[k] + colour[k] + 1) / 2);
}
