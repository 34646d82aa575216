//! What is known about a `ConnectivityTest`: conditions, counts, and what was found.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{check::Expectation, endpoint::Protocol, schema};

/// How many findings a status lists at most; `truncated` counts the others.
pub const MAX_FINDINGS: usize = 50;

/// How many gaps a status lists at most; `truncated` beside them counts the others.
pub const MAX_GAPS: usize = 20;

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

    /// What is wrong, the worst first, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub findings: Vec<Finding>,

    /// How many findings are not listed because there are more than 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub truncated: Option<u32>,

    /// What became of connections that existed when the policies began to deny them, as soon as
    /// that was seen. A fact, no finding: the API leaves open whether a new deny ends them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing_connections: Option<ExistingConnections>,

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

    /// They behave as the policies say.
    #[schemars(schema_with = "schema::count")]
    pub conforms: u32,

    /// They connect although the policies deny them.
    #[schemars(schema_with = "schema::count")]
    pub leaks: u32,

    /// They do not connect although the policies allow them.
    #[schemars(schema_with = "schema::count")]
    pub blocked: u32,

    /// They differ from the policies, and the network may still be following a change.
    #[schemars(schema_with = "schema::count")]
    pub settling: u32,

    /// The API leaves open what must happen, so that they count neither for nor against.
    #[schemars(schema_with = "schema::count")]
    pub unspecified: u32,

    /// There is no evidence.
    #[schemars(schema_with = "schema::count")]
    pub inconclusive: u32,
}

/// How many rules are exercised, of those that are present; the rest are not exercised at all.
///
/// A rule of a `NetworkPolicy` has two sides: a flow that is allowed and would be denied without it,
/// and a flow that is denied and would be allowed if the rule were wider in one respect (its peers,
/// a port's number, a port's protocol).
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

/// One flow that is not as the policies say, or that could not be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
pub struct Finding {
    /// What is wrong.
    pub verdict: FindingVerdict,

    /// The end that attempted to connect.
    pub from: FindingEnd,

    /// The end that was to be reached.
    pub to: FindingEnd,

    /// Port number.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,

    /// Protocol.
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
    /// It connects although the policies deny it.
    Leak,
    /// It connected although the policies deny it, while the probe pod that it reaches was new.
    StartupLeak,
    /// It does not connect although the policies allow it.
    Blocked,
    /// It could not be judged.
    Inconclusive,
}

/// What became of connections that existed when the policies began to deny them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum ExistingConnections {
    /// They went on.
    Survive,
    /// They were cut.
    Cut,
    /// Some went on and some were cut.
    Mixed,
}

/// What a probe saw of a flow, without judgement.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum FlowOutcome {
    /// The far end answered and proved who it is; of an external address: it accepted.
    Connected,
    /// The attempt was answered with a refusal.
    Refused,
    /// Nothing answered in time.
    TimedOut,
    /// The network said that there is no way.
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

/// When a round ended and how long it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRound {
    /// When it ended.
    pub time: Time,

    /// How long it took, in milliseconds.
    #[schemars(schema_with = "schema::count")]
    pub duration_ms: u64,
}

/// Counts of probe pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeCount {
    /// How many the test needs.
    #[schemars(schema_with = "schema::count")]
    pub wanted: u32,

    /// How many run and are attached.
    #[schemars(schema_with = "schema::count")]
    pub attached: u32,
}
