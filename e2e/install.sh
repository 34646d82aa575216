#!/usr/bin/env bash
# Loads the images into the nodes and installs netproof as deploy/ has it.
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"
# shellcheck source=images.sh
. "$here/../images.sh"

root=$(cd "$here/../.." && pwd)

install() {
  kubectl kustomize "$root/deploy" | with_tags | kubectl apply --server-side --force-conflicts -f -
  kubectl wait --for=condition=Established --timeout=60s \
    crd/connectivitytests.netproof.dev crd/standinsets.netproof.dev
  kubectl -n netproof-system rollout status deployment/netproof-operator --timeout=120s
}

images=()
for image in netproof-operator netproof-probe $(network_images); do
  images+=("$image:$(image_tag "$image")")
done
"$here/load.sh" "${images[@]}" netproof-probe:dev
step "Installing netproof" install
