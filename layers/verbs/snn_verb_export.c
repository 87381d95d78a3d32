/* snn export: runs scripts/export_onnx.py, which reads cfg and weights itself
 * and knows no Darknet but the tree whose arithmetic holds. */
#include "snn_family.h"
#include "snn_mem.h"
#include "snn_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096 };

/* Whether folder/name is there; its path then stands in `path`. */
static int find(char path[PATH], const char *folder, const char *name)
{
    int n = snprintf(path, PATH, "%s/%s", folder, name);
    return n > 0 && n < PATH && !access(path, R_OK);
}

/* The script in $SNN_SCRIPTS, or in scripts/ of the executable's folder or of one
 * above it: a build is some folders below the plugin's own. `root` becomes that
 * folder, or is left empty. */
static int find_script(char script[PATH], char root[PATH])
{
    const char *folder = getenv("SNN_SCRIPTS");
    ssize_t n = readlink("/proc/self/exe", root, PATH - 1);
    char *slash;
    root[n > 0 ? n : 0] = '\0';
    if (folder) {
        root[0] = '\0';
        return find(script, folder, "export_onnx.py");
    }
    while ((slash = strrchr(root, '/')) != NULL) {
        *slash = '\0';
        if (find(script, root, "scripts/export_onnx.py")) return 1;
    }
    return 0;
}

int snn_verb_export(int argc, char **argv)
{
    char script[PATH], root[PATH], python[PATH], tree[] = "--tree";
    const char *chosen = getenv("PYTHON");
    char **words;
    int i, count = 0;
    if (argc < 4) return snn_usage("export");
    if (!find_script(script, root)) {
        fprintf(stderr, "snn export: expected export_onnx.py in scripts/ beside the executable or in a "
                "folder above it, or in $SNN_SCRIPTS: the plugin's scripts/, which Python's onnx runs\n");
        return EXIT_FAILURE;
    }
    /* The environment that `make build/venv/ready` made, where there is one. */
    if (!chosen) chosen = root[0] && find(python, root, "build/venv/bin/python") ? python : "python3";
    words = (char **)snn_alloc((size_t)argc + 4, sizeof *words);
    words[count++] = (char *)chosen;
    words[count++] = script;
    words[count++] = tree;
    words[count++] = (char *)snn_family.tree;
    for (i = 1; i < argc; ++i) words[count++] = argv[i];
    fflush(NULL);
    execvp(chosen, words);
    fprintf(stderr, "snn export: %s: cannot be run: %s (Python 3 is needed, with onnx; $PYTHON names another)\n", chosen,
            strerror(errno));
    free(words);
    return EXIT_FAILURE;
}
