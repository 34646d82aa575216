#!/usr/bin/env bash
# Removes what up.sh made: cluster, networks, backup server, and the Docker engine where up.sh started it. --purge: the cache too.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# shellcheck source=engine-own.sh
. "$here/engine-own.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"

remove_cluster() {
  # shellcheck disable=SC2046 # One argument a node.
  docker rm -f -v $(nodes) "$backup"
  local network
  for network in "$cluster" "$backup_network"; do
    if docker network inspect "$network" >/dev/null 2>&1; then
      docker network rm "$network"
    fi
  done
  rm -f "$KUBECONFIG" "$cache/cluster"
}

remove_images() {
  docker image ls -q 'netproof-e2e/node' | sort -u | xargs -r docker image rm -f
}

remove_cache() {
  rm -rf "${cache:?}"/{bin,logs,parts,work,target,node-image,lock}
  rmdir --ignore-fail-on-non-empty "$cache"
}

purge=no
[[ ${1:-} == --purge ]] && purge=yes

lock
if ! docker version >/dev/null 2>&1; then
  # After a reboot the containers are still there, and so is the trace of the engine that ran them.
  if [[ -e $pidfile ]]; then
    step "Starting the Docker engine once more" start_engine
  else
    echo "No Docker engine answers: nothing to remove from it"
  fi
fi
if docker version >/dev/null 2>&1; then
  step "Removing the cluster" remove_cluster
  [[ $purge == no ]] || step "Removing the node images" remove_images
fi
if engine_is_ours; then
  unfence_engine
  step "Stopping the Docker engine" stop_engine
fi
if [[ $purge == yes ]]; then
  remove_cache
fi
