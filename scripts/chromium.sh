#!/usr/bin/env bash
# Makes sure that there is a Chromium for the tests of the console; as root on Debian, installs one.
set -euo pipefail

APT_LOCK_TIMEOUT_S=${SRE_APT_LOCK_TIMEOUT_S:-300}

command -v chromium >/dev/null || command -v chromium-browser >/dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf '%s\n' "No chromium is on the PATH, and none can be installed here: install one" \
        "(Debian: apt-get install chromium)." >&2
    exit 1
fi
echo "Installing Debian's Chromium, once: about a minute."
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o "DPkg::Lock::Timeout=$APT_LOCK_TIMEOUT_S" update
apt-get -qq -o "DPkg::Lock::Timeout=$APT_LOCK_TIMEOUT_S" install --yes --no-install-recommends \
    chromium >/dev/null
