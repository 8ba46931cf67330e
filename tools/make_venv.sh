#!/bin/sh
# Creates .venv with everything pinned in constraints.txt. Called by `make venv`; safe to call again after an interruption.
#   PYTHON=...        the interpreter to use (default: python3.11, then python3, which must be 3.11 or newer)
#   REWARDBOT_APT=0   never install system packages, only name them
set -eu
cd "$(dirname "$0")/.."
VENV=${1:-.venv}

say() { printf '%s\n' "$*" >&2; }
fail() { say "make venv: $1"; say "  $2"; exit 2; }

may_install() { [ "$(id -u)" = 0 ] && [ "${REWARDBOT_APT:-1}" != 0 ] && command -v apt-get >/dev/null; }
install() { # packages...
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
        </dev/null >/dev/null
}

# Installs Debian packages as root; otherwise names the exact line and ends.
need() { # what is missing, packages...
    what=$1; shift
    may_install || fail "$what is missing." "Run: sudo apt-get update && sudo apt-get install -y $*"
    say "make venv: $what is missing; installing $*"
    install "$@" || fail "installing $what failed." "Run: apt-get update && apt-get install -y $*"
}

# The same for what the main job can do without: names the line and goes on.
want() { # what is missing, packages...
    what=$1; shift
    if may_install; then
        say "make venv: $what are missing; installing $*"
        install "$@" && return
    fi
    say "make venv: $what are missing; everything without a window works."
    say "  For windows run: sudo apt-get update && sudo apt-get install -y $*"
}

find_python() {
    for candidate in ${PYTHON:-python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

lacking() { "$python" -m rewardbot.libraries "$1"; } # the one list of system libraries

python=$(find_python) || { need "Python 3.11" python3.11 python3.11-venv; python=$(find_python) || fail \
    "no Python 3.11 or newer was found." "Name one: make venv PYTHON=/path/to/python3.11"; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || \
    need "Python's venv module" "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"

# Looked for before the long download; that drawing really works is checked at the end.
packages=$(lacking drawing)
[ -z "$packages" ] || need "off-screen OpenGL (EGL)" $packages
packages=$(lacking windows)
[ -z "$packages" ] || want "libraries for windows (PyQt5's xcb plugin)" $packages
command -v Xvfb >/dev/null || want "the programs that tests of windows need (Xvfb)" xvfb

# A half-made environment is begun anew; a sound one of the same Python is brought up to date.
if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
fi
say "make venv: installing into $VENV, this takes a minute or two"
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check --no-input install -q -c constraints.txt "$@" </dev/null; }
# setuptools first and no build isolation: an isolated build would fetch versions that nobody pinned.
pip pip setuptools wheel
# (setuptools warns of every editable install with a folder named like its package.)
PYTHONWARNINGS=ignore pip --no-build-isolation -e '.[ros,dev,bench,gui,devices,exchange]'

can_draw() { "$VENV/bin/python" -c 'from rewardbot.robots.rendering import check_rendering as c; c()' 2>/dev/null; }
# Now for real: this also finds a missing renderer or OpenGL library behind EGL.
can_draw || { need "off-screen OpenGL" $(lacking drawing-all); can_draw || say "make venv: still cannot draw off screen."; }
