# Shared by the scripts of this folder: the tag of an image's content, and manifests that name it.
# shellcheck shell=bash

# A tag that changes with the image's content, so that what runs is what was built.
image_tag() {
  docker image inspect -f '{{.Id}}' "$1:dev" | cut -d: -f2 | cut -c1-12
}

# Reads manifests, and names the images by their content.
with_tags() {
  local image script=
  for image in netproof-operator netproof-probe netproof-policy-agent; do
    script+="s|$image:dev|$image:$(image_tag "$image")|g;"
  done
  sed "$script"
}
