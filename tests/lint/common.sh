# SPDX-License-Identifier: Apache-2.0
# Sourced by the gates. Each gate is a program that can be run alone, prints what it checks, and
# fails when it has a finding.
# shellcheck shell=bash
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034  # for the gates
lint=$top/tests/lint
# One folder for each gate, so that gates can run side by side.
build=${TENURE_BUILD:-$top/build-tests}/$(basename "$0")
cd "$top"
# Debian's programs, whatever else is installed.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# The caller's compiler flags must not decide what is tested.
clean() { env -i PATH="$PATH" HOME="${HOME:-/root}" LC_ALL=C.UTF-8 "$@"; }

# Every file that is or could be committed: new ones, too, but none that is ignored.
# safe.directory: root often runs this in another user's tree.
files() {
    git -c safe.directory="$top" ls-files --cached --others --exclude-standard -- "$@" |
        while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

# configure CC [meson's options]: makes a new build folder, which is locked until the gate ends.
configure() {
    mkdir -p "$(dirname "$build")"
    exec 9>"$build.lock"
    flock 9
    rm -rf "$build"
    clean CC="$1" meson setup "$build" "$top" "${@:2}" >"$build.log" 2>&1 ||
        { tail -20 "$build.log"; echo "meson setup failed"; exit 1; }
}

# compile [ninja's options]: prints only the compiler's messages.
compile() {
    local status=0
    clean ninja -C "$build" "$@" >"$build.log" 2>&1 9>&- || status=$?
    grep -v -E '^(\[[0-9]+/[0-9]+\]|ninja: )' "$build.log" || true
    return $status
}
