#!/usr/bin/env bash
# Keeps the house readable: lines fit, the name of a type is that of one thing, and files lie in floors.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What rustfmt does not see to: comments, and code that it cannot break. A line of code with a `"` may
# be a text that cannot be broken either.
# shellcheck disable=SC2016 # awk's own
too_long='length > 100 && (/^ *\/\// || !/"/) {
  printf "%s:%d: %d columns, and 100 are the most\n", FILENAME, FNR, length; found = 1
} END { exit found }'
git ls-files -z 'operator/*.rs' 'probe/*.rs' 'crds/*.rs' 'e2e/*.rs' | xargs -0 awk "$too_long" >&2

# Public types that more than one module may define: the name, and the crates that do.
cat >"$work/listed" <<'END'
# What an object of our own API says, and what that is to those who act on it.
Check         conformance crds
Diagnosis     conformance crds
Endpoint      conformance crds
NamedPort     agent conformance crds
Port          agent conformance crds
Protocol      agent conformance crds probe
StandIn       crds rounds
WorkloadKind  conformance crds
# What a probe says on the wire, and what whoever asked makes of it. A probe depends on nobody.
Fate          probe rounds
Outcome       conformance probe
# The words of NetworkPolicy and of networks that fail, in the agent too, which shares no code.
Direction     agent conformance
Fault         agent conformance
Isolation     agent conformance
Labels        agent conformance
Namespaces    agent conformance
Peer          agent conformance
Peers         agent conformance
Pod           agent conformance
Policy        agent conformance
PolicyTypes   agent conformance
PortRange     agent conformance
Ports         agent conformance
Rule          agent conformance
Scope         agent conformance
Selector      agent conformance
Subject       agent conformance
World         agent rounds
# What each kind of policy calls so in the API, and what all of them are read into.
EgressRule    conformance
IngressRule   conformance
IpBlock       conformance
PortMatch     conformance
# The arguments of a binary.
Args          agent probe
END

# shellcheck disable=SC2016 # awk's own
public='/^pub (struct|enum|trait|type) [A-Z]/ {
  name = $3; sub(/[^A-Za-z0-9_].*/, "", name)
  crate = FILENAME; sub(/\/src\/.*/, "", crate); sub(/.*\//, "", crate)
  print name, crate, FILENAME
}'
# Name, crate and file of each, tests and what only tests depend on (operator/cases) left out.
git ls-files 'operator/*.rs' 'probe/src/*.rs' 'crds/src/*.rs' |
  grep -vE '(^|/)(tests|benches|examples)/|(^|_)tests\.rs$|/(tests|testing)\.rs$|^operator/cases/' |
  xargs awk "$public" >"$work/defined"

# shellcheck disable=SC2016 # awk's own
twice='
  FILENAME ~ /listed$/ {
    if (!/^#/) for (i = 2; i <= NF; i++) listed[$1 " " $i]
    next
  }
  { count[$1]++; files[$1] = files[$1] "\n  " $3; crates[NR] = $1 " " $2 }
  END {
    for (n in crates) {
      split(crates[n], word, " ")
      if (count[word[1]] < 2) continue
      met[crates[n]]
      if (!(crates[n] in listed)) unlisted[word[1]]
    }
    for (name in unlisted) {
      print name " names a public type in more than one module; one needs another name:" files[name]
      found = 1
    }
    for (pair in listed) if (!(pair in met)) {
      print pair ": no longer one of several of that name; take it off the list in .ci/house.sh"
      found = 1
    }
    exit found
  }'
awk "$twice" "$work/listed" "$work/defined" >&2
echo "   $(cut -d' ' -f1 "$work/defined" | sort -u | wc -l) names of public types"

.ci/circles.sh
