# Shared by scripts that need a program of Debian's. To be sourced.
# shellcheck shell=bash

# apt PACKAGE COMMAND: installs a Debian package where its command is missing and we may.
apt() {
  command -v "$2" >/dev/null && return
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "$2 is missing: install $1" >&2
    exit 1
  fi
  echo "== Installing $1 (${SECONDS} s)"
  # A server that comes with a package is not to be started.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1" >/dev/null
  rm -f /usr/sbin/policy-rc.d
}
