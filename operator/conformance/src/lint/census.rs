//! Counts who there is: namespaces, and pods by what policies can tell them apart by.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    ops::Range,
    rc::Rc,
};

use super::{LintContext, LintedPolicy};
use crate::{
    flow::{Family, PodId, Port},
    near_miss::namespace_labels,
    pod::{Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{Namespaces, Peer, Policy},
    select::{Labels, Selector},
    snapshot::Snapshot,
};

/// A snapshot, sorted for questions about it.
pub(super) struct Census<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) written: &'a [LintedPolicy<'a>],
    /// All classes of pods, sorted by namespace.
    pub(super) classes: Vec<PodClass<'a>>,
    ranges: BTreeMap<&'a str, Range<usize>>,
    /// All namespaces that are named anywhere, with all that is known of their labels.
    pub(super) namespaces: BTreeMap<&'a str, Labels>,
    /// The policies of each namespace.
    pub(super) policies: BTreeMap<&'a str, Vec<&'a Policy>>,
    /// The pod that has each address; without pods of the host's network.
    pub(super) addresses: BTreeMap<IpAddr, &'a Pod>,
    found: RefCell<HashMap<PodsQuery<'a>, Rc<[usize]>>>,
}

/// A selector of namespaces, or none for the namespace of that name alone; and a selector of pods.
type PodsQuery<'a> = (Option<&'a Selector>, &'a str, &'a Selector);

/// Pods that policies cannot tell apart, but for their addresses.
pub(super) struct PodClass<'a> {
    pub(super) namespace: &'a str,
    pub(super) labels: &'a Labels,
    pub(super) network: PodNetwork,
    pub(super) named_ports: &'a [NamedPort],
    /// The pod that speaks for the class in sentences.
    pub(super) example: (PodId, &'a Pod),
    /// Whether one of them has addresses of both families.
    pub(super) has_both_families: bool,
    /// What the containers of one of them declare, where that is known.
    pub(super) declared: Option<BTreeSet<Port>>,
}

/// What tells classes apart.
type ClassKey<'a> = (&'a str, &'a Labels, bool, &'a [NamedPort]);

impl<'a> Census<'a> {
    pub(super) fn take(snapshot: &'a Snapshot, known: LintContext<'a>) -> Self {
        let live = |(_, pod): &(PodId, &'a Pod)| pod.lifecycle == Lifecycle::Live;
        let pods = (0u32..).map(PodId).zip(&snapshot.pods).filter(live);
        let mut classes: BTreeMap<ClassKey<'a>, PodClass<'a>> = BTreeMap::new();
        for (id, pod) in pods {
            let is_host = pod.network == PodNetwork::Host;
            let key = (&*pod.name.namespace, &pod.labels, is_host, &*pod.named_ports);
            let class = classes.entry(key).or_insert_with(|| PodClass {
                namespace: &pod.name.namespace,
                labels: &pod.labels,
                network: pod.network,
                named_ports: &pod.named_ports,
                example: (id, pod),
                has_both_families: false,
                declared: known.declared.map(|_| BTreeSet::new()),
            });
            class.has_both_families |= [Family::IPv4, Family::IPv6]
                .into_iter()
                .all(|family| pod.addresses.iter().any(|one| Family::of(*one) == family));
            let declared = known.declared.and_then(|all| all.get(id.0 as usize));
            if let (Some(all), Some(ports)) = (&mut class.declared, declared) {
                all.extend(ports);
            }
        }
        let classes: Vec<_> = classes.into_values().collect();
        let mut policies: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
        for policy in &snapshot.policies {
            policies.entry(&policy.name.namespace).or_default().push(policy);
        }
        for all in policies.values_mut() {
            all.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Self {
            snapshot,
            written: known.written,
            ranges: ranges(&classes),
            namespaces: namespaces(snapshot),
            policies,
            addresses: addresses(snapshot),
            classes,
            found: RefCell::default(),
        }
    }

    /// The pods of a namespace.
    pub(super) fn in_namespace(&self, namespace: &str) -> &[PodClass<'a>] {
        self.ranges.get(namespace).map_or(&[], |range| &self.classes[range.clone()])
    }

    /// The subjects of a policy.
    pub(super) fn subjects(&self, policy: &Policy) -> impl Iterator<Item = &PodClass<'a>> {
        let here = self.in_namespace(&policy.name.namespace).iter();
        here.filter(|class| policy.subjects.matches(class.labels))
    }

    /// The namespaces that a selector matches.
    pub(super) fn matching(&self, selector: &Selector) -> impl Iterator<Item = &'a str> {
        let matching = self.namespaces.iter().filter(|(_, labels)| selector.matches(labels));
        matching.map(|(name, _)| *name)
    }

