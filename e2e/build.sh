#!/usr/bin/env bash
# Builds the static binaries and their images, each under the tag `dev` and under one of its content.
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"
# shellcheck source=images.sh
. "$here/../images.sh"

root=$(cd "$here/../.." && pwd)
target=x86_64-unknown-linux-gnu
[[ $(uname -m) != aarch64 ]] || target=aarch64-unknown-linux-gnu
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

packages=(-p netproof -p netproof-probe)
for name in $(network_images); do
  packages+=(-p "$name")
done

# The C library is linked in; nothing here looks names up through it. The lab is no part of an image.
compile() {
  cd "$root"
  RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target "$target" \
    --no-default-features "${packages[@]}"
}

# image NAME BINARY DOCKERFILE: an image of just this binary.
image() {
  local context
  context=$(mktemp -d "$cache/context.XXXXXX")
  cp "$CARGO_TARGET_DIR/$target/release/$2" "$context/"
  docker build --network none -f "$3" -t "$1:dev" "$context"
  rm -rf "$context"
  docker tag "$1:dev" "$1:$(image_tag "$1")"
}

step "Compiling operator, probe and the network's programs" compile
step "Building the operator's image" image netproof-operator netproof "$root/deploy/Dockerfile"
step "Building the probe's image" image netproof-probe netproof-probe "$root/probe/Dockerfile"
for name in $(network_images); do
  step "Building the image $name" image "$name" "$name" "$network/Dockerfile"
done
