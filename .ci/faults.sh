#!/usr/bin/env bash
# Every fault on every case, in the lab, and what else is tested there. Needs nft, and root or user namespaces; sends nothing
# out of the namespaces that it makes.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=apt.sh
. .ci/apt.sh
export PATH=$PATH:/usr/sbin:/sbin

apt cc gcc libc6-dev
apt nft nftables
apt unshare util-linux

# The packages of `make test`, so that what both need is compiled once.
of=(--locked -q --workspace --exclude netproof-e2e --features 'netproof/lab-tests,netproof-lab/lab-tests')

# lab TEST [ARGUMENT...]
lab() {
  local test=$1
  shift
  cargo test "${of[@]}" --test "$test" -- "$@"
}

echo "== Compiling the lab and its tests (${SECONDS} s)"
cargo test "${of[@]}" --test lab --test lab_cli --test faults --test soak --no-run
echo "== Start-ups and latency (${SECONDS} s)"
lab lab
echo "== The lab's command line (${SECONDS} s)"
lab lab_cli
echo "== Every fault on every case (${SECONDS} s)"
lab faults
echo "== Every fault on cases at random (${SECONDS} s)"
lab faults random=8 seed=1
echo "== Policies that change all the time (${SECONDS} s)"
lab soak "${SOAK_OBSERVATIONS:-50000}"
echo "== All of this took ${SECONDS} s, compiling included"
