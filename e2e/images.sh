# Shared by the scripts of this folder: the tag of an image's content, and manifests that name it.
# shellcheck shell=bash disable=SC2154 # $network is from cluster/lib.sh.

# A tag that changes with the image's content, so that what runs is what was built.
image_tag() {
  docker image inspect -f '{{.Id}}' "$1:dev" | cut -d: -f2 | cut -c1-12
}

# The programs that the network under test brings: packages of the workspace, each with an image of its name.
network_images() {
  [[ ! -e $network/images ]] || cat "$network/images"
}

# Reads manifests, and names the images by their content.
with_tags() {
  local image script=
  for image in netproof-operator netproof-probe $(network_images); do
    script+="s|$image:dev|$image:$(image_tag "$image")|g;"
  done
  sed "$script"
}
