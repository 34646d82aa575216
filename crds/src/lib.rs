//! What users write and read: the API types of netproof, as pure data.
//!
//! Nothing here does I/O or knows how a verdict is reached. `CustomResourceDefinition`s are made
//! from the types, and describe each field by its doc comment: write these comments for users.

mod check;
mod closed_set;
mod condition;
mod connectivity_test;
mod duration;
mod endpoint;
mod rules;
mod schema;
mod stand_in_set;
mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use check::{Check, Expectation};
pub use condition::{ConditionStatus, ConditionType, DIAGNOSED, Reason};
pub use connectivity_test::{
    ConnectivityTest, ConnectivityTestSpec, Placement, RunPolicy, Spread, StartUp,
};
pub use duration::{DurationString, ParseDurationError};
pub use endpoint::{
    Endpoint, EndpointKind, External, NamedPort, Port, Protocol, StandIn, StandInSource,
    WorkloadKind, WorkloadRef,
};
pub use stand_in_set::{StandInSet, StandInSetSpec, StandInSetStatus, TestRef};
pub use status::{
    ConnectivityTestStatus, Diagnosis, ExistingConnections, Finding, FindingEnd, FindingVerdict,
    FlowOutcome, FlowSummary, LastRound, MAX_FINDINGS, MAX_GAPS, MAX_NODES, MAX_REASONS,
    ProbeCount, RuleCoverage, StartUpCounts, UncoveredNode,
};

/// The API group of every kind here, and the prefix of netproof's own labels and annotations.
pub const GROUP: &str = "netproof.dev";

/// Label by which a namespace lets tests of other namespaces place stand-ins in it. Its value has
/// to be `"true"`.
pub const ALLOW_STAND_INS_LABEL: &str = "netproof.dev/allow-stand-ins";

/// The command that writes `deploy/crds` anew after a change of these types.
pub const REGENERATE: &str = "cargo run -p netproof-crds --example yaml -- deploy/crds";

/// The definition of every kind of netproof's API.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    vec![ConnectivityTest::crd(), StandInSet::crd()]
}
