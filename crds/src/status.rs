//! What is known about a `ConnectivityTest`: conditions, counts, and what was found.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{check::Expectation, endpoint::Protocol, schema};

/// The most findings that a status lists; `truncated` counts the others.
pub const MAX_FINDINGS: usize = 50;

/// The most gaps that a status lists; `truncated` beside them counts the others.
pub const MAX_GAPS: usize = 20;

/// The most uncovered nodes that a status lists.
pub const MAX_NODES: usize = 50;

/// The most rivals of a diagnosis that a status lists, and the most flows that rule faults out.
pub const MAX_REASONS: usize = 10;

/// What is known about a test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
pub struct ConnectivityTestStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Accepted, `ProbesReady`, Fresh, Conformant and Intended, and Complete with runPolicy Once.
    /// Unknown means that there is no evidence, that it is old, or that half of it is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// How many flows have which verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<FlowSummary>,

    /// How many of the policies' rules the flows of the test exercise. Only flows with a verdict
    /// (they conform, leak or are blocked) count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<RuleCoverage>,

    /// What the network does wrong, as far as the findings say: the simplest fault under which all
    /// that was seen is as the policies say. Absent while nothing is known to be wrong, and while
    /// the evidence is old or the policies are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,

    /// How the network denies TCP, where that is not by silence: `denies-with-reset`,
    /// `denies-with-icmp` or `denies-mixed`. A remark and no finding: all of that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,

    /// What is wrong, the worst first, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub findings: Vec<Finding>,

    /// How many findings are not listed because there are more than 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub truncated: Option<u32>,

    /// How the probe pods started that there are now; absent where startUp is Off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ups: Option<StartUpCounts>,

    /// What became of connections that existed when the policies began to deny them, as soon as
    /// that was seen. A fact, no finding: the API leaves open whether a new deny ends them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing_connections: Option<ExistingConnections>,

    /// With spread `EveryNode`: nodes that the test is meant for and does not cover, at most 50.
    /// They are cordoned, not ready or tainted since, or their probe pods are lost. Their flows
    /// count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub uncovered_nodes: Vec<UncoveredNode>,

    /// The last round that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_round: Option<LastRound>,

    /// The probe pods of the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbeCount>,
}

/// Counts of flows; the verdicts add up to `flows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlowSummary {
    /// All flows under test.
    #[schemars(schema_with = "schema::count")]
    pub flows: u32,

    /// Flows that behave as the policies say.
    #[schemars(schema_with = "schema::count")]
    pub conforms: u32,

    /// Flows that connect although the policies deny them.
    #[schemars(schema_with = "schema::count")]
    pub leaks: u32,

    /// Flows that do not connect although the policies allow them.
    #[schemars(schema_with = "schema::count")]
    pub blocked: u32,

    /// Flows that differ while the network may still be following a change.
    #[schemars(schema_with = "schema::count")]
    pub settling: u32,

    /// Flows that the API leaves open; they count neither for nor against.
    #[schemars(schema_with = "schema::count")]
    pub unspecified: u32,

    /// Flows of which there is no evidence.
    #[schemars(schema_with = "schema::count")]
    pub inconclusive: u32,
}

/// How many rules are exercised, of those that are present; the rest are not exercised at all.
///
/// A rule of a `NetworkPolicy` has two sides: a flow that is allowed and would be denied without
/// it, and a flow that is denied and would be allowed if the rule were wider in one respect (its
/// peers, a port's number, a port's protocol).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = schema::absent_is_not_null)]
pub struct RuleCoverage {
    /// Rules of the `NetworkPolicies` in the namespaces of the test's probe pods, and rules of the
    /// cluster's policies that accept or deny. A direction that a policy isolates without any rule
    /// counts as one.
    #[schemars(schema_with = "schema::count")]
    pub rules: u32,

    /// Rules of which both sides have a verdict. A rule of the cluster has one side, a flow that it
    /// decides, and an isolation without rules too, a flow that it denies.
    #[schemars(schema_with = "schema::count")]
    pub exercised: u32,

    /// Rules of which only one of two sides has a verdict.
    #[schemars(schema_with = "schema::count")]
    pub half_exercised: u32,

    /// Flows that the test names and that are not attempted, as there are more than `maxFlows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub flows_left_out: Option<u32>,

    /// What is not exercised, why, and what to do about it, a sentence each, at most 20: rules
    /// first, then paths between nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub gaps: Vec<String>,

    /// How many gaps are not listed because there are more than 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub truncated: Option<u32>,
}

/// What the network does wrong: the simplest fault that fits all that was seen, and what speaks for
/// others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = schema::absent_is_not_null)]
pub struct Diagnosis {
    /// The fault. It enforces less than the policies say, or all of it wrongly: `ignores-all`,
    /// `ignores-ingress`, `ignores-egress`, `ignores-ipv6`, `ignores-same-node`,
    /// `ignores-cross-node`, `blocks-all`, `newest-policy-only`, `egress-needs-policy-types`,
    /// `empty-list-allows`. It reads rules wrongly: `ignores-ip-block`, `ignores-except`,
    /// `spreads-except`, `ignores-ports`, `ignores-protocol`, `end-port-first-only`,
    /// `drops-rules-with-end-port`, `drops-rules-with-named-port`, `named-port-of-first-pod`,
    /// `reads-and-as-or`, `reads-or-as-and`, `ignores-namespace-selector`, `own-namespace-only`,
    /// `ignores-match-expressions`, `not-in-needs-key`. It does not follow changes:
    /// `stale-pod-labels`, `stale-namespace-labels`, `keeps-deleted-policies`,
    /// `keeps-dead-addresses`. It is right, but not always or not at once: `slow`,
    /// `late-isolation`, `flapping`. Or it is two of them (`combination`), or none that is known
    /// (`unexplained`).
    pub name: String,

