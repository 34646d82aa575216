//! The longer texts of the help: examples, formats, exit codes.

/// What the exit code of each command means.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  fine: every question was answered, and where one flow was asked of, it is allowed
  1  the answer is no: a flow that was asked of is denied, a difference or a finding is there
  2  cannot tell: bad input, a flow that names nothing, or one that the API leaves unspecified";

/// The text under `predict -h`.
pub const PREDICT_EXAMPLES: &str = "\
Examples:
  netproof predict -f manifests/                          the matrix of all pairs
  netproof predict -f dump.json --flows flows.jsonl       an answer for each line
  netproof predict -f . --from shop/web --to shop/db --port 3306
                                                          one question: exit code 0, 1 or 2
  netproof predict -A -o html > matrix.html               the current cluster

`netproof predict --help` says how flows and answers are written.";

/// The text under `predict --help`.
pub const PREDICT: &str = "\
Examples:
  netproof predict -f manifests/
  netproof predict -f dump.json --flows flows.jsonl --explain
  kubectl get ns,pods,svc,netpol -A -o json | netproof predict -f - -o csv
  netproof predict -f . --from shop/web --to shop/db --port 3306
  netproof predict -A --summary
  netproof predict --context staging -n shop -o html > matrix.html

All pairs:
  Without --flows, each pod sends to each pod, itself included, on the ports that the receiver
  declares, or on --port. --from and --to leave out everything else. Pods that differ in nothing
  that decides share a row and a column of the table.

Flows:
  --flows takes one JSON object a line:
    {\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":3306,\"protocol\":\"TCP\"}
  from, to   a pod as NAMESPACE/NAME, or an address. What is written as an address is one, and no
             selector matches it, even if a pod has it
  port       1 to 65535: the port of the pod, not of a Service
  protocol   TCP, UDP or SCTP
  family     IPv4 or IPv6, only where it matters: without it, the first of the receiver's
             addresses whose family the sender has
  The answer is a line with the same fields and
  expected   Allow, Deny or Unspecified
  reason     where it is Unspecified: one word for what the API leaves open
  by         with --explain: {\"egress\":SIDE,\"ingress\":SIDE}, or null where it is Unspecified
  The answers come in the order of the flows. A line that cannot be answered is an error with its
  number on standard error; the others are answered, and the exit code is 2.

A SIDE of a flow:
  {\"decision\":\"Allow\",\"isolatedBy\":[\"shop/db\"],\"allowedBy\":[RULE],\"deniedBy\":[]}
  decision    Allow or Deny: whether the flow passes this side
  isolatedBy  the NetworkPolicies that isolate the pod in this direction; empty if there is none,
              or if a policy of the cluster decided before they were asked
  allowedBy   all rules that let the flow pass; empty if nothing isolates the pod
  deniedBy    the rule of a policy of the cluster that stops it; empty where no rule of those in
              isolatedBy lets it pass
  A RULE is {\"kind\":\"NetworkPolicy\",\"policy\":\"shop/db\",\"rule\":0,\"peer\":0,\"port\":null}: the places in
  the lists of the policy, from 0, and null where there is no such list and so no limit. The kind
  tells NetworkPolicies from policies of the cluster, which are called by their name alone.

Exit codes:
  0  every flow was answered; a single one, asked by --from and --to, is allowed
  1  a flow asked by --from and --to is denied
  2  bad input, or a flow asked by --from and --to that the API leaves unspecified";

/// The text under `explain --help`.
pub const EXPLAIN: &str = "\
Examples:
  netproof explain -f manifests/ --from shop/web --to shop/db --port 3306
  netproof explain -A --from shop/web --to svc/data/postgres
  netproof explain -f . --from shop/was --to 192.168.5.10 --port 80 -o json

A flow to a Service is a flow to its pods on the target port; each of them is answered.

Exit codes: 0 every flow that was asked of is allowed, 1 one is denied, 2 bad input or unspecified.";

/// The text under `diff --help`.
pub const DIFF: &str = "\
Examples:
  netproof diff -f before/ -f after/
  git worktree add ../old main && netproof diff -f ../old/manifests -f manifests -o markdown

Pods are the same if namespace and name are. Every port is compared: those that a policy or a pod
mentions each, and all others as one. What policies say of those who are not among the objects
(addresses outside, pods with other labels, other namespaces) is compared too, by strangers made up
of what the policies mention; a policy of which not all of them could be tried may have changed.

Exit codes: 0 no answer changes, 1 some do, or may, 2 bad input.";

/// The text under `lint --help`.
pub const LINT: &str = "\
Examples:
  netproof lint -f manifests/
  netproof lint -f manifests/ -o sarif > netproof.sarif
  netproof lint -A

Exit codes: 0 nothing found but notes, 1 errors or warnings found, 2 bad input.";

/// The text under `completions --help`.
pub const COMPLETIONS: &str = "\
Examples:
  netproof completions bash > /etc/bash_completion.d/netproof
  netproof completions zsh > \"${fpath[1]}/_netproof\"
  netproof completions fish > ~/.config/fish/completions/netproof.fish";

/// The text under `man --help`.
pub const MAN: &str = "\
Example:
  netproof man > /usr/local/share/man/man1/netproof.1";

/// The text under `lab -h`.
#[cfg(feature = "lab")]
pub const LAB: &str = "\
Examples:
  netproof lab -f examples/three-tier                              a network that keeps its word
  netproof lab -f examples/three-tier --network plain              one that enforces nothing
  netproof lab -f examples/three-tier --network fault=ignores-egress@node=node-2
  netproof lab --list-faults

Every pod is a network namespace with a probe in it, every node is one that routes and has nftables
rules, set by a policy agent. It needs nft (package nftables) and either root or user namespaces,
and sends nothing out of this machine.

Exit codes:
  0  everything conforms
  1  something leaks or is blocked
  2  cannot tell: bad input, or a flow that could not be judged";
