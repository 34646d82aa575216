//! Puts the objects together: a snapshot, and what has to be said of how it came about.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    Objects, Rejection, Service, Source, Sourced, WorkloadKind, WrittenPolicy,
    address::{Pool, networks},
    pod::{ReadPod, ReadTemplate},
    stand_in,
};
use crate::{
    flow::{Family, PodId, Port},
    pod::{Lifecycle, Pod},
    policy::{Policy, cluster::ClusterPolicy},
    reference::ObjectRef,
    snapshot::{Revision, Snapshot},
};

/// All objects put together: a snapshot, where each part was read, and what is missing or wrong.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Cluster {
    /// The snapshot, with pods and policies sorted by namespace and name.
    pub snapshot: Snapshot,
    /// The origin of each pod, by [`PodId`].
    pub pods: Vec<Origin>,
    /// Where each policy is, by its place in the snapshot.
    pub policies: Vec<Source>,
    /// Each `NetworkPolicy` as it is written, by its place in the snapshot. The compiled policy
    /// lacks the rules that are inert.
    pub written: Vec<WrittenPolicy>,
    /// Where each policy of the cluster is, by its place in the snapshot.
    pub cluster_policies: Vec<Source>,
    /// Where each namespace that is among the objects was read.
    pub namespaces: BTreeMap<String, Source>,
    /// The Services, sorted by namespace and name.
    pub services: Vec<Service>,
    /// Namespaces that objects are in and that are not among the objects themselves. They are taken
    /// to have no labels but the one that the API server sets on all.
    pub assumed_namespaces: Vec<String>,
    /// Objects that are left out because they are wrong. While there are any, answers are about
    /// something else than the input.
    pub rejected: Vec<Rejection>,
    /// How many objects of which kinds decide nothing and were skipped.
    pub skipped: BTreeMap<String, usize>,
    /// How many policies of kinds that are not evaluated there are: where the cluster's network
    /// knows them, it may answer differently.
    pub ignored_policies: BTreeMap<String, usize>,
}

/// Where a pod of the snapshot comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// Where the pod, or the workload that it stands for, was read.
    pub source: Source,
    /// All ports that the pod's containers declare, with a name or without, in order and each once.
    pub declared: Vec<Port>,
    /// The workload whose template stands for a pod here; none for a pod of its own. The pod is
    /// called like the workload, or, where something else has that name, like `deployment/web`.
    pub stands_for: Option<WorkloadKind>,
    /// Whether the pod's addresses were made up here, because it was only written down and never
    /// ran.
    pub assumed_address: bool,
}

impl Cluster {
    /// The pod of this name, if there is one.
    ///
    /// ```
    /// use netproof_conformance::{
    ///     flow::PodId,
    ///     manifest::{Header, Objects, Source},
    /// };
    ///
    /// let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}"#;
    /// let header: Header = serde_json::from_str(pod)?;
    /// let at = Source { input: "stdin".into(), document: 1, line: None };
    /// let mut objects = Objects::new("shop");
    /// objects.add(at, &header, &mut serde_json::Deserializer::from_str(pod))?;
    ///
    /// let cluster = objects.finish();
    /// let web = cluster.find(&cluster.snapshot.pods[0].name).expect("the pod");
    /// assert_eq!(web, PodId(0));
    /// // It never ran, so that it was given an address that no policy tells from others.
    /// assert!(cluster.origin(web).assumed_address);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn find(&self, name: &ObjectRef) -> Option<PodId> {
        let place = self.snapshot.pods.binary_search_by(|pod| pod.name.cmp(name)).ok()?;
        u32::try_from(place).ok().map(PodId)
    }

    /// Where a pod comes from.
    ///
    /// # Panics
    ///
    /// If the id is not of this cluster's snapshot.
    pub fn origin(&self, id: PodId) -> &Origin {
        &self.pods[id.0 as usize]
    }

    /// How many pods have addresses that were made up here.
    pub fn assumed_addresses(&self) -> usize {
        self.pods.iter().filter(|origin| origin.assumed_address).count()
    }
}

impl Objects {
    /// Puts all objects together.
    pub fn finish(self) -> Cluster {
        let stand_ins = self.stand_ins();
        let assumed_namespaces = self.assumed_namespaces();
        let nodes = self.node_addresses();
        let (policies, policy_sources) = self
            .policies
            .into_values()
            .map(|kept| (kept.object, kept.source))
            .collect::<(Vec<Policy>, Vec<Source>)>();
        let (cluster_policies, cluster_policy_sources) = self
            .cluster_policies
            .into_values()
            .flat_map(BTreeMap::into_values)
            .map(|kept| (kept.object, kept.source))
            .collect::<(Vec<ClusterPolicy>, Vec<Source>)>();
        let mut pods: Vec<(Pod, Origin)> =
            self.pods.into_values().map(own).chain(stand_ins).collect();
        pods.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        assume_addresses(&mut pods, &policies, &cluster_policies, &nodes);
        let (pods, origins) = pods.into_iter().collect();
        let (namespaces, namespace_sources) = self
            .namespaces
            .into_iter()
            .map(|(name, kept)| ((name.name.clone(), kept.object), (name.name, kept.source)))
            .collect();
        Cluster {
            snapshot: Snapshot {
                revision: Revision::default(),
                namespaces,
                pods,
                policies,
                cluster_policies,
                nodes,
            },
            pods: origins,
            policies: policy_sources,
            written: self.written.into_values().collect(),
            cluster_policies: cluster_policy_sources,
            namespaces: namespace_sources,
            services: self.services.into_values().map(|kept| kept.object).collect(),
            assumed_namespaces,
            rejected: self.rejected,
            skipped: self.skipped,
            ignored_policies: self.ignored_policies,
        }
    }

