# Shared by scripts that need a program of Debian's. To be sourced.
# shellcheck shell=bash

# apt COMMAND PACKAGE...: installs Debian packages where their command is missing and we may.
apt() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "$command is missing: install $*" >&2
    exit 1
  fi
  echo "== Installing $* (${SECONDS} s)"
  # A server that comes with a package is not to be started.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
  rm -f /usr/sbin/policy-rc.d
}
