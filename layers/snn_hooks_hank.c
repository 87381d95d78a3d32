/* What a host in C++, hank-ai/darknet, calls besides snn_hooks.c. */
#include "snn_hooks.h"

#if defined SNN_CXX_HOOKS && defined __cplusplus

#include "snn_gate.h"
#include "snn_host.h"
#include "snn_keys.h"
#include "snn_layers.h"
#include "snn_ranks.h"

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

/* ---- the user's data (snn_hooks.h) --------------------------------------- */

bool snn_next_line(std::istream &list, std::string &line)
{
    bool is_first = list.tellg() == 0;
    while (std::getline(list, line)) {
        const char *blanks = " \t\r\n";
        if (is_first && !line.compare(0, 3, "\xEF\xBB\xBF")) line.erase(0, 3);
        is_first = false;
        line.erase(0, line.find_first_not_of(blanks));
        line.erase(line.find_last_not_of(blanks) + 1);
        if (!line.empty()) return true;
    }
    return false;
}

std::string snn_labels_of(const std::string &picture)
{
    char path[4096];
    snn_label_file(picture.c_str(), path);
    return path;
}

int snn_is_first(void) { return !snn_rank(); }

/* ---- SELU, by the names of activations.hpp, which includes no header of ours: all of
 * the host includes it ------------------------------------------------------ */

float snn_selu_of(float x) { return snn_selu_activate(x); }
float snn_selu_slope_of(float y) { return snn_selu_slope(y); }

#endif
