//! The faults of meaning and of memory: each a rewriting of a snapshot, so that what a faulty
//! network does is what the evaluator says of the rewritten one.
//!
//! Rewritings concern `NetworkPolicies`; policies of the cluster stay as they are, but for a
//! network that blocks all. Pods keep their places, so that a flow of the one snapshot is one of
//! the other.

mod aside;
mod blocks;
mod directions;
mod mark;
mod order;
mod past;
mod paths;
mod peers;
mod ports;
mod rewrite;
mod selectors;

use std::fmt;

use crate::snapshot::Snapshot;

pub use past::Past;

pub(super) use aside::labels_aside;
pub(super) use mark::mark;
pub(super) use rewrite::and;

/// A way in which a network can be wrong: a rewriting of what it is to enforce.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     diagnosis::mutation::{Mutation, Past},
///     evaluate::expect,
/// };
///
/// let ignores_all = Mutation::named("ignores-all").expect("a mutation");
/// let faulty = ignores_all.apply(&shop(), &Past::default());
/// // What a network does that ignores policies is what the evaluator says without them.
/// assert_eq!(expect(&faulty, &flow("job", "db")).word(), "Allow");
/// ```
pub struct Mutation {
    /// The stable name, such as `ignores-egress`, for metrics and statuses; unique in
    /// [`MUTATIONS`].
    pub name: &'static str,
    /// Completes "behaves as a network that …".
    pub claim: &'static str,
    /// How much of what policies say the fault makes void: of two that predict the same, the one
    /// that claims less is named.
    pub(super) reach: Reach,
    /// When the mutation is applied, if two are.
    pub(super) stage: MutationStage,
    apply: Apply,
}

/// How much a fault makes void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// One thing that a rule can say.
    Part,
    /// All that rules say of ports, of peers, or of some flows.
    Rules,
    /// All that policies say of what subjects receive, or of what they send.
    Direction,
    /// All that policies say.
    All,
}

/// In what order two faults of a network are applied: faults that read objects wrong come before
/// those that put other things in their place, which no other fault is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MutationStage {
    /// Which objects there are, with which labels.
    Objects,
    /// What selectors, rules and directions mean.
    Reading,
    /// Which policies count for a pod.
    Subjects,
    /// What addresses take from rules.
    Addresses,
    /// Which traffic is enforced at all.
    Traffic,
}

#[derive(Clone, Copy)]
enum Apply {
    Meaning(fn(&Snapshot) -> Snapshot),
    /// A fault of meaning that is about a path between nodes, and so has its own scope.
    Path(fn(&Snapshot) -> Snapshot),
    Memory(fn(&Snapshot, &Past) -> Snapshot),
}

impl Mutation {
    /// The mutation of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        MUTATIONS.iter().find(|one| one.name == name)
    }

    /// What a network with this fault makes of a snapshot. Faults of memory need a past to speak
    /// of; without one they change nothing.
    pub fn apply(&self, snapshot: &Snapshot, past: &Past) -> Snapshot {
        match self.apply {
            Apply::Meaning(apply) | Apply::Path(apply) => apply(snapshot),
            Apply::Memory(apply) => apply(snapshot, past),
        }
    }

    /// Whether the mutation is a fault of memory, which takes the past into account.
    pub fn remembers(&self) -> bool {
        match self.apply {
            Apply::Meaning(_) | Apply::Path(_) => false,
            Apply::Memory(_) => true,
        }
    }

    /// Whether the mutation is about a path, and so has its own scope.
    pub(super) fn is_path(&self) -> bool {
        match self.apply {
            Apply::Path(_) => true,
            Apply::Meaning(_) | Apply::Memory(_) => false,
        }
    }

    /// The place in the table, which decides where nothing else does.
    pub(super) fn place(&self) -> usize {
        MUTATIONS.iter().position(|one| one.name == self.name).unwrap_or(MUTATIONS.len())
    }
}

