//! The causes of a changed answer: policies, and what policies look at.

use std::collections::{BTreeMap, BTreeSet};

use netproof_conformance::{
    expected::{Because, Decision, Expected},
    flow::{End, Flow, PodId},
    pod::Pod,
};

use crate::loaded::Loaded;

/// The policies that differ between two inputs.
pub struct Causes<'a> {
    old: &'a Loaded,
    new: &'a Loaded,
    /// By name, whether the policy was removed, added or changed.
    policies: BTreeMap<String, &'static str>,
}

/// The changes that touch a pod. Pods with the same touch share what can have changed their flows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Touch {
    /// The policies that differ and that select the pod, before or after.
    policies: BTreeSet<String>,
    /// Whether the pod itself differs.
    itself: bool,
}

impl<'a> Causes<'a> {
    pub fn new(old: &'a Loaded, new: &'a Loaded) -> Self {
        let mut policies = BTreeMap::new();
        let (before, after) = (by_name(old), by_name(new));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            match (before.get(name), after.get(name)) {
                (Some(_), None) => policies.insert(name.clone(), "removed"),
                (None, Some(_)) => policies.insert(name.clone(), "added"),
                (Some(was), Some(is)) if was != is => policies.insert(name.clone(), "changed"),
                (Some(_) | None, _) => None,
            };
        }
        Self { old, new, policies }
    }

    /// The changes that touch a pod; none if none does.
    pub fn touch(&self, old: PodId, new: PodId) -> Option<Touch> {
        let mut policies = BTreeSet::new();
        for (loaded, id) in [(self.old, old), (self.new, new)] {
            let selecting = selecting(loaded, End::Pod(id));
            policies.extend(selecting.filter(|name| self.policies.contains_key(name)));
        }
        let itself = !self.of_end(End::Pod(old), End::Pod(new)).is_empty();
        (itself || !policies.is_empty()).then_some(Touch { policies, itself })
    }

    /// The causes of one changed flow: the policies that decided it before or after and that
    /// differ; if there are none, what else differs at its ends.
    pub fn of(&self, flows: &[Flow; 2]) -> Vec<String> {
        let [before, after] = flows;
        let mut decided = BTreeSet::new();
        for (loaded, flow) in [(self.old, before), (self.new, after)] {
            match loaded.compiled.expect(flow) {
                Expected::Allow(because) | Expected::Deny(because) => {
                    named(&because, &mut decided);
                }
                Expected::Unspecified(_) => decided.extend(selecting_ends(loaded, flow)),
            }
        }
        let mut causes = self.changed(&decided);
        if causes.is_empty() {
            causes.extend(self.of_end(before.from, after.from));
            causes.extend(self.of_end(before.to, after.to));
            causes.dedup();
        }
        if causes.is_empty() {
            // Rules that pass a flow on to later tiers decide too, and leave no trace in the
            // answer.
            let before = selecting_ends(self.old, before);
            causes = self.changed(&before.chain(selecting_ends(self.new, after)).collect());
        }
        if causes.is_empty() {
            causes.extend(self.policies.iter().map(|(name, what)| format!("policy {name} {what}")));
        }
        causes
    }

    /// The policies of these names that differ, with how they do.
    pub fn changed(&self, names: &BTreeSet<String>) -> Vec<String> {
        let what = |name| self.policies.get(name).map(|what| format!("policy {name} {what}"));
        names.iter().filter_map(what).collect()
    }

    /// How the pod at an end, or its namespace, differs.
    fn of_end(&self, before: End, after: End) -> Vec<String> {
        let (End::Pod(before), End::Pod(after)) = (before, after) else { return Vec::new() };
        let pod = |loaded: &'a Loaded, id: PodId| -> &'a Pod { loaded.snapshot().pod(id) };
        let (was, is) = (pod(self.old, before), pod(self.new, after));
        let namespace = &was.name.namespace;
        let of_namespace = |loaded: &'a Loaded| loaded.snapshot().namespaces.get(namespace);
        let differences = [
            (was.labels != is.labels, format!("labels of {} changed", was.name)),
            (
                of_namespace(self.old) != of_namespace(self.new),
                format!("labels of namespace {namespace} changed"),
            ),
            (was.named_ports != is.named_ports, format!("named ports of {} changed", was.name)),
            (was.addresses != is.addresses, format!("addresses of {} changed", was.name)),
            (
                was.network != is.network || was.lifecycle != is.lifecycle || was.node != is.node,
                format!("{} runs otherwise", was.name),
            ),
        ];
        differences.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect()
    }
}

/// The content of each policy, by its name, to be compared.
fn by_name(loaded: &Loaded) -> BTreeMap<String, String> {
    let snapshot = loaded.snapshot();
    let of_namespaces =
        snapshot.policies.iter().map(|policy| (policy.name.to_string(), format!("{policy:?}")));
    let of_cluster = snapshot
        .cluster_policies
        .iter()
        .map(|policy| (policy.name.to_string(), format!("{policy:?}")));
    of_namespaces.chain(of_cluster).collect()
}

fn named(because: &Because, names: &mut BTreeSet<String>) {
    for decision in [&because.egress, &because.ingress] {
        match decision {
            Decision::Exempt | Decision::NotIsolated => {}
            Decision::AllowedBy(rules) => {
                names.extend(rules.iter().map(|rule| rule.policy.to_string()));
            }
            Decision::DeniedBy(policies) => {
                names.extend(policies.iter().map(ToString::to_string));
            }
            Decision::Ruled(_, rule) => {
                names.insert(rule.policy.to_string());
            }
        }
    }
}

/// The policies that select one of the ends of a flow.
fn selecting_ends<'a>(loaded: &'a Loaded, flow: &Flow) -> impl Iterator<Item = String> + use<'a> {
    [flow.from, flow.to].into_iter().flat_map(|end| selecting(loaded, end))
}

/// The policies that select an end.
fn selecting(loaded: &Loaded, end: End) -> impl Iterator<Item = String> {
    let snapshot = loaded.snapshot();
    let pod = match end {
        End::Pod(id) => Some(snapshot.pod(id)),
        End::Address(_) => None,
    };
    pod.into_iter().flat_map(|pod| {
        let of_namespace = snapshot.policies.iter().filter(|policy| policy.selects(pod));
        let of_cluster = snapshot.cluster_policies.iter();
        let of_cluster =
            of_cluster.filter(|policy| policy.subjects.matches(pod, &snapshot.namespaces));
        of_namespace
            .map(|policy| policy.name.to_string())
            .chain(of_cluster.map(|policy| policy.name.to_string()))
    })
}
