#include "snn_device.h"

#ifdef GPU

#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

/* Each thread has a device of its own, where there are several. */
static struct {
    float *room;
    size_t bytes;
    void *copy;             /* of the table that is in it */
    size_t copied;
} rooms[SNN_MOST_DEVICES][SNN_DEVICE_PLACES];

int snn_device(void)
{
    int device;
    snn_gpu_check(cudaGetDevice(&device));
    if (device >= SNN_MOST_DEVICES) snn_fatal("GPU %d: expected one of the first %d of the machine", device, SNN_MOST_DEVICES);
    return device;
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
    cuda_push_array((float *)room, (float *)*copy, bytes / sizeof(float));
    return room;
}

#endif
