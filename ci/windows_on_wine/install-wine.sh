#!/usr/bin/env bash
# Installs Wine (64 bit) with apt where it is missing; says nothing where it is there.
set -euo pipefail

have_wine() {
    PATH=$PATH:/usr/lib/wine
    { command -v wine || command -v wine64; } >/dev/null 2>&1 &&
        { command -v wineserver || command -v wineserver64; } >/dev/null 2>&1
}

fail() {
    printf 'error: Wine is not installed and could not be: %s\n' "$1" >&2
    printf 'Install the package wine64 (Debian, Ubuntu) or Wine 8 or newer by other means, then run this again.\n' >&2
    exit 1
}

have_wine && exit 0

command -v apt-get >/dev/null || fail "there is no apt-get here"
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "this needs root, and there is no sudo"
    as_root=(sudo)
fi

started=$SECONDS
printf '· installing Wine with apt (1 to 3 minutes)\n' >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Another apt may be at work, as on a machine that has just started: it is waited for, in seconds.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
# A stale list asks for files that mirrors no longer have; a source that is down may not matter.
"${apt[@]}" update >"$log" 2>&1 || true
if ! "${apt[@]}" install --yes --no-install-recommends wine wine64 >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "apt-get could not install wine and wine64"
fi
have_wine || fail "the packages wine and wine64 brought no wine and wineserver"
printf '· Wine: %s s\n' "$((SECONDS - started))" >&2
