# Shared by the scripts of this folder: names, places, and `step`, which shows what a long command is doing.
# shellcheck shell=bash disable=SC2034 # Not every script uses every name.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster=netproof
cache=${NETPROOF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/netproof}
logs=$cache/logs

# The version to install where no kind is there; its module's node files go into a node image of our own.
kind_version=v0.33.0

# Kubernetes' own ranges (kind.yaml has them too) and the network of the backup server.
pod_net=10.244.0.0/16
service_net=10.96.0.0/16
backup_net=192.168.5.0/24

# A network of our own, so that a user's own kind clusters are not touched.
export KIND_EXPERIMENTAL_DOCKER_NETWORK=$cluster
backup_network=$cluster-backup
backup=$cluster-backup
bridge=netproof0

export KUBECONFIG=$cache/kubeconfig
export PATH=$cache/bin:$PATH
export DOCKER_CLI_HINTS=false
mkdir -p "$cache/bin" "$logs"

# The network under test, and what its folder has to have (../networks/README.md).
network=$here/../networks/${NETWORK:-policy-agent}
network_scripts=(install enforcement)

die() {
  echo "$*" >&2
  exit 1
}

for script in "${network_scripts[@]}"; do
  [[ -x $network/$script.sh ]] || die "NETWORK=${network##*/}: e2e/networks/${network##*/}/$script.sh is no program"
done

# The node containers, control plane first.
nodes() {
  echo "$cluster-control-plane $cluster-worker $cluster-worker2"
}

# Holds the cache for this script. Children keep the lock too, so that what a killed run left working is waited for.
lock() {
  exec 9>"$cache/lock"
  flock -n 9 || step "Waiting for another run to finish" flock 9
}

# step "text" command...: says what is done, shows the seconds every 15 s, and ends the script where the command fails.
# Never call it in a condition: bash would ignore errors inside the command.
step() {
  local text=$1 start=$SECONDS ticker code log
  shift
  log=$logs/$(tr -cs '[:alnum:]\n' - <<<"${text,,}").log
  printf '%s ...' "$text"
  ticking $$ "$start" &
  ticker=$!
  set +e
  (
    set -e
    "$@"
  ) >"$log" 2>&1
  code=$?
  set -e
  kill "$ticker" 2>/dev/null || true # It ends by itself too, once this script is gone.
  wait "$ticker" 2>/dev/null || true
  if ((code == 0)); then
    printf ' done in %s s\n' "$((SECONDS - start))"
    return
  fi
  printf ' failed after %s s\n' "$((SECONDS - start))"
  {
    echo "The last lines of $log:"
    tail -n 30 "$log" | sed 's/^/  /'
  } >&2
  exit "$code"
}

# Prints the seconds since $2 while the process $1 lives. The sleep must not hold the caller's pipe open.
ticking() {
  exec 9>&-
  while sleep 15 >/dev/null 2>&1 && kill -0 "$1" 2>/dev/null; do
    printf ' %ss' "$((SECONDS - $2))"
  done
}

# Runs the command until it succeeds, once a second, for at most $1 seconds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 1
  done
}

# A short hash over the names and contents of files and folders here.
hash_of() {
  (cd "$here" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-12
}
