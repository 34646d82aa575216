#!/usr/bin/env bash
# The lab's own tests: every fault on every case, what the command line does, and a short soak. Needs nft, and root or
# user namespaces; sends nothing out of the namespaces that it makes.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=apt.sh
. .ci/apt.sh
export PATH=$PATH:/usr/sbin:/sbin

apt nft nftables
echo "== Compiling the lab and its tests (${SECONDS} s)"
cargo test --locked -q -p netproof --features lab-tests --test faults --test lab --test soak --no-run
for name in faults lab soak; do
  echo "== The tests in operator/tests/$name (${SECONDS} s)"
  cargo test --locked -q -p netproof --features lab-tests --test "$name"
done
echo "== The tests of the lab took ${SECONDS} s"
