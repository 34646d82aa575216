#!/bin/sh
# Checks the alerts and runs their tests with promtool. `test.sh --print` prints them as a plain
# rule file, for a Prometheus without the Prometheus Operator.
set -eu
cd "$(dirname "$0")"

# The rule file is the spec of the PrometheusRule, which ends the object.
plain_rules() {
    sed -n '/^spec:$/,$ { /^spec:$/d; s/^  //; p; }' rules.yaml
}

if [ "${1:-}" = --print ]; then
    plain_rules
    exit
fi

command -v promtool >/dev/null || {
    echo "promtool is missing: apt-get install --no-install-recommends prometheus" >&2
    exit 1
}

# promtool looks for rule files next to the tests.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/*.yaml "$work"
plain_rules >"$work/rules.yaml"
cd "$work"
promtool check rules rules.yaml
promtool test rules blind.yaml blocked.yaml crash-loop.yaml leak.yaml operator-absent.yaml startup-leak.yaml
