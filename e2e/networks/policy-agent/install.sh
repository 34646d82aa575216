#!/usr/bin/env bash
# Gives the nodes a plain pod network, in which nothing enforces policies and nothing leaves the machine. May be repeated.
set -euo pipefail
# shellcheck source=../../cluster/lib.sh
. "$(dirname "$0")/../../cluster/lib.sh"
# shellcheck source=../../cluster/nodes.sh
. "$here/nodes.sh"

# One line a node: name, pod range, address. Complete once the controller manager has given every node its range. The address
# is the engine's word: after a restart a container may have another one, which the API server learns only some time later.
node_routes() {
  local name range
  for name in $(nodes); do
    range=$(kubectl get node "$name" -o jsonpath='{.spec.podCIDR}') || return 1
    [[ -n $range ]] || return 1
    echo "$name $range $(node_address "$name")"
  done
}

routes_are_complete() {
  routes=$(node_routes)
}

within 90 routes_are_complete || die "The API server does not tell the nodes' pod ranges within 90 s"
connect_nodes
node_net=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$cluster")
for name in $(nodes); do
  docker exec -i -e inside="$pod_net, $service_net, $node_net, $backup_net" -e pod_net="$pod_net" -e routes="$routes" \
    "$name" bash -seu <"$network/node.sh"
done