impl PartialEq for Mutation {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Mutation {}

impl fmt::Debug for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn meaning(
    name: &'static str,
    claim: &'static str,
    (reach, stage): (Reach, MutationStage),
    apply: fn(&Snapshot) -> Snapshot,
) -> Mutation {
    Mutation { name, claim, reach, stage, apply: Apply::Meaning(apply) }
}

const fn path(
    name: &'static str,
    claim: &'static str,
    apply: fn(&Snapshot) -> Snapshot,
) -> Mutation {
    let (reach, stage) = (Reach::Rules, MutationStage::Traffic);
    Mutation { name, claim, reach, stage, apply: Apply::Path(apply) }
}

const fn memory(
    name: &'static str,
    claim: &'static str,
    apply: fn(&Snapshot, &Past) -> Snapshot,
) -> Mutation {
    let (reach, stage) = (Reach::Part, MutationStage::Objects);
    Mutation { name, claim, reach, stage, apply: Apply::Memory(apply) }
}

const PART: (Reach, MutationStage) = (Reach::Part, MutationStage::Reading);
const RULES: (Reach, MutationStage) = (Reach::Rules, MutationStage::Reading);

/// Every fault of meaning and of memory that is known. Where two explain the same and claim the
/// same, the one that stands first is named.
pub static MUTATIONS: [Mutation; 29] = [
    meaning(
        "ignores-all",
        "ignores all policies",
        (Reach::All, MutationStage::Reading),
        directions::ignores_all,
    ),
    meaning(
        "ignores-ingress",
        "ignores ingress policies",
        (Reach::Direction, MutationStage::Reading),
        directions::ignores_ingress,
    ),
    meaning(
        "ignores-egress",
        "ignores egress policies",
        (Reach::Direction, MutationStage::Reading),
        directions::ignores_egress,
    ),
    meaning(
        "ignores-ip-block",
        "takes an ipBlock to match nothing",
        PART,
        blocks::ignores_ip_block,
    ),
    meaning("ignores-except", "ignores the exceptions of an ipBlock", PART, blocks::ignores_except),
    meaning(
        "spreads-except",
        "denies the exceptions of an ipBlock whatever else admits them",
        (Reach::Part, MutationStage::Addresses),
        blocks::spreads_except,
    ),
    meaning(
        "end-port-first-only",
        "takes a range of ports for its first port",
        PART,
        ports::end_port_first_only,
    ),
    meaning(
        "drops-rules-with-end-port",
        "drops rules that have a range of ports",
        PART,
        ports::drops_rules_with_end_port,
    ),
    meaning(
        "drops-rules-with-named-port",
        "drops rules that have a port by name",
        PART,
        ports::drops_rules_with_named_port,
    ),
    meaning(
        "named-port-of-first-pod",
        "resolves a port's name once, by the first pod that has it, for all pods",
        PART,
        ports::named_port_of_first_pod,
    ),
    meaning(
        "reads-and-as-or",
        "reads a namespaceSelector and a podSelector of one peer as two peers",
        PART,
        peers::reads_and_as_or,
    ),
    meaning(
        "reads-or-as-and",
        "reads the selectors of several peers as one peer that has to satisfy all",
        PART,
        peers::reads_or_as_and,
    ),
    meaning(
        "ignores-namespace-selector",
        "takes a namespaceSelector to match every namespace",
        PART,
        peers::ignores_namespace_selector,
    ),
    meaning(
        "own-namespace-only",
        "takes a namespaceSelector for the policy's own namespace",
        PART,
        peers::own_namespace_only,
    ),
    meaning(
        "ignores-match-expressions",
        "ignores the matchExpressions of selectors",
        PART,
        selectors::ignores_match_expressions,
    ),
    meaning(
        "not-in-needs-key",
        "takes NotIn to need the label to be there",
        PART,
        selectors::not_in_needs_key,
    ),
    meaning("ignores-protocol", "ignores the protocol of ports", PART, ports::ignores_protocol),
    meaning("ignores-ports", "ignores the ports of rules", RULES, ports::ignores_ports),
    meaning(
        "egress-needs-policy-types",
        "isolates egress only where policyTypes says so",
        PART,
        directions::egress_needs_policy_types,
    ),
    meaning(
        "empty-list-allows",
        "takes an empty list of rules to admit everyone",
        PART,
        directions::empty_list_allows,
    ),
    meaning(
        "newest-policy-only",
        "enforces only the newest of the policies that select a pod",
        (Reach::Rules, MutationStage::Subjects),
        order::newest_policy_only,
    ),
    meaning(
        "ignores-ipv6",
        "does not enforce policies on IPv6",
        (Reach::Rules, MutationStage::Traffic),
        paths::ignores_ipv6,
    ),
    path(
        "ignores-same-node",
        "does not enforce policies between pods of one node",
        paths::ignores_same_node,
    ),
    path(
        "ignores-cross-node",
        "does not enforce policies between pods of different nodes",
        paths::ignores_cross_node,
    ),
    meaning(
        "blocks-all",
        "blocks all traffic of pods",
        (Reach::All, MutationStage::Traffic),
        directions::blocks_all,
    ),
    memory(
        "stale-pod-labels",
        "does not follow changes of the labels of pods",
        past::stale_pod_labels,
    ),
    memory(
        "stale-namespace-labels",
        "does not follow changes of the labels of namespaces",
        past::stale_namespace_labels,
    ),
    memory(
        "keeps-deleted-policies",
        "goes on enforcing policies that are deleted",
        past::keeps_deleted_policies,
    ),
    memory(
        "keeps-dead-addresses",
        "keeps the addresses of pods that are gone among the peers of rules",
        past::keeps_dead_addresses,
    ),
];

#[cfg(test)]
#[path = "mutation_tests.rs"]
mod tests;
