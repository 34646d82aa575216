#!/usr/bin/env bash
# Turns the policy agents on or off: with them every node keeps NetworkPolicies, and without them none does.
set -euo pipefail
# shellcheck source=../../cluster/lib.sh
. "$(dirname "$0")/../../cluster/lib.sh"
# shellcheck source=../../images.sh
. "$here/../images.sh"

manifest=$network/deploy.yaml

case $1 in
  on)
    with_tags <"$manifest" | kubectl apply --server-side --force-conflicts -f -
    kubectl -n netproof-network rollout status daemonset/netproof-policy-agent --timeout=120s
    ;;
  # The namespace goes last, so that its end means that the agents have ended and taken their rules along.
  off) kubectl delete --ignore-not-found --wait --timeout=120s -f "$manifest" ;;
esac
