#!/usr/bin/env bash
# Makes sure that a Docker engine answers, and that kind is there; installs only what is missing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# shellcheck source=engine-own.sh
. "$here/engine-own.sh"

engine_answers() {
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

install_engine() {
  [[ $EUID == 0 && -e /etc/debian_version ]] ||
    die "No Docker engine answers and no dockerd is installed: install Docker, or run this as root on Debian"
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables
  # Where there is an init, the package has just had the engine started.
  [[ ! -d /run/systemd/system ]] || within 30 engine_answers
}

install_kind() {
  command -v go >/dev/null || die "kind is missing, and so is Go to build it with"
  GOBIN=$cache/bin CGO_ENABLED=0 go install "sigs.k8s.io/kind@$kind_version"
}

if ! command -v docker >/dev/null || { ! engine_answers && ! command -v dockerd >/dev/null; }; then
  step "Installing Docker from Debian" install_engine
fi
if ! engine_answers; then
  [[ $EUID == 0 ]] || die "The Docker engine does not answer: start it, or run this as root"
  step "Starting the Docker engine" start_engine
fi
if ! command -v kind >/dev/null; then
  step "Installing kind $kind_version" install_kind
fi
