#!/usr/bin/env bash
# Keeps the files of each crate in floors: none imports one that, however far round, imports it.
#
# Read are imports and paths that begin at the crate, at a module around the file, or at one of its
# own. That a file takes something from the module that it is a part of is no arrow. Tests are free.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck disable=SC2016 # awk's own
arrows='
  function module_of(file) {
    file = substr(file, length(src) + 1)
    sub(/\.rs$/, "", file)
    return file ~ /^(lib|main)$/ ? "" : file
  }
  function inside(module, name) { return module == "" ? name : module "/" name }
  function parent(module) { return sub(/\/[^\/]*$/, "", module) ? module : "" }
  function arrow(to) {
    if (to != "" && to != here && index(here, to "/") != 1) print (here == "" ? "lib" : here), to
  }
  # One path: the arrow goes to the innermost module that it names.
  function follow(path,    names, n, i, at, deeper) {
    n = split(path, names, "::")
    i = 1
    at = here
    if (names[1] == "crate") { at = ""; i = 2 }
    else if (names[1] != "super" && !(inside(here, names[1]) in modules)) return
    for (; names[i] == "super"; i++) at = parent(at)
    for (; i <= n && (inside(at, names[i]) in modules); i++) at = inside(at, names[i])
    arrow(at)
  }
  # All paths of a tree such as `a::{b, c::{d, e}}`, without blanks.
  function unfold(before, tree,    i, char, depth, part) {
    if (!(i = index(tree, "{"))) { follow(before tree); return }
    before = before substr(tree, 1, i - 1)
    for (i++; i <= length(tree); i++) {
      char = substr(tree, i, 1)
      depth += (char == "{") - (char == "}")
      if (depth < 0 || (depth == 0 && char == ",")) {
        if (part != "") unfold(before, part)
        part = ""
      } else part = part char
    }
  }
  BEGIN { for (i = 1; i < ARGC; i++) modules[module_of(ARGV[i])] }
  FNR == 1 { here = module_of(FILENAME); use = ""; apart = 0 }
  /^(pub(\([a-z]+\))? )?mod [a-z0-9_]+ \{/ { apart = 1 }
  apart { if (/^}/) apart = 0; next }
  /^(pub(\([a-z: ]+\))? )?use / { use = " "; sub(/^.*use /, "") }
  use != "" {
    use = use $0
    if (/;/) { gsub(/ as [A-Za-z_]+|[ ;]/, "", use); unfold("", use); use = "" }
    next
  }
  /^ *\/\// { next }
  {
    for (line = $0; match(line, /[a-z0-9_]+(::[a-z0-9_]+)*::/); line = substr(line, RSTART + RLENGTH))
      follow(substr(line, RSTART, RLENGTH - 2))
  }'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
found=0
for lib in $(git ls-files '*/src/lib.rs'); do
  src=${lib%lib.rs}
  git ls-files "$src*.rs" | grep -vE '(^|_)tests\.rs$|/(tests|testing)(\.rs|/)|/main\.rs$' |
    xargs awk -v src="$src" "$arrows" | sort -u | tee -a "$work/all" >"$work/arrows"
  if ! tsort "$work/arrows" >/dev/null 2>"$work/loops"; then
    echo "$src: files import each other in circles; what they share belongs into one below them"
    sed 's/^tsort: .*contains a loop:$/  circle:/; s/^tsort: /    /' "$work/loops"
    found=1
  fi >&2
done
echo "   $(wc -l <"$work/all") imports among the files of a crate"
exit "$found"