    /// The pods that a peer of a policy of the namespace `own` means; none if it means addresses.
    pub(super) fn peers(&self, peer: &'a Peer, own: &'a str) -> Option<Rc<[usize]>> {
        match peer {
            Peer::Addresses(_) => None,
            Peer::Pods { namespaces: Namespaces::Own, pods } => Some(self.find((None, own, pods))),
            Peer::Pods { namespaces: Namespaces::Matching(namespaces), pods } => {
                Some(self.pods_of(namespaces, pods))
            }
        }
    }

    /// The classes of pods that both selectors match, by their places.
    pub(super) fn pods_of(&self, namespaces: &'a Selector, pods: &'a Selector) -> Rc<[usize]> {
        self.find((Some(namespaces), "", pods))
    }

    /// The classes that a query matches, by their places; remembered, since many policies ask the
    /// same.
    fn find(&self, asked: PodsQuery<'a>) -> Rc<[usize]> {
        if let Some(found) = self.found.borrow().get(&asked) {
            return Rc::clone(found);
        }
        let (namespaces, own, pods) = asked;
        let ranges: Vec<_> = match namespaces {
            None => self.ranges.get(own).cloned().into_iter().collect(),
            Some(selector) => {
                let matching = self.matching(selector);
                matching.filter_map(|name| self.ranges.get(name).cloned()).collect()
            }
        };
        let all = ranges.into_iter().flatten();
        let found: Rc<[usize]> =
            all.filter(|index| pods.matches(self.classes[*index].labels)).collect();
        self.found.borrow_mut().insert(asked, Rc::clone(&found));
        found
    }

    /// The pod with the lowest address in a range that lies in none of its holes.
    pub(super) fn in_block(&self, block: &crate::policy::IpBlock) -> Option<(IpAddr, &'a Pod)> {
        let last = block.cidr.broadcast();
        let mut first = block.cidr.network();
        loop {
            let (address, pod) = self.addresses.range(first..=last).next()?;
            let Some(hole) = block.except.iter().find(|hole| hole.contains(address)) else {
                return Some((*address, pod));
            };
            first = successor(hole.broadcast()).filter(|next| *next <= last)?;
        }
    }
}

fn successor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            u32::from(address).checked_add(1).map(|next| IpAddr::V4(next.into()))
        }
        IpAddr::V6(address) => {
            u128::from(address).checked_add(1).map(|next| IpAddr::V6(next.into()))
        }
    }
}

fn ranges<'a>(classes: &[PodClass<'a>]) -> BTreeMap<&'a str, Range<usize>> {
    let mut ranges: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    for (index, class) in classes.iter().enumerate() {
        ranges.entry(class.namespace).or_insert(index..index).end = index + 1;
    }
    ranges
}

fn namespaces(snapshot: &Snapshot) -> BTreeMap<&str, Labels> {
    let of_pods = snapshot.pods.iter().map(|pod| &pod.name);
    let of_policies = snapshot.policies.iter().map(|policy| &policy.name);
    let named = of_pods.chain(of_policies).map(|name| &name.namespace);
    let all: BTreeSet<&str> = named.chain(snapshot.namespaces.keys()).map(String::as_str).collect();
    let with_labels =
        all.into_iter().map(|name| (name, namespace_labels(name, snapshot.namespaces.get(name))));
    with_labels.collect()
}

fn addresses(snapshot: &Snapshot) -> BTreeMap<IpAddr, &Pod> {
    let pods = snapshot.pods.iter();
    let own = pods.filter(|pod| pod.network == PodNetwork::Own && pod.lifecycle == Lifecycle::Live);
    own.flat_map(|pod| pod.addresses.iter().map(move |one| (one.to_canonical(), pod))).collect()
}