    /// Where, such as `on node worker2`; of a combination, where each of the two is. Absent: the
    /// fault is everywhere, or is none that has a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,

    /// The diagnosis as a sentence, with what it rests on where that is not just all flows of the
    /// test.
    pub message: String,

    /// How many of the findings the fault explains; of `unexplained`, how many the nearest one
    /// does. The others are neither for nor against it. Absent for what is right by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub explains: Option<u32>,

    /// How many findings there are, with those in flows that the test does not ask for and that
    /// were attempted to tell faults apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub findings: Option<u32>,

    /// Other faults that fit all that was seen, and that flows which were not attempted would tell
    /// from this one; the simplest first, at most 10. Each completes `a network that ...`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub rivals: Vec<String>,

    /// How many flows would tell this fault from its rivals and were not attempted. Up to 16 at a
    /// time are attempted next, as far as `maxFlows` leaves room; they count nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub unprobed: Option<u32>,

    /// Of `unexplained`: a smallest set of flows that no single fault fits, with what each does, at
    /// most 10. Without any one of them, a fault would fit the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub ruled_out_by: Vec<String>,
}

/// One flow that is not as the policies say, or that could not be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
pub struct Finding {
    /// What is wrong with the flow.
    pub verdict: FindingVerdict,

    /// The end that attempted to connect.
    pub from: FindingEnd,

    /// The end that was to be reached.
    pub to: FindingEnd,

    /// Number of the receiver's port.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,

    /// Protocol of the port.
    pub protocol: Protocol,

    /// What the policies say.
    pub expected: Expectation,

    /// The policies and rules that say so, such as `shop/db-allow ingress[0].from[1]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,

    /// What the probe saw last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<FlowOutcome>,

    /// True when attempts disagree: the flow connects at some times and not at others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flapping: bool,

    /// When this finding was first made; it is kept while the finding stands. Of a start-up leak:
    /// when it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,

    /// How many attempts in a row have agreed with it; of a start-up leak: 1.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub confirmations: u32,

    /// The finding as a whole sentence.
    #[serde(default)]
    pub message: String,
}

/// What is wrong with a flow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum FindingVerdict {
    /// The flow connects although the policies deny it.
    Leak,
    /// The flow connected although the policies deny it, while the probe pod that it reaches was
    /// new.
    StartupLeak,
    /// The flow does not connect although the policies allow it.
    Blocked,
    /// The flow could not be judged.
    Inconclusive,
}

/// How the probe pods started to which the policies deny something: whether the network had
/// isolated them before they accepted anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartUpCounts {
    /// Probe pods that were seen to deny from their first instant.
    #[schemars(schema_with = "schema::count")]
    pub isolated: u32,

    /// Probe pods that were seen to accept what the policies deny.
    #[schemars(schema_with = "schema::count")]
    pub leaked: u32,

    /// Probe pods of which neither was seen; a later pod may still show it.
    #[schemars(schema_with = "schema::count")]
    pub not_established: u32,
}

/// What became of connections that existed when the policies began to deny them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum ExistingConnections {
    /// The connections that were seen went on.
    Survive,
    /// The connections that were seen were cut.
    Cut,
    /// Some connections went on, and some were cut.
    Mixed,
}

/// What a probe saw of a flow, without judgement.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum FlowOutcome {
    /// The far end answered and proved its identity; of an external address: it accepted.
    Connected,
    /// The receiver has the datagram, and no answer came back.
    Arrived,
    /// The attempt was answered with a refusal, such as a TCP reset.
    Refused,
    /// No answer came before the deadline.
    TimedOut,
    /// The network answered that it has no way to the target.
    Unreachable,
    /// The attempt itself failed, which says nothing about the network.
    Failed,
}

/// One end of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
pub struct FindingEnd {
    /// Name of the endpoint.
    pub endpoint: String,

    /// Namespace of the probe pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,

    /// Name of the probe pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,

    /// Node of the probe pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,

    /// Address that was attempted, without the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A node that a test is meant for and does not cover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UncoveredNode {
    /// Name of the node.
    pub name: String,

    /// Why it is not covered.
    pub message: String,
}

/// When a round ended and how long it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRound {
    /// When the round ended.
    pub time: Time,

    /// How long the round took, in milliseconds.
    #[schemars(schema_with = "schema::count")]
    pub duration_ms: u64,
}

/// Counts of probe pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeCount {
    /// How many probe pods the test needs.
    #[schemars(schema_with = "schema::count")]
    pub wanted: u32,

    /// How many probe pods run and are attached.
    #[schemars(schema_with = "schema::count")]
    pub attached: u32,
}
