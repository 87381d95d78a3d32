/* snn_gate_check of a cfg as in a tree of another family: that part of the plugin knows of the host only what snn_family
 * says, and facts.h has that family's (tests/system/test_gate_of_families.py).
 *
 *     gate_of_family CFG...
 *
 * What it says goes to stderr; the exit status is 1 where it refuses one of them. */
#include "facts.h"
#include "snn_family.h"
#include "snn_gate.h"
#include "snn_layers.h"
#include "snn_messages.h"

#include <stddef.h>

/* Layers of ours are not what differs between families: none here. */
const snn_layer_type snn_layer_types[SNN_LAYER_TYPES] = { { .name = "" }, { .name = "" }, { .name = "" } };
const snn_layer_type *snn_type_by_name(const char *name) { (void)name; return NULL; }

static const char *const activations[] = { "logistic", "relu", "leaky", "linear", "tanh", SNN_FAMILY_ACTIVATIONS NULL };
static const char *const policies[] = { "constant", "steps", SNN_FAMILY_POLICIES NULL };
static const snn_host_command commands[] = { SNN_HOST_COMMANDS{ NULL, NULL } };

const snn_family_facts snn_family = SNN_FAMILY_FACTS(activations, policies, commands);

/* Which sections the host's parser knows is asked of the host: all of them here. */
int snn_family_has_section(const char *name) { (void)name; return 1; }
int snn_family_reads_number(const char *text) { (void)text; return 1; }
int snn_family_skips_spare_anchors(const char *section) { (void)section; return 0; }

int main(int argc, char **argv)
{
    int i, refused = 0;
    for (i = 1; i < argc; ++i) {
        snn_cfg *cfg = snn_cfg_read(argv[i]);
        if (!cfg || snn_gate_check(cfg)) refused = 1;
    }
    return refused;
}
