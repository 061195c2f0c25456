#!/bin/sh
# Makes .venv from a lock file: `. scripts/setup.sh`, then `make_venv run` or `make_venv dev`.
# Does nothing when the venv already has what the lock file says, so it works without a network then.

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for name in python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    say "error: no Python >= 3.11 found"
    say "  try: apt-get install python3 python3-venv"
    exit 1
}

# install_packages NAME...: Debian packages that are missing; as root installs them, else names them.
install_packages() {
    command -v dpkg-query >/dev/null 2>&1 || { say "not a Debian system; needed: $*"; return 1; }
    missing=
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        say "error: system packages are missing:$missing"
        say "  try: sudo apt-get install$missing"
        return 1
    fi
    say "installing system packages:$missing"
    # shellcheck disable=SC2086 # a list of package names
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
        >/dev/null || { say "error: apt-get could not install:$missing"; return 1; }
}

# make_venv LOCK: .venv with exactly requirements/LOCK.txt and this checkout.
make_venv() {
    lock=requirements/$1.txt
    stamp=.venv/farm-$(sha256sum "$lock" pyproject.toml | sha256sum | cut -c1-16)-$1
    [ -e "$stamp" ] && return 0
    python=$(find_python)
    if ! "$python" -m venv --clear .venv 2>/dev/null; then
        # Debian's python3 comes without ensurepip.
        install_packages python3-venv && "$python" -m venv --clear .venv || exit 1
    fi
    say "setting up .venv with $python (once)"
    pip='.venv/bin/python -m pip install --quiet --disable-pip-version-check'
    # shellcheck disable=SC2086 # a command of words
    if ! { $pip --require-hashes -r "$lock" && $pip --no-deps --no-build-isolation -e .; }; then
        say "error: the packages of $lock could not be installed"
        exit 1
    fi
    touch "$stamp"
}
