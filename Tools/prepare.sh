#!/bin/sh
# Prepare a bare machine:
#   prepare.sh environment PYTHON FOLDER   a virtual environment with pip
#   prepare.sh packages NAME...            Debian packages, installed where that is allowed
set -eu

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo -n "$@"; else return 1; fi
}

install_packages() {
  command -v apt-get >/dev/null 2>&1 || return 1
  as_root apt-get update -qq >/dev/null 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

is_installed() {
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

environment() {
  python=$1 folder=$2
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "Python 3.10 or newer is needed; install it or name it with: make PYTHON=/path/to/python3" >&2
    exit 1
  fi
  # Debian keeps the venv module's pip in a package of its own.
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    install_packages python3-venv || {
      echo "Python's venv module is missing; install it, on Debian with: apt-get install python3-venv" >&2
      exit 1
    }
  fi
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install -qq --upgrade pip
}

packages() {
  missing=
  for name in "$@"; do is_installed "$name" || missing="$missing $name"; done
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  install_packages $missing || echo "Please install$missing (for offscreen rendering); tests that render will skip without." >&2
}

command=$1
shift
"$command" "$@"
