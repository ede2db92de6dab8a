#!/bin/sh
# Installs what the interop tests talk to: coturn's server and its client programs (Debian package "coturn"),
# Debian's Chromium for the page, the ICE agents of aioice and libnice, and what network namespaces with NATs are made of.
# Says what it could not do and succeeds all the same: the tests themselves decide what a missing program means.
set -u
PATH="$PATH:/usr/sbin:/sbin"

has_all() {
  for program in turnserver turnutils_uclient turnutils_peer turnutils_stunclient turnutils_natdiscovery chromium ip nft unshare; do
    command -v "$program" >/dev/null 2>&1 || return 1
  done
  /usr/bin/python3 -c "import aioice, gi; gi.require_version('Nice', '0.1')" >/dev/null 2>&1
}

packages="coturn iproute2 nftables util-linux chromium python3-aioice python3-gi gir1.2-nice-0.1"

has_all && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "programs for the interop tests are missing, and this system has no apt-get; by hand: $packages" >&2
  exit 0
fi
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "programs for the interop tests are missing, and installing them takes root: sudo apt-get install $packages" >&2
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ $as_root apt-get install -y --no-install-recommends $packages ||
  { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends $packages; }; } >/dev/null 2>&1
has_all || echo "apt-get could not install everything: see 'apt-get install $packages'" >&2
exit 0
