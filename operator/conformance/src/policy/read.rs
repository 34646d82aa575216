//! Reads a policy of the cluster, whichever kind it is of.

use serde::{Deserialize, Deserializer};

use super::{
    Rejected, admin_network_policy, baseline_admin_network_policy, cluster::ClusterPolicy,
    cluster_network_policy,
};
use crate::{kinds::ClusterPolicyKind, shape::PolicyShape};

/// Reads an object of a kind of cluster policies, and compiles it: fails if the object has not the
/// form of its kind, and returns what the API server would refuse of one that has.
///
/// ```
/// use netproof_conformance::{kinds::ClusterPolicyKind, policy::read};
///
/// let kind = ClusterPolicyKind::AdminNetworkPolicy;
/// let object = serde_json::json!({
///     "metadata": {"name": "all"},
///     "spec": {"priority": 5, "subject": {"namespaces": {}}},
/// });
/// let policy = read::cluster_policy(kind, object)??;
/// assert_eq!(policy.name.to_string(), "AdminNetworkPolicy all");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cluster_policy<'de, D: Deserializer<'de>>(
    kind: ClusterPolicyKind,
    object: D,
) -> Result<Result<ClusterPolicy, Rejected>, D::Error> {
    Ok(match kind {
        ClusterPolicyKind::ClusterNetworkPolicy => {
            cluster_network_policy::compile(&Deserialize::deserialize(object)?)
        }
        ClusterPolicyKind::AdminNetworkPolicy => {
            admin_network_policy::compile(&Deserialize::deserialize(object)?)
        }
        ClusterPolicyKind::BaselineAdminNetworkPolicy => {
            baseline_admin_network_policy::compile(&Deserialize::deserialize(object)?)
        }
    })
}

/// The fields that objects of a kind of cluster policies have.
pub(crate) fn cluster_policy_fields(kind: ClusterPolicyKind) -> &'static PolicyShape {
    match kind {
        ClusterPolicyKind::ClusterNetworkPolicy => &cluster_network_policy::FIELDS,
        ClusterPolicyKind::AdminNetworkPolicy => &admin_network_policy::FIELDS,
        ClusterPolicyKind::BaselineAdminNetworkPolicy => &baseline_admin_network_policy::FIELDS,
    }
}
