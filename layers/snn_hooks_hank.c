/* What a host in C++, hank-ai/darknet, calls besides snn_hooks.c. */
#include "snn_hooks.h"

#ifdef SNN_CXX_HOOKS

#include "snn_gate.h"
#include "snn_host.h"
#include "snn_keys.h"
#include "snn_layers.h"
#include "snn_watch.h"

#include <unistd.h>

/* ---- reading a cfg (snn_hooks.h) ----------------------------------------- */

void snn_mark_net(struct list *section)
{
    int i;
    for (i = 0; i < SNN_HOST_KEYS; ++i) snn_mark_used(section, snn_host_keys[i].name);
}

int snn_knows_section(const char *name) { return snn_type_by_name(name) != NULL; }

/* A file is read by one call and made into a network by another, of the same object;
 * files may be read on several threads. */
static std::mutex readers_mutex;
static std::map<const void *, struct snn_cfg_context *> readers;

void snn_reader_begin(const void *reader, const char *file)
{
    struct snn_cfg_context *cfg = snn_cfg_begin(file);
    const std::lock_guard<std::mutex> lock(readers_mutex);
    /* That of a file that was read and made into nothing. */
    if (readers.count(reader)) snn_cfg_free((snn_cfg *)(void *)readers[reader]);
    readers[reader] = cfg;
}

struct snn_cfg_context *snn_reader_cfg(const void *reader)
{
    const std::lock_guard<std::mutex> lock(readers_mutex);
    return readers.count(reader) ? readers[reader] : NULL;
}

/* Takes what belongs to the reader, which then has nothing. */
static struct snn_cfg_context *taken_from(const void *reader)
{
    const std::lock_guard<std::mutex> lock(readers_mutex);
    struct snn_cfg_context *cfg = readers.count(reader) ? readers[reader] : NULL;
    readers.erase(reader);
    return cfg;
}

void snn_reader_end(const void *reader, network *net)
{
    struct snn_cfg_context *cfg = taken_from(reader);
    if (cfg) snn_cfg_end(cfg, net);
}

/* ---- training data (snn_hooks.h) ----------------------------------------- */

int snn_find_labels(const char *picture, char *labels)
{
    const char *folder = strstr(picture, "/images/"), *dot = strrchr(picture, '.');
    if (!access(labels, R_OK) || !folder || !dot || strchr(dot, '/')) return 0;
    sprintf(labels, "%.*s/labels/%.*s.txt", (int)(folder - picture), picture,
            (int)(dot - folder) - 8, folder + 8);
    return 1;
}

void snn_train_begin_with(network *net, const char *data, const char *cfg, const char *weights)
{
    /* The host takes files and options in any order, and its own -map; here they have one. */
    const char *words[] = { "darknet", "detector", "train", data, cfg, weights };
    snn_watch_read(weights ? 6 : 5, (char **)words);
    snn_train_begin(net);
}

/* ---- verbs --------------------------------------------------------------- */

int snn_hank_main(int argc, char **argv)
{
    /* The host says what it does on the stream that a verb's results go to. */
    if (argc < 2 || strcmp(argv[1], "snn")) return 0;
    std::cerr << std::fixed;
    Darknet::CfgAndState::get().output = &std::cerr;
    return snn_main(argc, argv);
}

/* ---- SELU, by the names of activations.hpp, which includes no header of ours: all of
 * the host includes it ------------------------------------------------------ */

float snn_selu_of(float x) { return snn_selu_activate(x); }
float snn_selu_slope_of(float y) { return snn_selu_slope(y); }

#endif
