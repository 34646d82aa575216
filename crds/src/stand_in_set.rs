//! The `StandInSet`: the controller that owns the stand-ins of one test in one namespace.
//!
//! A stand-in carries a workload's labels, so that everything that selects by labels sees it. An
//! owner that is its controller keeps `ReplicaSet`s from adopting it. A disruption budget then asks
//! that owner for its scale: without a scale subresource the budget's controller gives up, and no
//! pod of the workload may be evicted any more; with one, it adds the scale to the pods that it
//! wants healthy. A scale that is always 0 leaves the budget's arithmetic as it was.
//! scale that is always 0 leaves the budget's arithmetic as it was.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// The test that the stand-ins belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "netproof.dev",
    version = "v1alpha1",
    kind = "StandInSet",
    namespaced,
    status = "StandInSetStatus",
    cel,
    derive = "PartialEq",
    doc = "Internal to netproof: owns the probe pods that a ConnectivityTest has placed in this namespace, so that no ReplicaSet adopts them and disruption budgets do not count them. Written by the operator; deleting it deletes the pods, and the operator makes them anew.",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas"),
    printcolumn(name = "Test-Namespace", type_ = "string", json_path = ".spec.test.namespace"),
    printcolumn(name = "Test", type_ = "string", json_path = ".spec.test.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[expect(clippy::duplicated_attributes, reason = "two columns have the same type")]
#[serde(rename_all = "camelCase")]
pub struct StandInSetSpec {
    /// Always 0, whatever the number of pods. Disruption budgets add an owner's scale to the
    /// number of pods that they want healthy; stand-ins are never to count.
    #[serde(default)]
    #[x_kube(validation = rules::scale_is_zero())]
    pub replicas: i32,

    /// The test that placed the stand-ins.
    pub test: TestRef,
}

/// A `ConnectivityTest`, perhaps of another namespace.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct TestRef {
    /// Namespace of the test.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,

    /// Name of the test.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// UID of the test: one made anew under the same name is another test.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// What the scale subresource reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandInSetStatus {
    /// Always 0, as in the spec.
    #[serde(default)]
    pub replicas: i32,
}
