#!/usr/bin/env bash
# Links tests/system/gate_against_tree.c with the objects of a hank-ai tree, as --wrap needs: its library has them linked already.
#
#     tests/system/link_with_hank.sh TREE PROGRAM
#
# TREE is patched, and built with CMake in its folder build/ with -DDARKNET_TRY_CUDA=OFF and without link-time optimization.
set -euo pipefail
if [ $# != 2 ]; then
    echo "usage: tests/system/link_with_hank.sh TREE PROGRAM" >&2
    exit 2
fi
made=$1/build/src-lib/CMakeFiles
read -ra flags <<< "$(sed -n 's/^CXX_\(INCLUDES\|DEFINES\) = //p' "$made/darknetobjlib.dir/flags.make" | tr '\n' ' ')"
mapfile -t objects < <(find "$made" -name '*.o')
mapfile -t libraries < <(tr ' ' '\n' < "$made/darknet.dir/link.txt" | grep '^/.*\.so\|^-l')
here=$(dirname "$0")
g++ -x c++ -std=c++20 -fpermissive -w -O1 -fopenmp "${flags[@]}" -I"$here/../unit" -I"$here/../bench" "$here/gate_against_tree.c" \
    -x none "${objects[@]}" -Wl,--wrap=snn_gate_open,--wrap=snn_check_step,--wrap=calloc,--wrap=free,--wrap=realloc \
    "${libraries[@]}" -o "$2"
