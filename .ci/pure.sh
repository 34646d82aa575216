#!/usr/bin/env bash
# Keeps operator/conformance without I/O, clock and logging: by what it depends on and by what it names.
set -euo pipefail
cd "$(dirname "$0")/.."

allowed='ipnet serde strsim thiserror'
found=$(cargo tree --locked -p netproof-conformance -e normal --depth 1 --prefix none --format '{p}' |
  tail -n +2 | cut -d' ' -f1 | sort -u | xargs)
if [[ $found != "$allowed" ]]; then
  echo "netproof-conformance depends on: $found; allowed: $allowed" >&2
  exit 1
fi

impure='std::(fs|io|env|process|thread|os)\b|std::net::(Tcp|Udp)|\b(Instant|SystemTime|File|Command)\b'
impure+='|\b(e?print(ln)?|dbg)!|std::\{[^}]*\b(fs|io|env|process|thread|os)\b'
if grep -rnE "$impure" operator/conformance/src --include='*.rs' | grep -vE '^[^:]+:[0-9]+: *//'; then
  echo "netproof-conformance names something that does I/O, tells the time or prints" >&2
  exit 1
fi
echo "   depends on $found only"

# The agent is the second opinion: what it shares with the first would be wrong in both.
shared=$(cargo tree --locked -p netproof-policy-agent -e normal --prefix none --format '{p}' |
  cut -d' ' -f1 | awk '/^netproof-/ && $0 != "netproof-policy-agent"' | sort -u | xargs)
if [[ -n $shared ]]; then
  echo "netproof-policy-agent depends on $shared: it has to know policies by itself" >&2
  exit 1
fi
echo "   the policy agent shares no code with it"