    fn stand_ins(&self) -> Vec<(Pod, Origin)> {
        let standing = stand_in::standing(&self.workloads, &self.pods);
        let mut names: BTreeMap<&ObjectRef, usize> =
            self.pods.keys().map(|name| (name, 1)).collect();
        for (_, name, _) in &standing {
            *names.entry(*name).or_default() += 1;
        }
        let is_shared = |name| names.get(name).is_some_and(|&count| count > 1);
        standing
            .iter()
            .map(|(kind, name, workload)| {
                let called = if is_shared(*name) {
                    let ObjectRef { namespace, name } = name;
                    let name = format!("{}/{name}", kind.singular());
                    ObjectRef { namespace: namespace.clone(), name }
                } else {
                    (*name).clone()
                };
                stand_in(*kind, called, &workload.object.template, &workload.source)
            })
            .collect()
    }

    fn assumed_namespaces(&self) -> Vec<String> {
        let named = self.pods.keys().chain(self.policies.keys()).chain(self.services.keys());
        let named = named.chain(self.workloads.values().flat_map(BTreeMap::keys));
        let used: BTreeSet<&str> = named.map(|name| name.namespace.as_str()).collect();
        let known: BTreeSet<&str> = self.namespaces.keys().map(|name| name.name.as_str()).collect();
        used.difference(&known).map(|&name| name.to_owned()).collect()
    }

    /// The addresses of each node, as Nodes and the pods that run on them say.
    fn node_addresses(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let of_nodes = self.nodes.iter().map(|(name, kept)| (&name.name, kept.object.as_slice()));
        let of_pods = self.pods.values().filter_map(|kept| {
            let ReadPod { pod, host_addresses, .. } = &kept.object;
            // A pod that has finished may name an address that the node has lost.
            let node = pod.node.as_ref().filter(|_| pod.lifecycle == Lifecycle::Live)?;
            Some((node, host_addresses.as_slice()))
        });
        let mut nodes: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for (node, addresses) in of_nodes.chain(of_pods) {
            if !nodes.contains_key(node) {
                nodes.insert(node.clone(), Vec::new());
            }
            if let Some(known) = nodes.get_mut(node) {
                let new = addresses.iter().filter(|address| !known.contains(address));
                let new: Vec<IpAddr> = new.copied().collect();
                known.extend(new);
            }
        }
        nodes
    }
}

fn own(Sourced { source, object }: Sourced<ReadPod>) -> (Pod, Origin) {
    let ReadPod { pod, declared, stored, .. } = object;
    (pod, Origin { source, declared, stands_for: None, assumed_address: !stored })
}

fn stand_in(
    kind: WorkloadKind,
    name: ObjectRef,
    template: &ReadTemplate,
    source: &Source,
) -> (Pod, Origin) {
    let ReadTemplate { labels, network, named_ports, declared } = template.clone();
    let pod = Pod {
        name,
        labels,
        addresses: Vec::new(),
        node: None,
        network,
        lifecycle: Lifecycle::Live,
        named_ports,
    };
    let stands_for = Some(kind);
    (pod, Origin { source: source.clone(), declared, stands_for, assumed_address: true })
}

/// Gives each pod that was only written down an address of each family that other pods have, or of
/// IPv4 if there are no others.
fn assume_addresses(
    pods: &mut [(Pod, Origin)],
    policies: &[Policy],
    cluster_policies: &[ClusterPolicy],
    nodes: &BTreeMap<String, Vec<IpAddr>>,
) {
    if !pods.iter().any(|(_, origin)| origin.assumed_address) {
        return;
    }
    let of_pods = || pods.iter().flat_map(|(pod, _)| &pod.addresses);
    let taken = of_pods().chain(nodes.values().flatten()).copied().collect();
    let mut families: Vec<Family> = Vec::new();
    for family in of_pods().map(|address| Family::of(*address)) {
        if !families.contains(&family) {
            families.push(family);
        }
    }
    if families.is_empty() {
        families.push(Family::IPv4);
    }
    let networks: Vec<IpNet> = networks(policies, cluster_policies).collect();
    let mut pools: Vec<Pool> =
        families.iter().map(|family| Pool::new(*family, &networks, &taken)).collect();
    for (pod, origin) in pods.iter_mut().filter(|(_, origin)| origin.assumed_address) {
        pod.addresses = pools.iter_mut().filter_map(Pool::next).collect();
        origin.assumed_address = !pod.addresses.is_empty();
    }
}
