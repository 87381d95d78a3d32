/* The cfg gate; what passes it, and is small, the host must parse. */
#include "fuzz.h"
#include "snn_gate.h"
#include "snn_host.h"

/* Sizes that the host allocates are the cfg's right: no more than this here. */
static int is_small(const snn_cfg *cfg)
{
    int i, k;
    if (cfg->count > 12) return 0;
    for (i = 0; i < cfg->count; ++i) {
        for (k = 0; k < cfg->sections[i].count; ++k) {
            const char *value = cfg->sections[i].options[k].value;
            size_t digits = strspn(value, "+-0123456789");
            if (digits > 2 || strpbrk(value, "eEx")) return 0;
        }
    }
    return 1;
}

/* Reads other files, whose names the cfg may have as it likes. */
static int names_files(const snn_cfg *cfg)
{
    int i;
    for (i = 0; i < cfg->count; ++i) {
        const snn_section *s = &cfg->sections[i];
        if (snn_find(s, "map") || snn_find(s, "tree")) return 1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *file = fuzz_write("x.cfg", data, size);
    snn_cfg *cfg = snn_cfg_read(file);
    int good = 0, mistakes;
    if (!cfg) return 0;
    mistakes = snn_gate_check(cfg);
    snn_gate_check_any_host(cfg);
    good = !mistakes && is_small(cfg) && !names_files(cfg);
    snn_cfg_free(cfg);
    if (good) {
        network *net = NULL;
        RUN(net = parse_network_cfg(file));
        if (net) free_network(net);
    }
    return 0;
}
