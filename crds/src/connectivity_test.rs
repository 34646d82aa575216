//! The `ConnectivityTest`: which endpoints there are, what is checked, and how often.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    check::Check, duration::DurationString, endpoint::Endpoint, rules, schema,
    status::ConnectivityTestStatus,
};

/// What is to be tested, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "netproof.dev",
    version = "v1alpha1",
    kind = "ConnectivityTest",
    namespaced,
    status = "ConnectivityTestStatus",
    cel,
    shortname = "ctest",
    category = "netproof",
    derive = "PartialEq",
    doc = "Checks whether NetworkPolicies are really enforced: probe pods stand in for workloads, attempt real connections, and what happens is compared with what the policies say.",
    validation = rules::name_not_too_long(),
    printcolumn(
        name = "Conformant",
        type_ = "string",
        description = "Whether every flow that the policies decide behaves as they say",
        json_path = r#".status.conditions[?(@.type=="Conformant")].status"#,
    ),
    printcolumn(
        name = "Flows",
        type_ = "integer",
        description = "Flows under test",
        json_path = ".status.summary.flows",
    ),
    printcolumn(
        name = "Leaks",
        type_ = "integer",
        description = "Flows that connect although the policies deny them",
        json_path = ".status.summary.leaks",
    ),
    printcolumn(
        name = "Blocked",
        type_ = "integer",
        description = "Flows that do not connect although the policies allow them",
        json_path = ".status.summary.blocked",
    ),
    printcolumn(
        name = "Inconclusive",
        type_ = "integer",
        description = "Flows that could not be judged",
        json_path = ".status.summary.inconclusive",
    ),
    printcolumn(
        name = "Last-Round",
        type_ = "date",
        description = "Time since the last round ended",
        json_path = ".status.lastRound.time",
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        description = "Why Conformant has its value",
        json_path = r#".status.conditions[?(@.type=="Conformant")].reason"#,
        priority = 1,
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Conformant")].message"#,
        priority = 1,
    ),
    printcolumn(
        name = "Diagnosis",
        type_ = "string",
        description = "What the network does wrong",
        json_path = ".status.diagnosis.name",
        priority = 1,
    ),
    printcolumn(
        name = "Interval",
        type_ = "string",
        json_path = ".spec.interval",
        priority = 1,
    ),
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
#[x_kube(validation = rules::interval_not_below_timeout())]
#[x_kube(validation = rules::settle_not_below_timeout())]
#[x_kube(validation = rules::someone_can_attempt())]
#[x_kube(validation = rules::checks_name_endpoints())]
#[x_kube(validation = rules::checks_start_at_stand_ins())]
pub struct ConnectivityTestSpec {
    /// Time between two rounds when nothing changes, such as 30s or 5m; not below `timeout`. A
    /// change that alters a prediction starts a round at once.
    #[serde(default = "default_interval")]
    pub interval: DurationString,

    /// How long one attempt to connect may take, 50ms to 60s.
    #[serde(default = "default_timeout")]
    #[x_kube(validation = rules::timeout_in_range())]
    pub timeout: DurationString,

    /// How long the network may take to follow a change of policies, labels or pods before a
    /// difference counts; not below `timeout`. Until then the verdict is Settling.
    #[serde(default = "default_settle")]
    pub settle: DurationString,

    /// How many attempts in a row must agree before a Leak or Blocked is reported, 1 to 10.
    #[serde(default = "default_confirm")]
    #[schemars(schema_with = "schema::confirm")]
    pub confirm: u8,

    /// For how long a leak stands after it was last proven, such as 5m or 30s; at least one
    /// `interval`. A connection that came back proves that the policies are not kept, and attempts
    /// that do not connect later do not take it back: a network may leak by chance.
    #[serde(default = "default_leak_retention")]
    pub leak_retention: DurationString,

    /// How many flows are attempted at most, 1 to 20000. Where the endpoints and checks name more,
    /// flows are chosen: those of checks with an `expect` first, then such as show each rule of
    /// each policy from both sides (status `coverage`), then others, evenly spread. A test that
    /// names more flows than the operator is set to carry, 1600 if nothing else was said, is not
    /// accepted (reason `TooManyFlows`), whatever is set here; each of its stand-ins counts as 22.
    #[serde(default = "default_max_flows")]
    #[schemars(schema_with = "schema::max_flows")]
    pub max_flows: u32,

    /// Whether the test goes on for ever or ends with its first verdict (condition Complete).
    #[serde(default)]
    pub run_policy: RunPolicy,

    /// What becomes of start-up leaks: connections that a new probe pod accepts although the
    /// policies deny them, until the network has isolated it.
    #[serde(default)]
    pub start_up: StartUp,

    /// How often one probe pod, the oldest, is replaced by a new one so that its start is measured
    /// again, such as 10m; at least 1m. Left out: only those that come for other reasons are
    /// measured. While one is being replaced its flows are inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::renew_not_too_often())]
    pub renew: Option<DurationString>,

    /// Pauses the test: its probe pods are removed, and its conditions become Unknown.
    #[serde(default)]
    pub suspend: bool,

    /// On which nodes the probe pods run.
    #[serde(default)]
    pub placement: Placement,

    /// The ends of the flows under test, at most 64; at least one must be a stand-in.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub endpoints: Vec<Endpoint>,

    /// Which endpoints attempt to reach which, at most 64; a flow that several checks name is
    /// attempted once. Left out: every stand-in attempts to reach every endpoint at each of its
    /// ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub checks: Vec<Check>,
}

fn default_interval() -> DurationString {
    DurationString::from_secs(30)
}

fn default_timeout() -> DurationString {
    DurationString::from_secs(1)
}

fn default_settle() -> DurationString {
    DurationString::from_secs(15)
}

fn default_leak_retention() -> DurationString {
    DurationString::from_secs(300)
}

const fn default_confirm() -> u8 {
    3
}

const fn default_max_flows() -> u32 {
    20_000
}

/// Whether a test goes on for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RunPolicy {
    /// Round after round, as long as the test exists.
    #[default]
    Continuous,
    /// Until there is a verdict, then condition Complete is True and the probe pods are removed.
    Once,
}

/// What becomes of start-up leaks. The API wants new pods isolated before any of their containers
/// starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StartUp {
    /// Start-up leaks are looked for and reported as findings. Conformant does not turn False,
    /// since a start-up leak is over when it is seen.
    #[default]
    Report,
    /// Start-up leaks turn Conformant False as well, until the next probe pod of the endpoint is
    /// seen to be isolated from the start; and as long as the start of a probe pod to which the
    /// policies deny something has not been established, Conformant is not True.
    Strict,
    /// Start-up leaks are not looked for.
    Off,
}

/// On which nodes probe pods run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// One probe pod an endpoint, or one on every node that the node selector and the tolerations
    /// admit.
    #[serde(default)]
    pub spread: Spread,

    /// Labels that a node must have to be given probe pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints of nodes that probe pods tolerate, as in a pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
}

/// How many probe pods an endpoint has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Spread {
    /// One probe pod, on a node that the scheduler chooses.
    #[default]
    AnyNode,
    /// One probe pod on each node, so that a node that stopped enforcing is found.
    EveryNode,
}
