#!/usr/bin/env bash
# Shows the main job on a real cluster: a network that ignores policies, then the same one enforcing them.
set -euo pipefail
# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/cluster/lib.sh"

root=$(cd "$here/../.." && pwd)
example=$root/examples/three-tier
began=$SECONDS

# The operator's own report on the example: matrix or flows.
report() {
  kubectl -n netproof-system exec deployment/netproof-operator -- /netproof "$1" -n shop three-tier
}

# What report flows must say, sorted, where denied flows have the verdict $1.
wanted() {
  grep -v '^#' "$example/expected.txt" |
    awk -v denied="$1" '{ print $0, $4 == "Allow" ? "conforms" : denied }' | LC_ALL=C sort
}

differences() {
  diff <(wanted "$1") <(report flows 2>&1 | LC_ALL=C sort)
}

# verdicts SECONDS VERDICT: waits until every flow has the verdict that it should have.
verdicts() {
  within "$1" differences "$2" >/dev/null && return
  echo "Not the verdicts that they should be (<: should be, >: is):"
  differences "$2"
  return 1
}

apply_example() {
  kubectl apply -k "$example"
  local name
  for name in web was db; do
    kubectl -n shop rollout status "deployment/$name" --timeout=90s
  done
}

conformant_is() {
  kubectl -n shop wait "--for=condition=Conformant=$1" --timeout="$2s" ctest/three-tier
}

show() {
  echo
  report matrix
  echo
  kubectl -n shop get ctest three-tier
  echo
}

"$here/up.sh"
"$here/../build.sh"
"$here/../install.sh"
"$here/../enforcement.sh" off
"$here/backup.sh" netproof-probe:dev --identity backup --listen tcp/80
step "Applying examples/three-tier" apply_example
applied=$SECONDS
step "Waiting for the verdict: all that the policies deny must leak" verdicts 90 leak
echo "The verdict came $((SECONDS - applied)) s after the example was there. Nobody enforces the policies of namespace shop:"
conformant_is False 10 >/dev/null
show

turned=$SECONDS
"$here/../enforcement.sh" on
step "Waiting for the same test, untouched, to be conformant" conformant_is True 90
took=$((SECONDS - turned))
step "Comparing with examples/three-tier/expected.txt" verdicts 15 conforms
show
cat <<END
Conformant=True came $took s after enforcement was asked for. All of this took $((SECONDS - began)) s.

The cluster stays up:  export KUBECONFIG=$KUBECONFIG
  kubectl -n shop get ctest three-tier -o yaml          all that is known, findings included
  kubectl -n shop get networkpolicies                   the policies; change one and look again
  e2e/enforcement.sh off                                turn enforcement off again
  make demo-down                                        remove everything that this made
END
