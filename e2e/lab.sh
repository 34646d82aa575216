#!/usr/bin/env bash
# Shows the main job without a cluster: the same policies on a network that keeps them, on one that ignores them, and on one
# where one node ignores half of them. Does its own set-up.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../.ci/apt.sh
. .ci/apt.sh
export PATH=$PATH:/usr/sbin:/sbin

command -v cargo >/dev/null || {
  echo "cargo is missing: install Rust 1.89 or newer, by your system or as rust-lang.org says" >&2
  exit 1
}
apt cc gcc libc6-dev
apt nft nftables
echo "Compiling netproof (some minutes the first time) ..."
cargo build --locked -q -p netproof
netproof=$CARGO_TARGET_DIR/debug/netproof

# on NETWORK STATUS: the example on a network, which has to end with this exit code.
on() {
  local status=0
  printf '\n$ netproof lab -f examples/three-tier --network %s\n' "$1"
  "$netproof" lab -q -f examples/three-tier --network "$1" || status=$?
  [[ $status == "$2" ]] || {
    echo "It ended with exit code $status, not $2" >&2
    exit 1
  }
}

on enforcing 0
on plain 1
on fault=ignores-egress@node=node-2 1
cat <<END

The command is $netproof (cargo install --locked --path operator/cli puts it into your PATH).
  netproof lab -f DIRECTORY             your own manifests
  netproof lab --list-faults            how networks are known to break
  make demo                             the same on a real cluster
All of this took $SECONDS s.
END
