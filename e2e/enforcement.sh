#!/usr/bin/env bash
# Turns the test network's enforcement of NetworkPolicies on or off: enforcement.sh on|off
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"
# shellcheck source=images.sh
. "$here/../images.sh"

manifest=$here/../policy-agent/deploy.yaml

on() {
  with_tags <"$manifest" | kubectl apply --server-side --force-conflicts -f -
  kubectl -n netproof-network rollout status daemonset/netproof-policy-agent --timeout=120s
}

# The namespace goes last, so that its end means that the agents have ended and taken their rules along.
off() {
  kubectl delete --ignore-not-found --wait --timeout=120s -f "$manifest"
}

case ${1:-} in
  on) step "Turning enforcement on" on ;;
  off) step "Turning enforcement off" off ;;
  *) die "Usage: enforcement.sh on|off" ;;
esac
