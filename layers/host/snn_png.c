#include "snn_png.h"
#include "snn_files.h"

typedef struct {
    int w, h, channels;
    const void *pixels;
} raster;

static void append(void *out, void *bytes, int size) { fwrite(bytes, 1, (size_t)size, (FILE *)out); }

static void write_raster(FILE *out, const void *content)
{
    const raster *r = (const raster *)content;
    if (!stbi_write_png_to_func(append, out, r->w, r->h, r->channels, r->pixels, r->w * r->channels)) {
        snn_fatal("not enough memory for a PNG of %d x %d pixels", r->w, r->h);
    }
}

int snn_write_png(const char *file, int w, int h, int channels, const void *pixels)
{
    raster r = { w, h, channels, pixels };
    return snn_write_file(file, &r, write_raster);
}
