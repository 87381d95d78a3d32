/* A flag that whoever sees a bad value sets: no sums, one word to fetch. */
#include "snn_device.h"
#include "snn_filters.h"
#include "snn_finite_kernels.h"
#include "snn_kernels.h"
#include "snn_mem.h"

#include <stdlib.h>

/* A block reads EACH values of an array: a thread 4 x 4. */
enum { THREADS = 256, FOURS = 4, EACH = THREADS * FOURS * 4, MOST_ARRAYS = 3 };

typedef struct {
    const float *x;
    size_t count;
    unsigned first_block, is_aligned;
} sought;

static __global__ void __launch_bounds__(THREADS) seek_kernel(const sought *arrays, unsigned count, unsigned *found)
{
    sought a = snn_row_of_block(arrays, count);
    size_t first = (size_t)(blockIdx.x - a.first_block) * EACH + 4 * threadIdx.x;
    int bad = 0, k, n;
    SNN_UNROLL
    for (k = 0; k < FOURS; ++k) {
        size_t i = first + (size_t)k * THREADS * 4;
        if (a.is_aligned && i + 4 <= a.count) {
            snn_four v = *(const snn_four *)(a.x + i);
            for (n = 0; n < 4; ++n) bad |= !snn_is_finite(v.v[n]);
            continue;
        }
        for (n = 0; n < 4; ++n) {
            if (i + (size_t)n < a.count) bad |= !snn_is_finite(a.x[i + (size_t)n]);
        }
    }
    if (bad) *found = 1;
}

static unsigned *flag(void) { return (unsigned *)snn_device_room(SNN_DEVICE_FLAG, sizeof(unsigned)); }

static int add(sought *arrays, int n, unsigned *blocks, const float *x, size_t count)
{
    if (!x) return n;
    arrays[n].x = x;
    arrays[n].count = count;
    arrays[n].first_block = *blocks;
    arrays[n].is_aligned = (unsigned)snn_is_aligned(x);
    *blocks += snn_blocks(count, EACH);
    return n + 1;
}

void snn_seek_nonfinite_gpu(const layer *layers, int n)
{
    sought *arrays = (sought *)snn_alloc((size_t)n * MOST_ARRAYS, sizeof *arrays);
    const sought *table;
    snn_filters f;
    unsigned blocks = 0;
    int i, count = 0;
    for (i = 0; i < n; ++i) {
        if (!snn_gpu_filters_at(layers, i, &f)) continue;
        count = add(arrays, count, &blocks, f.updates, f.filters * f.taps);
        count = add(arrays, count, &blocks, f.bias_updates, f.filters);
        count = add(arrays, count, &blocks, f.scale_updates, f.filters);
    }
    if (count) {
        table = (const sought *)snn_device_table(SNN_DEVICE_GRADIENTS, arrays, (size_t)count * sizeof *arrays);
        SNN_LAUNCH(seek_kernel, blocks, THREADS, 0, table, (unsigned)count, flag());
    }
    free(arrays);
}

int snn_found_nonfinite_gpu(void)
{
    unsigned found, none = 0;
    snn_device_fetch(flag(), &found, sizeof found);
    if (found) snn_device_send(flag(), &none, sizeof none);
    return found != 0;
}
