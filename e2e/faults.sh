#!/usr/bin/env bash
# Makes the test network fail on purpose, or not any more: faults.sh 'NAME[=DURATION][@SCOPE], ...' | none
# SCOPE is node=NODE, namespace=NAMESPACE or pod=NAMESPACE/POD; the names are in operator/lab/agent/src/fault.rs.
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"

map=(-n netproof-network configmap netproof-faults)

none() {
  kubectl delete --ignore-not-found "${map[@]}"
}

# The agents look at it at once; one that cannot read it says so in its log and goes on as before.
fail() {
  kubectl create "${map[@]}" --from-literal="faults=$1" --dry-run=client -o yaml |
    kubectl apply --server-side --force-conflicts -f -
}

case $* in
  '') die "Usage: faults.sh 'NAME[=DURATION][@SCOPE], ...' | none" ;;
  none) step "Ending the faults" none ;;
  *) step "Setting faults" fail "$*" ;;
esac
