#!/usr/bin/env bash
# The tests on a real cluster: the demo's two verdicts first, then everything under e2e/tests on the enforcing network.
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"

root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
began=$SECONDS

say() {
  echo "== $* ($((SECONDS - began)) s)"
}

# What there is to look at when something failed. Nothing here may hide that it failed.
state() {
  say "The state of the cluster"
  kubectl get ctest -A -o wide || true
  kubectl get pods -A -o wide || true
  kubectl get events -A --sort-by=.lastTimestamp | tail -n 60 || true
  kubectl -n netproof-system logs deployment/netproof-operator --previous --tail=60 2>/dev/null || true
  kubectl -n netproof-system logs deployment/netproof-operator --tail=200 || true
}

failed() {
  say "Failed: $*" >&2
  state >&2
  exit 1
}

# It brings the cluster up, builds and installs as well, and leaves enforcement on.
say "The demo's two verdicts"
"$here/../demo.sh" || failed "the demo's two verdicts"

say "Compiling the tests"
cd "$root"
cargo test --locked -p netproof-e2e --no-run || failed "the tests do not compile"

# One at a time, so that what each says is not mixed with what another says.
say "The tests"
cargo test --locked -p netproof-e2e --no-fail-fast -- --test-threads=1 || failed "a test"
say "All is well"
