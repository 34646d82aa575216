//! Reads objects as policies, and compiles those that can be read.

use netproof_conformance::policy::{
    Policy, Rejected, admin_network_policy, baseline_admin_network_policy, cluster::ClusterPolicy,
    cluster_network_policy, network_policy,
};
use serde::de::DeserializeOwned;

/// What could be compiled.
#[derive(Clone, Default)]
pub struct Policies {
    pub namespaced: Vec<Policy>,
    pub cluster: Vec<ClusterPolicy>,
}

impl Policies {
    /// What one object says as each of the four kinds that it can be read as.
    pub fn read_as_each_kind(json: &[u8]) -> [Self; 4] {
        [
            Self::network(json),
            Self::of_cluster(json, cluster_network_policy::compile),
            Self::of_cluster(json, admin_network_policy::compile),
            Self::of_cluster(json, baseline_admin_network_policy::compile),
        ]
    }

    pub fn and(mut self, other: Self) -> Self {
        self.namespaced.extend(other.namespaced);
        self.cluster.extend(other.cluster);
        self
    }

    fn network(json: &[u8]) -> Self {
        let namespaced = compiled(json, network_policy::compile).into_iter().collect();
        Self { namespaced, ..Self::default() }
    }

    fn of_cluster<T: DeserializeOwned>(
        json: &[u8],
        compile: fn(&T) -> Result<ClusterPolicy, Rejected>,
    ) -> Self {
        let cluster = compiled(json, compile).into_iter().collect();
        Self { cluster, ..Self::default() }
    }
}

/// A refusal has to say where, and what.
fn compiled<T: DeserializeOwned, C>(
    json: &[u8],
    compile: fn(&T) -> Result<C, Rejected>,
) -> Option<C> {
    let object: T = serde_json::from_slice(json).ok()?;
    match compile(&object) {
        Ok(compiled) => Some(compiled),
        Err(refused) => {
            assert!(!refused.field.is_empty() && !refused.problem.to_string().is_empty());
            None
        }
    }
}
