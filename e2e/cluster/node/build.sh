#!/usr/bin/env bash
# Builds the node image $1 from Debian packages and Go modules, and saves it as $2; each finished part stays in the cache.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=engine-own.sh
. "$here/engine-own.sh"

image=$1
archive=$2
node=$here/node
parts=$cache/parts
work=$cache/work
kubernetes_version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$node/programs/go.mod")
mkdir -p "$parts"

# part NAME INPUT "text" command...: sets the variable NAME to the part's file; the command makes it where it is not there
# yet, and writes to the path that it is given last.
part() {
  local name=$1 input=$2 text=$3 file
  shift 3
  file=$parts/$name-$(hash_of "node/$input")
  if [[ ! -e $file ]]; then
    step "$text" make_part "$file" "$@"
  fi
  touch "$file"
  printf -v "$name" %s "$file"
}

make_part() {
  local file=$1
  shift
  rm -rf --one-file-system "$file.new"
  "$@" "$file.new"
  mv "$file.new" "$file"
}

# The programs of a Go module into a folder. A build that was ended goes on from what Go's own cache holds.
go_programs() {
  local package=k8s.io/component-base/version minor=${kubernetes_version#v1.}
  mkdir "$2"
  CGO_ENABLED=0 GOWORK=off go build -C "$node/$1" -trimpath -buildvcs=false -o "$2/" -ldflags \
    "-s -w -X $package.gitVersion=$kubernetes_version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}" ./...
}

pause_program() {
  cc -static -Os -s -o "$1" "$node/pause/pause.c"
}

# The nodes' Debian, from wherever this machine's apt gets its own, with apt's proxies and certificates.
debian_root() {
  local out=$1 sources packages
  # shellcheck disable=SC2016 # The names are apt's, not the shell's.
  sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian')
  [[ $sources ]] || die "apt knows no Debian archive here: a node image can be built on Debian only"
  command -v mmdebstrap >/dev/null ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap
  apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' >"$work/apt.conf" || true
  packages=$(paste -sd, "$node/packages")
  TMPDIR=$work mmdebstrap --variant=minbase --format=tar --include="$packages" --aptopt="$work/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$out" - <<<"$sources"
}

# kind's node files, from the module that kind itself was built from, with the modes its own image gives them.
kind_files() {
  local out=$1 module
  module=$(go mod download -json "sigs.k8s.io/kind@$kind_version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  mkdir -p "$out"
  cp -R --no-preserve=mode "$module/images/base/files/." "$out/"
  chmod 0755 "$out"/usr/local/bin/* "$out"/kind/bin/*
}

node_image() {
  local context=$work/context
  rm -rf "$context"
  mkdir -p "$context"
  docker import --change 'LABEL netproof-e2e=yes' "$root" netproof-e2e/base

  ln "$pause" "$context/pause"
  ln "$coredns"/* "$programs"/* "$context/"
  local target
  for target in pause etcd coredns kubernetes; do
    docker build --network none --build-arg BASE=netproof-e2e/base --target "$target" -t "netproof-e2e/$target" \
      -f "$node/images.Dockerfile" "$context"
  done

  rm -rf "$context"
  kind_files "$context/files"
  install -D "$programs/kubernetes" "$context/files/usr/bin/kubernetes"
  cp "$node/setup.sh" "$context/"
  if ! capable $cap_sys_resource; then
    install -D "$here/runc-without-sys-resource.sh" "$context/files/usr/local/sbin/runc"
  fi
  docker build --network none --build-arg BASE=netproof-e2e/base -t netproof-e2e/empty-node -f "$node/node.Dockerfile" "$context"
  preload
  rm -rf "$context"
}

preload() {
  local container=$cluster-preload
  docker rm -f "$container" 2>/dev/null || true
  docker run -d --name "$container" --privileged --network none --entrypoint sleep netproof-e2e/empty-node infinity
  docker cp "$node/preload.sh" "$container:/tmp/preload.sh"
  docker save netproof-e2e/pause netproof-e2e/etcd netproof-e2e/coredns netproof-e2e/kubernetes |
    docker exec -i "$container" sh -eu /tmp/preload.sh
  docker exec "$container" rm /tmp/preload.sh
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' "$container" "$image"
  docker rm -f "$container"
}

save_image() {
  docker save "$image" >"$1"
}

# Removes what went into the image, earlier node images that no container uses, and parts that nothing has used for a month.
tidy() {
  docker image rm netproof-e2e/empty-node netproof-e2e/base \
    netproof-e2e/pause netproof-e2e/etcd netproof-e2e/coredns netproof-e2e/kubernetes
  docker image ls --format '{{.Repository}}:{{.Tag}}' netproof-e2e/node | grep -vxF "$image" | xargs -r docker image rm || true
  docker image prune -f --filter label=netproof-e2e
  find "$parts" -mindepth 1 -maxdepth 1 -mtime +30 -exec rm -rf {} +
}

command -v apt-get >/dev/null || die "A node image can be built on Debian only; elsewhere kind's own has to be pulled"
command -v go >/dev/null || die "Go is needed to build a node image where none can be pulled"
rm -rf --one-file-system "$work"
mkdir -p "$work"
pause='' root='' coredns='' programs='' # Set by part.
part pause pause "Building the pause program" pause_program
part root packages "Installing the nodes' Debian" debian_root
part coredns coredns "Building CoreDNS" go_programs coredns
part programs programs "Building Kubernetes $kubernetes_version and etcd (6 minutes on two cores)" go_programs programs
step "Building the node image" node_image
step "Keeping it in the cache" make_part "$archive" save_image
step "Tidying up" tidy
rm -rf --one-file-system "$work"
