/* What hank-ai's tree needs besides snn_host_hank.h: functions that C has a name for. */
#include "snn_host.h"

#ifdef SNN_HANK

#include "snn_mem.h"
#include "snn_png.h"

/* ---- names --------------------------------------------------------------- */

/* The sections that the host's table has and its parser does not make. */
static int is_made(LAYER_TYPE type) { return type != LAYER_TYPE::EMPTY && type != BLANK; }

LAYER_TYPE string_to_layer_type(char *bracketed)
{
    const Darknet::NamesAndLayers &all = Darknet::all_names_and_layers();
    size_t n = strlen(bracketed);
    Darknet::NamesAndLayers::const_iterator i;
    if (n < 2) return BLANK;
    i = all.find(std::string(bracketed + 1, n - 2));
    return i != all.end() && is_made(i->second) ? i->second : BLANK;
}

const char *get_layer_string(LAYER_TYPE type)
{
    const std::string *name = NULL;
    for (const auto &pair : Darknet::all_names_and_layers()) {
        if (pair.second == type && (!name || pair.first.size() > name->size())) name = &pair.first;
    }
    return name ? name->c_str() : "none";
}

double what_time_is_it_now(void)
{
    using namespace std::chrono;
    return duration<double>(system_clock::now().time_since_epoch()).count();
}

/* ---- keys ---------------------------------------------------------------- */

void snn_mark_used(struct list *section, const char *key)
{
    Darknet::CfgSection *s = (Darknet::CfgSection *)(void *)section;
    Darknet::CfgLines::iterator line = s->lines.find(key);
    if (line != s->lines.end()) line->second.used = true;
}

/* ---- PNG (snn_png.h) ----------------------------------------------------- */

/* The pixels, behind each other, of a type of OpenCV's; belongs to the caller. */
static void *pixels_of(const unsigned char *bytes, int size, int *w, int *h, int *channels, int wanted, int depth)
{
    int flags = wanted == 3 ? cv::IMREAD_COLOR : cv::IMREAD_GRAYSCALE, i;
    cv::Mat m = cv::imdecode(cv::Mat(1, size, CV_8U, (void *)bytes), depth == CV_16U ? flags | cv::IMREAD_ANYDEPTH : flags);
    size_t row = m.cols * m.elemSize();
    char *copy;
    if (m.empty() || m.depth() != depth) return NULL;
    if (wanted == 3) cv::cvtColor(m, m, cv::COLOR_BGR2RGB);
    *w = m.cols;
    *h = m.rows;
    *channels = wanted;
    copy = (char *)snn_alloc((size_t)m.rows, row);
    for (i = 0; i < m.rows; ++i) memcpy(copy + (size_t)i * row, m.ptr(i), row);
    return copy;
}

unsigned char *stbi_load_from_memory(const unsigned char *bytes, int size, int *w, int *h, int *channels, int wanted)
{
    return (unsigned char *)pixels_of(bytes, size, w, h, channels, wanted, CV_8U);
}

unsigned short *stbi_load_16_from_memory(const unsigned char *bytes, int size, int *w, int *h, int *channels, int wanted)
{
    return (unsigned short *)pixels_of(bytes, size, w, h, channels, wanted, CV_16U);
}

int stbi_info(const char *file, int *w, int *h, int *channels)
{
    cv::Mat m = cv::imread(file, cv::IMREAD_UNCHANGED);
    *w = m.cols;
    *h = m.rows;
    *channels = m.channels();
    return !m.empty();
}

int snn_opencv_reads(const char *file)
{
    try {
        return !cv::imread(file).empty();
    } catch (...) {
        return 0;
    }
}

const char *stbi_failure_reason(void) { return "OpenCV cannot read it"; }

/* The pixels, red first, as a file of the type that `ending` names. */
static int encode(const char *ending, const cv::Mat &m, const std::vector<int> &options,
                  void (*write)(void *context, void *data, int size), void *context)
{
    std::vector<unsigned char> bytes;
    cv::Mat bgr;    /* one of its own: the caller's pixels stay */
    if (m.channels() == 3) cv::cvtColor(m, bgr, cv::COLOR_RGB2BGR);
    if (!cv::imencode(ending, m.channels() == 3 ? bgr : m, bytes, options)) return 0;
    write(context, bytes.data(), (int)bytes.size());
    return 1;
}

int stbi_write_png_to_func(void (*write)(void *context, void *data, int size), void *context, int w, int h, int channels,
                           const void *pixels, int stride)
{
    return encode(".png", cv::Mat(h, w, CV_8UC(channels), (void *)pixels, (size_t)stride), {}, write, context);
}

int stbi_write_jpg_to_func(void (*write)(void *context, void *data, int size), void *context, int w, int h, int channels,
                           const void *pixels, int quality)
{
    return encode(".jpg", cv::Mat(h, w, CV_8UC(channels), (void *)pixels), { cv::IMWRITE_JPEG_QUALITY, quality }, write,
                  context);
}

#endif
