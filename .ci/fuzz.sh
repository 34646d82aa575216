#!/usr/bin/env bash
# Feeds hostile policies to the predictor and hostile files to the reader, for a minute in all (FUZZ_SECONDS), from
# the inputs that are kept in fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${NETPROOF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/netproof}
export PATH=$cache/bin:$PATH
targets=(policies yaml)
seconds=$((${FUZZ_SECONDS:-60} / ${#targets[@]}))

say() {
  echo "== $* (${SECONDS} s)"
}

fail() {
  echo "fuzz: $*" >&2
  exit 1
}

if ! command -v c++ >/dev/null; then
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    fail "a C++ compiler is missing, and nothing was fuzzed: install g++"
  fi
  say "Installing g++"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends g++ >/dev/null
fi
if ! command -v cargo-fuzz >/dev/null; then
  say "Installing cargo-fuzz (once)"
  cargo install --quiet --locked --root "$cache" cargo-fuzz ||
    fail "cargo-fuzz cannot be installed, and nothing was fuzzed"
fi

# The flags that libFuzzer needs are unstable; a stable compiler takes them if it is told to. Without a sanitizer,
# as there is no unsafe code here to sanitize.
export RUSTC_BOOTSTRAP=1
cargo metadata --locked --quiet --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
built=${CARGO_TARGET_DIR:-$cache/target}/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "Building"
cargo fuzz build --sanitizer none --target-dir "$built" >"$work/log" 2>&1 || {
  tail -n 60 "$work/log" >&2
  fail "the targets cannot be built, and nothing was fuzzed"
}

# Fuzzes one target for its share of the time.
fuzz() {
  local target=$1 kept=fuzz/corpus/$1 executed peak
  mkdir -p "$work/$target" "$cache/fuzz"
  say "Fuzzing $target for $seconds s, from $(find "$kept" -type f | wc -l) kept inputs"
  # What is found goes into the first folder, which is not kept. A crash is kept in the cache.
  if ! cargo fuzz run --sanitizer none --target-dir "$built" "$target" "$work/$target" "$kept" -- \
    -max_total_time="$seconds" -rss_limit_mb=512 -malloc_limit_mb=256 -timeout=5 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="$cache/fuzz/" >"$work/log" 2>&1; then
    tail -n 60 "$work/log" >&2
    fail "an input failed: it is in $cache/fuzz;" \
      "run 'cargo fuzz run --sanitizer none $target FILE' in fuzz/ to see it again"
  fi
  executed=$(awk '/^stat::number_of_executed_units:/ { print $2 }' "$work/log")
  [[ ${executed:-0} -gt 0 ]] || fail "nothing was executed: $(tail -n 5 "$work/log")"
  peak=$(awk '/^stat::peak_rss_mb:/ { print $2 }' "$work/log")
  say "$executed inputs, none failed, at most $peak MB"
}

for target in "${targets[@]}"; do
  fuzz "$target"
done
