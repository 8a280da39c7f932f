# Sourced by the other scripts of this folder: everything that they need, installed once per machine.
#
# Packages go into one virtual environment in the user cache, shared by all checkouts; a small
# one in the checkout (build/venv) adds this checkout's aotwin to it.
# shellcheck shell=bash

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ci_cache=${AOTWIN_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aotwin-ci}
export AOTWIN_CI_CACHE=$ci_cache
axe_version=4.14.1

say() { printf '· %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Runs a command whose output is of interest only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

apt_install() {
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=300) # another apt may be at work: wait for it
    [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
    command -v apt-get >/dev/null || die "no apt-get here: install $* and run this again"
    say "installing $* with apt"
    export DEBIAN_FRONTEND=noninteractive
    quietly "${apt[@]}" update || say "apt-get update failed; trying all the same"
    quietly "${apt[@]}" install -y --no-install-recommends "$@" ||
        die "apt could not install $*"
}

# The Python that PYTHON names, otherwise the first of those here that is new enough. In a virtual
# environment, such as the one that a shell has from here, it is the Python beneath.
find_python() { # MINOR: the oldest 3.MINOR that will do
    local candidate
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13}; do
        "$candidate" -c "import sys
sys.version_info >= (3, $1) or sys.exit(1)
print(sys._base_executable)" 2>/dev/null && return
    done
    return 1
}

# A Python for setup_venv, which says where it is.
setup_python() {
    local python
    python=$(find_python 11) || { [ -z "${PYTHON:-}" ] && apt_install python3 && python=$(find_python 11); } ||
        die "Python 3.11 or newer is needed: transformers, which the tests export models of, wants it"
    "$python" -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv
    printf '%s\n' "$python"
}

setup_venv() {
    local python key shared mini site
    python=$(setup_python)
    key=$("$python" -c 'import hashlib, sys
print("%d.%d-" % sys.version_info[:2] + hashlib.sha256((sys.executable + open(sys.argv[1]).read()).encode()).hexdigest()[:12])' \
        "$repo/ci/requirements.txt")
    shared=$ci_cache/venv-$key
    if [ ! -e "$shared/complete" ]; then
        say "installing the packages of ci/requirements.txt once for this machine (1 to 5 minutes)"
        rm -rf "$shared"
        mkdir -p "$ci_cache"
        "$python" -m venv "$shared"
        quietly "$shared/bin/python" -m pip install --disable-pip-version-check --upgrade pip ||
            say "pip could not be upgraded; going on with the one that is there"
        quietly "$shared/bin/python" -m pip install --disable-pip-version-check \
            -r "$repo/ci/requirements.txt" || die "pip could not install ci/requirements.txt"
        touch "$shared/complete"
    fi
    mini=$repo/build/venv
    site=$("$shared/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    if [ ! -e "$mini/complete" ] || [ "$(cat "$mini/complete")" != "$site" ] ||
        [ "$repo/pyproject.toml" -nt "$mini/complete" ]; then
        rm -rf "$mini"
        "$python" -m venv --without-pip "$mini"
        echo "$site" >"$("$mini/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/shared.pth"
        quietly "$mini/bin/python" -m pip install --disable-pip-version-check --no-deps \
            --no-build-isolation --editable "$repo" || die "this checkout cannot be installed"
        echo "$site" >"$mini/complete"
    fi
    PATH=$mini/bin:$shared/bin:$PATH
    export PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONPATH=$repo/ci
}

# What the unit tests alone need, on any Python that aotwin runs on: no torch, and of everything the
# newest that this Python can have, as for a user.
setup_unit_venv() {
    local python venv
    python=$(find_python 10) || die "${PYTHON:-python3} is not Python 3.10 or newer"
    venv=$repo/build/unit-venv-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ ! -e "$venv/complete" ] || [ "$repo/pyproject.toml" -nt "$venv/complete" ]; then
        say "installing what the unit tests need"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        # dependency groups are known to pip 25.1 and newer
        quietly "$venv/bin/python" -m pip install --disable-pip-version-check --upgrade pip &&
            quietly "$venv/bin/python" -m pip install --disable-pip-version-check \
                --group "$repo/pyproject.toml:unit" --editable "$repo" ||
            die "pip could not install the dependency group unit"
        touch "$venv/complete"
    fi
    PATH=$venv/bin:$PATH
    export PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONPATH=$repo/ci
}

# What the tests sign with, and make certificates with.
setup_signing() {
    command -v osslsigncode >/dev/null && command -v openssl >/dev/null ||
        apt_install osslsigncode openssl
}

setup_wine() {
    bash "$repo/ci/windows_on_wine/install-wine.sh"
}

setup() {
    setup_venv
    setup_wine
}

# All programs of the tests that are no Python packages.
setup_programs() {
    setup_wine
    setup_signing
    setup_browser
    # The how-to for C# is compiled by Mono's compiler.
    command -v mcs >/dev/null || apt_install mono-mcs
}

# What builds and tests make once per machine, made before they need it.
setup_caches() {
    quietly python -m aotwin toolchain fetch || die "the toolchain cannot be had"
    quietly python -m windows_on_wine setup || die "there is no Windows environment"
}

# What the tests look at reports with: a browser, its driver, and axe-core's checks of accessibility.
setup_browser() {
    local axe=$ci_cache/axe-core-$axe_version
    { command -v chromium || command -v google-chrome; } >/dev/null && command -v chromedriver >/dev/null ||
        apt_install chromium chromium-driver
    if [ ! -e "$axe/complete" ]; then
        command -v npm >/dev/null || apt_install npm
        say "installing axe-core $axe_version with npm"
        mkdir -p "$axe"
        quietly npm install --prefix "$axe" --ignore-scripts --no-audit --no-fund "axe-core@$axe_version" ||
            die "npm could not install axe-core"
        touch "$axe/complete"
    fi
}
