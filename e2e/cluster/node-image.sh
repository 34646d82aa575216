#!/usr/bin/env bash
# Decides which image the nodes are made from: kind's own where it can be pulled, else one that is built here.
# Writes its name to the file node-image in the cache.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# shellcheck source=engine-own.sh
. "$here/engine-own.sh"

# From the release notes of the kind version in lib.sh.
official=kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d

have() {
  docker image inspect "$1" >/dev/null 2>&1
}

choose() {
  echo "$1" >"$cache/node-image"
  exit 0
}

# shellcheck disable=SC2317 # Called by step.
# Gives up where no layer has begun to arrive within 20 s; a slow pull is left to finish.
pull_official() {
  local log=$logs/pull.log pid
  docker pull "$official" >"$log" 2>&1 &
  pid=$!
  within 20 pull_began "$log" "$pid" || kill "$pid"
  wait "$pid" && return
  cat "$log"
  echo "Not to be had from here: the node image is built instead"
}

# shellcheck disable=SC2317 # Called by within.
pull_began() {
  grep -q 'Pulling fs layer' "$1" || ! kill -0 "$2" 2>/dev/null
}

load_or_build() {
  if [[ -e $archive ]]; then
    step "Loading the node image from the cache" docker load -i "$archive"
  else
    "$here/node/build.sh" "$image" "$archive"
  fi
}

# kind's own image cannot run kube-proxy where privileged containers need the runtime wrapper, so it is not tried there.
wrapped=no
capable $cap_sys_resource || wrapped=yes
key=$(hash_of node runc-without-sys-resource.sh)-$kind_version
[[ $wrapped == no ]] || key+=-wrapped
image=netproof-e2e/node:$key
archive=$cache/parts/node-$key.tar

have "$image" && choose "$image"
if [[ $wrapped == no ]]; then
  have "$official" || step "Pulling kind's node image" pull_official
  have "$official" && choose "$official"
fi
load_or_build
choose "$image"
