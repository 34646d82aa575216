#!/usr/bin/env bash
# Loads images of the local Docker engine into the nodes that do not hold them yet: load.sh IMAGE...
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# The name that containerd knows a Docker image by.
full_name() {
  local name=$1
  [[ ${name##*/} == *:* ]] || name+=:latest
  case $name in
    localhost/* | *.*/* | *:*/*) echo "$name" ;;
    */*) echo "docker.io/$name" ;;
    *) echo "docker.io/library/$name" ;;
  esac
}

# Does the node hold the image under this name with this id? The id is that of the config or, with newer engines, of the manifest.
holds() {
  docker exec -i -e name="$2" -e id="$3" "$1" bash -seu <<'NODE'
digest=$(ctr -n k8s.io images list "name==$name" | awk 'NR == 2 { print $3 }')
[[ $digest ]] || exit 1
[[ $digest != "$id" ]] || exit 0
ctr -n k8s.io content get "$digest" | jq -e --arg id "$id" '[.. | .digest? // empty] | any(. == $id)' >/dev/null
NODE
}

images=()
targets=()
for image in "$@"; do
  id=$(docker image inspect -f '{{.Id}}' "$image") || die "The Docker engine has no image $image"
  for node in $(nodes); do
    holds "$node" "$(full_name "$image")" "$id" && continue
    [[ " ${images[*]} " == *" $image "* ]] || images+=("$image")
    [[ " ${targets[*]} " == *" $node "* ]] || targets+=("$node")
  done
done

if ((${#images[@]} == 0)); then
  echo "All nodes hold $*"
else
  step "Loading ${images[*]} into ${#targets[@]} nodes" \
    kind load docker-image --name "$cluster" --nodes "$(IFS=,; echo "${targets[*]}")" "${images[@]}"
fi
