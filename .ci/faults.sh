#!/usr/bin/env bash
# Every fault on every case, in the lab. Needs nft, and root or user namespaces; sends nothing out of the namespaces that it
# makes.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=apt.sh
. .ci/apt.sh
export PATH=$PATH:/usr/sbin:/sbin

apt nft nftables
echo "== Compiling the lab and its table of faults (${SECONDS} s)"
cargo test --locked -q -p netproof --features lab-tests --test faults --no-run
echo "== Every fault on every case (${SECONDS} s)"
cargo test --locked -q -p netproof --features lab-tests --test faults
echo "== The table took ${SECONDS} s, compiling included"
