#!/usr/bin/env bash
# The tests that need no cluster, no root and no network beyond the loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo >/dev/null || {
  echo "cargo is missing: install Rust 1.89 or newer, by your system or as rust-lang.org says" >&2
  exit 1
}
command -v cc >/dev/null || {
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev
  else
    echo "A C compiler is missing (the TLS library needs one): install gcc" >&2
    exit 1
  fi
}
echo "Compiling and running the tests (the first time takes some minutes) ..."
start=$SECONDS
cargo test --locked --workspace --exclude netproof-e2e --lib --bins --tests "$@"
echo "The tests took $((SECONDS - start)) s"
