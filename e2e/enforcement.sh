#!/usr/bin/env bash
# Turns the test network's enforcement of NetworkPolicies on or off: enforcement.sh on|off
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"

case ${1:-} in
  on | off) step "Turning enforcement $1" "$network/enforcement.sh" "$1" ;;
  *) die "Usage: enforcement.sh on|off" ;;
esac
