#!/usr/bin/env bash
# The tests that need no cluster, no root and no network beyond the loopback.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=apt.sh
. .ci/apt.sh

command -v cargo >/dev/null || {
  echo "cargo is missing: install Rust 1.89 or newer, by your system or as rust-lang.org says" >&2
  exit 1
}
# The TLS library needs a C compiler.
apt cc gcc libc6-dev
echo "Compiling and running the tests (the first time takes some minutes) ..."
start=$SECONDS
cargo test --locked --workspace --exclude netproof-e2e --lib --bins --tests "$@"
# The examples in the documentation of the library that others adopt.
cargo test --locked -p netproof-conformance --doc
echo "The tests took $((SECONDS - start)) s"
