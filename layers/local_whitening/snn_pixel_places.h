/* Where a pixel's values stand, for the kernels' files alone. */
#ifndef SNN_PIXEL_PLACES_H
#define SNN_PIXEL_PLACES_H

#include "snn_kernels.h"
#include "snn_stages.h"

SNN_HD size_t snn_plane(const snn_windows &j)
{
    return (size_t)j.w * (size_t)j.h;
}

SNN_HD size_t snn_pixel_at(const snn_windows &j, int row, int x)
{
    return (size_t)row * (size_t)j.w + (size_t)x;
}

SNN_HD float snn_nan(void) { return snn_bits_float(0x7fc00000u); }

#endif
