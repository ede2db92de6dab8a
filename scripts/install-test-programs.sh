#!/bin/sh
# Installs what the interop tests talk to: coturn's server and its client programs (Debian package "coturn").
# Says what it could not do and succeeds all the same: the tests themselves decide what a missing program means.
set -u

has_all() {
  for program in turnserver turnutils_uclient turnutils_peer turnutils_stunclient; do
    command -v "$program" >/dev/null 2>&1 || return 1
  done
}

has_all && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "coturn is missing, and this system has no apt-get: install it by hand to run the interop tests" >&2
  exit 0
fi
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "coturn is missing, and installing it takes root: sudo apt-get install coturn" >&2
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
{ $as_root apt-get install -y --no-install-recommends coturn ||
  { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends coturn; }; } >/dev/null 2>&1
has_all || echo "apt-get could not install coturn: see 'apt-get install coturn'" >&2
exit 0
