#!/bin/sh
# Fetches Debian's source package of Darknet into a folder, unless it is there.
#
#     scripts/fetch_upstream.sh FOLDER
#
# FOLDER/darknet becomes the unpacked and Debian-patched source tree. apt works
# with lists and caches of its own under FOLDER, from a source list made from
# the machine's, so that nothing of the system changes and no root is needed.
# apt checks the signatures.
set -eu

[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
folder=$1
[ -d "$folder/darknet" ] && exit 0

fail() {
    rm -rf "$folder/unpack"
    echo "$0: $1; make DARKNET=dir builds from a Darknet tree that you have" >&2
    exit 1
}

command -v apt-get > /dev/null || fail "no apt-get here to fetch Debian's darknet with"
command -v dpkg-source > /dev/null || fail "dpkg-source is missing (package dpkg-dev)"

mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/apt/parts"
folder=$(cd "$folder" && pwd)
apt=$folder/apt

# The machine's binary package sources, turned into source package sources.
cat /dev/null > "$apt/sources.list"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$list" ] || continue
    sed -n 's/^deb\(-src\)\{0,1\}[[:space:]]/deb-src /p' "$list" | sort -u >> "$apt/sources.list"
done
rm -f "$apt"/parts/*
for list in /etc/apt/sources.list.d/*.sources; do
    [ -r "$list" ] || continue
    sed 's/^Types:.*/Types: deb-src/' "$list" > "$apt/parts/$(basename "$list")"
done

private() {
    apt-get -q \
        -o Dir::Etc::sourcelist="$apt/sources.list" \
        -o Dir::Etc::sourceparts="$apt/parts" \
        -o Dir::State::lists="$apt/lists" \
        -o Dir::Cache="$apt" \
        -o Dir::Cache::archives="$apt/archives" \
        -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Retries=3 \
        "$@"
}

log=$folder/fetch.log
private update > "$log" 2>&1 || fail "apt-get update failed (see $log)"
mkdir -p "$folder/unpack"
(cd "$folder/unpack" && private source darknet) >> "$log" 2>&1 ||
    fail "apt-get source darknet failed, offline perhaps (see $log)"
mv "$folder"/unpack/darknet-*/ "$folder/darknet"
rm -rf "$folder/unpack"
echo "fetched $(sed -n "1s/ (\(.*\)).*/ \1/p" "$folder/darknet/debian/changelog")"
