#!/usr/bin/env bash
# soak.sh OBSERVATIONS: so many observations in the lab, of a network that keeps its word while policies change all the time.
# None of them may lead to a Leak or Blocked.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=apt.sh
. .ci/apt.sh
export PATH=$PATH:/usr/sbin:/sbin

apt nft nftables
cargo test --locked -q -p netproof --features lab-tests --test soak -- "$1"
