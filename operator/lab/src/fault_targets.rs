//! Whether the faults that are asked for can be seen on a scene: a fault that hits nothing would
//! look like a network that keeps its policies.

use std::collections::BTreeSet;

use anyhow::bail;
use netproof_conformance::{flow::Family, reference::ObjectRef};
use netproof_policy_agent::{
    fault::Fault,
    setting::{Failing, Scope, Setting},
};

use super::{cluster::Network, scene::Scene};

/// What faults are aimed at.
pub struct FaultTargets<'a> {
    /// The scene of the lab.
    pub scene: &'a Scene,
    /// Whether the lab follows its files, so that the scene may change.
    pub watches: bool,
}

impl FaultTargets<'_> {
    /// An error if a fault names a node, namespace or pod that is not there. Namespaces and pods
    /// may come while files are watched, and are not checked then.
    pub fn check(&self, network: &Network) -> anyhow::Result<()> {
        for Failing { fault, scope } in failing(network) {
            let (what, name, there) = match scope {
                Scope::Cluster => continue,
                Scope::Node(name) => ("node", name.clone(), self.scene.nodes.clone()),
                Scope::Namespace(_) | Scope::Pod { .. } if self.watches => continue,
                Scope::Namespace(name) => {
                    ("namespace", name.clone(), self.of_pods(|pod| pod.namespace.clone()))
                }
                Scope::Pod { namespace, name } => {
                    ("pod", format!("{namespace}/{name}"), self.of_pods(ToString::to_string))
                }
            };
            if !there.contains(&name) {
                bail!(
                    "{} would hit nothing: there is no {what} {name}, only {}",
                    fault.name(),
                    there.join(", ")
                );
            }
        }
        Ok(())
    }

    /// A note for each fault that will not show, and what it would take.
    pub fn notes(&self, network: &Network) -> Vec<String> {
        let notes = failing(network).iter().filter_map(|Failing { fault, .. }| {
            let needs = match fault {
                Fault::IgnoresIpv6 if !self.scene.is_shared(Family::IPv6) => {
                    "where pods have IPv6: try --ip dual"
                }
                _ if self.watches => return None,
                Fault::StalePodLabels => "when labels of pods change: --watch follows the files",
                Fault::StaleNamespaceLabels => {
                    "when labels of namespaces change: --watch follows the files"
                }
                Fault::KeepsDeletedPolicies => {
                    "when policies are deleted: --watch follows the files"
                }
                Fault::KeepsDeadAddresses => {
                    "when others get the addresses of pods that are gone: --watch follows the files"
                }
                Fault::Slow(_) => "when objects change: --watch follows the files",
                Fault::Flapping(_) => "in time: --watch looks again and again",
                _ => return None,
            };
            Some(format!("{} shows only {needs}", fault.name()))
        });
        notes.collect()
    }

    /// Something of every pod's name, each once.
    fn of_pods(&self, what: impl Fn(&ObjectRef) -> String) -> Vec<String> {
        let pods = self.scene.stand_ins.iter().filter_map(|stand_in| stand_in.pod.as_ref());
        let all: BTreeSet<String> = pods.map(|(name, _)| what(name)).collect();
        all.into_iter().collect()
    }
}

fn failing(network: &Network) -> &[Failing] {
    match network {
        Network::Plain => &[],
        Network::Enforcing(Setting(failing)) => failing,
    }
}
