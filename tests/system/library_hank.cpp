/* What a program of one's own finds with hank-ai's libdarknet.so: scripts/family.py compares
 * it with what `darknet snn map` finds.
 *
 *     library_hank CFG NAMES WEIGHTS THRESHOLD IMAGE...
 *
 * Prints "WAY IMAGE CLASS SCORE X Y WIDTH HEIGHT", the box's centre and size as parts of the
 * image's, by the C++ API of version 3, by its C API, and as DarkHelp's driver kDarknet calls
 * the older C API (https://github.com/stephanecharette/DarkHelp, src-lib/DarkHelpNN.cpp). */
#define DARKNET_INCLUDE_ORIGINAL_API
#include "darknet.hpp"
#include "darknet.h"

#include <cstdio>
#include <cstdlib>

static const float overlap = .45f;
static float threshold;

static void print(const char *way, int image, int category, float score, float x, float y, float w, float h)
{
    std::printf("%s %d %d %.6f %.6f %.6f %.6f %.6f\n", way, image, category, score, x, y, w, h);
}

/* As src-examples/ of the tree load and ask. */
static void by_version_3(const char *way, Darknet::NetworkPtr net, int count, char **images)
{
    int i;
    Darknet::set_detection_threshold(net, threshold);
    Darknet::set_non_maximal_suppression_threshold(net, overlap);
    Darknet::fix_out_of_bound_values(net, false);
    for (i = 0; i < count; ++i) {
        for (const auto &found : Darknet::predict(net, cv::imread(images[i]))) {
            for (const auto &[category, score] : found.prob) {
                print(way, i, category, score, found.normalized_point.x, found.normalized_point.y,
                      found.normalized_size.width, found.normalized_size.height);
            }
        }
    }
}

static DarknetImage planes_of(const cv::Mat &bgr)
{
    DarknetImage im = make_image(bgr.cols, bgr.rows, 3);
    int x, y, c;
    for (c = 0; c < 3; ++c) {
        for (y = 0; y < bgr.rows; ++y) {
            for (x = 0; x < bgr.cols; ++x) {
                im.data[(c * bgr.rows + y) * bgr.cols + x] = bgr.at<cv::Vec3b>(y, x)[2 - c] / 255.f;
            }
        }
    }
    return im;
}

static void as_darkhelp(char **files, int classes, int count, char **images)
{
    DarknetNetworkPtr net = load_network_custom(files[0], files[2], 1, 1);
    int w, h, c, i, k, j;
    calculate_binary_weights(net);
    darknet_network_dimensions(net, &w, &h, &c);
    for (i = 0; i < count; ++i) {
        cv::Mat picture = cv::imread(images[i]), resized;
        DarknetImage im;
        DarknetDetection *boxes;
        int found = 0;
        cv::resize(picture, resized, cv::Size(w, h));
        im = planes_of(resized);
        network_predict_ptr(net, im.data);
        boxes = get_network_boxes(net, picture.cols, picture.rows, threshold, .5f, nullptr, 1, &found, 0);
        do_nms_sort(boxes, found, classes, overlap);
        for (k = 0; k < found; ++k) {
            const DarknetBox &b = boxes[k].bbox;
            for (j = 0; j < classes; ++j) {
                if (boxes[k].prob[j] >= threshold) print("darkhelp", i, j, boxes[k].prob[j], b.x, b.y, b.w, b.h);
            }
        }
        free_detections(boxes, found);
        free_image(im);
    }
    free_network_ptr(net);
}

static int lines_of(const char *file)
{
    std::FILE *f = std::fopen(file, "r");
    int c, lines = 0;
    while (f && (c = std::getc(f)) != EOF) lines += c == '\n';
    if (f) std::fclose(f);
    return lines;
}

int main(int argc, char **argv)
{
    const int first = 5;
    if (argc <= first) {
        std::fprintf(stderr, "usage: library_hank CFG NAMES WEIGHTS THRESHOLD IMAGE...\n");
        return 2;
    }
    threshold = std::strtof(argv[4], nullptr);
    darknet_set_output_stream("/dev/null");
    Darknet::NetworkPtr net = Darknet::load_neural_network(argv[1], argv[2], argv[3]);
    by_version_3("cxx", net, argc - first, argv + first);
    Darknet::free_neural_network(net);
    net = darknet_load_neural_network(argv[1], argv[2], argv[3]);
    by_version_3("c", net, argc - first, argv + first);
    darknet_free_neural_network(&net);
    as_darkhelp(argv + 1, lines_of(argv[2]), argc - first, argv + first);
    return 0;
}
