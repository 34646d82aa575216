#!/usr/bin/env bash
# Everything that is checked without running the product: formatting, lints, licences, purity, names,
# scripts, alerts.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${NETPROOF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/netproof}
export PATH=$cache/bin:$PATH

say() {
  echo "== $* (${SECONDS} s)"
}

# shellcheck source=apt.sh
. .ci/apt.sh

say "rustfmt"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
say "clippy"
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
# As the operator's image has it.
cargo clippy --locked -p netproof --no-default-features -- -D warnings
say "rustdoc"
RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --quiet
say "conformance is pure"
.ci/pure.sh
say "lines fit, names are of one thing, files lie in floors"
.ci/house.sh
say "shellcheck"
apt shellcheck shellcheck
git ls-files '*.sh' .ci/run | xargs shellcheck -x
say "alerts"
apt promtool prometheus
deploy/monitoring/test.sh
say "cargo-deny"
if ! command -v cargo-deny >/dev/null; then
  say "Installing cargo-deny (once)"
  cargo install --quiet --locked --root "$cache" cargo-deny
fi
cargo deny --log-level error check bans licenses sources
# The advisories' database is fetched; where it cannot be reached, nothing is claimed.
if ! cargo deny --log-level error fetch db >/dev/null 2>&1; then
  echo "   advisories not checked: their database cannot be reached from here"
else
  cargo deny --log-level error check advisories
fi
say "done"
