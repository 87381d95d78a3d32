/* snn check: the cfg gate alone. */
#include "snn_files.h"
#include "snn_gate.h"
#include "snn_options.h"
#include "snn_verbs.h"

#include <stdlib.h>

int snn_verb_check(int argc, char **argv)
{
    snn_cfg *cfg;
    char *file;
    int mistakes;
    if (!snn_read_options("check", argc, argv, NULL, 0, &file, 1, 1)) return 2;
    cfg = snn_cfg_read(file);
    if (!cfg) {
        snn_report_unreadable(file);
        return EXIT_FAILURE;
    }
    mistakes = snn_gate_check(cfg);
    snn_cfg_free(cfg);
    return mistakes ? EXIT_FAILURE : EXIT_SUCCESS;
}
