#!/usr/bin/env bash
# Brings up the three-node cluster `netproof` on the network under test, or reuses the one that is there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# shellcheck source=engine-own.sh
. "$here/engine-own.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"

make_networks() {
  local mtu options=(-o "com.docker.network.bridge.name=$bridge")
  if ! docker network inspect "$cluster" >/dev/null; then
    mtu=$(docker network inspect bridge -f '{{index .Options "com.docker.network.driver.mtu"}}')
    [[ -z $mtu ]] || options+=(-o "com.docker.network.driver.mtu=$mtu")
    docker network create "${options[@]}" "$cluster"
  fi
  docker network inspect "$backup_network" >/dev/null ||
    docker network create --internal --subnet "$backup_net" "$backup_network"
}

# kubectl of the cluster's own version, for a machine that has none.
install_kubectl() {
  local container
  container=$(docker create "$image")
  docker cp -L "$container:/usr/bin/kubectl" "$cache/bin/kubectl.new"
  docker rm "$container"
  mv "$cache/bin/kubectl.new" "$cache/bin/kubectl"
}

create_cluster() {
  docker run --rm --privileged --network none --entrypoint true "$image" ||
    die "This Docker engine cannot run the nodes. Where CAP_SYS_RESOURCE is withheld: stop it, and one that can is started here"
  kind delete cluster --name "$cluster"
  kind create cluster --name "$cluster" --image "$image" --config "$here/kind.yaml"
  cluster_identity >"$cache/cluster"
}

# What the cluster was made from, which network it got, and its very containers.
cluster_identity() {
  # shellcheck disable=SC2046 # One argument a node.
  echo "$image $(hash_of kind.yaml) ${network##*/}" $(docker container inspect -f '{{.Id}}' $(nodes) 2>/dev/null)
}

cluster_is_complete() {
  [[ -e $cache/cluster && $(<"$cache/cluster") == "$(cluster_identity)" ]]
}

wait_until_ready() {
  local name
  kubectl wait --for=condition=Ready nodes --all --timeout=120s
  kubectl -n kube-system rollout status daemonset/kube-proxy --timeout=120s
  kubectl -n kube-system rollout status deployment/coredns --timeout=180s
  for name in $(nodes); do
    within 60 reaches_dns "$name" || die "$name does not reach the CoreDNS pods: the pod network does not carry"
  done
}

# Does the node reach every CoreDNS pod, on its own node and on the others?
reaches_dns() {
  local address
  for address in $(kubectl -n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{.items[*].status.podIP}'); do
    docker exec "$1" curl -sS --max-time 2 "http://$address:8181/ready" || return 1
  done
}

lock
"$here/engine.sh"
"$here/node-image.sh"
image=$(<"$cache/node-image")
command -v kubectl >/dev/null || step "Installing kubectl from the node image" install_kubectl
step "Making the cluster's networks" make_networks
if engine_is_ours; then
  step "Keeping the cluster's packets on this machine" fence_engine
fi
if cluster_is_complete; then
  step "Starting the nodes that are stopped" start_nodes
else
  step "Creating the cluster" create_cluster
fi
step "Writing the kubeconfig" kind export kubeconfig --name "$cluster" --kubeconfig "$KUBECONFIG"
step "Setting up the pod network" "$network/install.sh"
step "Waiting for nodes and DNS" wait_until_ready
echo "The cluster is up: export KUBECONFIG=$KUBECONFIG"
