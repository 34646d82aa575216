#!/usr/bin/env bash
# Gives the nodes a plain pod network, in which nothing enforces policies and nothing leaves the machine. May be repeated.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"

# One line a node: name, pod range, address. Complete once the controller manager has given every node its range.
node_routes() {
  kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}'
}

routes_are_complete() {
  routes=$(node_routes) && [[ $(grep -c '/' <<<"$routes") == "$(nodes | wc -w)" ]]
}

within 90 routes_are_complete || die "The API server does not tell the nodes' pod ranges within 90 s"
connect_nodes
node_net=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$cluster")
for name in $(nodes); do
  docker exec -i -e inside="$pod_net, $service_net, $node_net, $backup_net" -e pod_net="$pod_net" -e routes="$routes" \
    "$name" bash -seu <"$here/network-node.sh"
done
