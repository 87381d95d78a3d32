#include "snn_device.h"
#include "snn_host.h"
#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

static int is_tf32;

void snn_set_tf32(int allowed) { is_tf32 = allowed; }
int snn_tf32(void) { return is_tf32; }

#ifdef GPU

/* A status that is no success means that products stay as they are. */
void snn_blas_precision(void *handle)
{
    cublasSetMathMode((cublasHandle_t)handle, is_tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
}

/* Each thread has a device of its own, where there are several. */
static struct {
    float *room;
    size_t bytes;
    void *copy;             /* of the table that is in it */
    size_t copied;
} rooms[SNN_MOST_DEVICES][SNN_DEVICE_PLACES];

/* gpu_index alone does not say: it is 0 in a library that was built without CUDA. */
int snn_on_gpu(void) { return *snn_gpu_index() >= 0; }

cudaStream_t snn_gpu_stream(void) { return snn_host_stream(); }
void snn_gpu_check(cudaError_t status) { snn_host_check(status); }

int snn_device(void)
{
    int device;
    snn_gpu_check(cudaGetDevice(&device));
    if (device >= SNN_MOST_DEVICES) snn_fatal("GPU %d: expected one of the first %d of the machine", device, SNN_MOST_DEVICES);
    return device;
}

void snn_device_fetch(const void *on_device, void *to, size_t bytes)
{
    cuda_pull_array((float *)(size_t)on_device, (float *)to, bytes / sizeof(float));
}

void snn_device_send(void *on_device, const void *from, size_t bytes)
{
    cuda_push_array((float *)on_device, (float *)(size_t)from, bytes / sizeof(float));
}

void *snn_device_room(snn_device_place place, size_t bytes)
{
    int device = snn_device();
    size_t count = (bytes + sizeof(float) - 1) / sizeof(float);
    float *zeros;
    if (rooms[device][place].bytes >= bytes) return rooms[device][place].room;
    if (rooms[device][place].room) cuda_free(rooms[device][place].room);
    zeros = (float *)snn_alloc(count, sizeof *zeros);
    rooms[device][place].room = cuda_make_array(zeros, count);
    rooms[device][place].bytes = count * sizeof *zeros;
    free(zeros);
    return rooms[device][place].room;
}

void *snn_device_table(snn_device_place place, const void *table, size_t bytes)
{
    void *room = snn_device_room(place, bytes);
    int device = snn_device();
    void **copy = &rooms[device][place].copy;
    size_t *copied = &rooms[device][place].copied;
    if (*copied == bytes && !memcmp(*copy, table, bytes)) return room;
    *copy = snn_realloc(*copy, bytes, 1);
    memcpy(*copy, table, bytes);
    *copied = bytes;
    snn_device_send(room, *copy, bytes);
    return room;
}

#endif
