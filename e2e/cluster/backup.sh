#!/usr/bin/env bash
# Starts the backup server anew at 192.168.5.10: backup.sh IMAGE ARGS...
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"

start_backup() {
  docker rm -f "$backup" 2>/dev/null || true
  docker run -d -i --name "$backup" --network "$backup_network" --ip "${backup_net%.*}.10" \
    --sysctl net.ipv4.ip_unprivileged_port_start=0 "$@"
  sleep 1
  running "$backup" || {
    docker logs "$backup"
    die "The backup server ended at once"
  }
}

(($# > 0)) || die "Usage: backup.sh IMAGE ARGS..."
step "Starting the backup server" start_backup "$@"
