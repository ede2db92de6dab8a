#!/bin/sh
# Installs what the interop tests talk to: coturn's server and its client programs (Debian package "coturn"),
# and Debian's Chromium for the page.
# Says what it could not do and succeeds all the same: the tests themselves decide what a missing program means.
set -u

has_all() {
  for program in turnserver turnutils_uclient turnutils_peer turnutils_stunclient turnutils_natdiscovery chromium; do
    command -v "$program" >/dev/null 2>&1 || return 1
  done
}

has_all && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "coturn or chromium is missing, and this system has no apt-get: install them by hand to run the interop tests" >&2
  exit 0
fi
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "coturn or chromium is missing, and installing them takes root: sudo apt-get install coturn chromium" >&2
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
{ $as_root apt-get install -y --no-install-recommends coturn chromium ||
  { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends coturn chromium; }; } >/dev/null 2>&1
has_all || echo "apt-get could not install everything: see 'apt-get install coturn chromium'" >&2
exit 0
