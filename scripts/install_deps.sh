#!/bin/sh
# Installs the Debian packages that are missing, and says which.
#
#     scripts/install_deps.sh PACKAGE...
#
# As root, or through sudo. Exit status 0 when all are there, otherwise 1.
set -eu

missing=
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q "install ok installed" ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get > /dev/null; then
    echo "$0: no apt-get here; install by hand:$missing" >&2
    exit 1
fi
root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || {
        echo "$0: run as root: apt-get install$missing" >&2
        exit 1
    }
    root=sudo
fi
echo "installing$missing"
$root apt-get -q update > /dev/null
# shellcheck disable=SC2086  # words, each a package
$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing > /dev/null
