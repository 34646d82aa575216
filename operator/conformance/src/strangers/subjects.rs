//! Finds the subjects of policies that differ: pods among the objects, and pods that are made up.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    grouped,
    labels::{Combinations, combinations, words},
    normal::{ChangedPolicies, DirectionPolicies, Selecting},
};
use crate::{
    pod::{Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{
        Isolation, MatchedPorts, Ports,
        cluster::{ClusterPort, ClusterPorts},
    },
    reference::ObjectRef,
    select::{Labels, NAMESPACE_NAME, Selector},
};

/// The name of a pod that is made up.
const NAME: &str = "stranger";

/// One subject of policies that differ, for all that they treat alike.
#[derive(Clone, Debug)]
pub(super) struct ChangedSubject {
    pub(super) who: SubjectIdentity,
    /// The same pod before and after.
    pub(super) pods: [Pod; 2],
    /// The labels of the subject's namespace before and after, where it has any of its own.
    pub(super) namespaces: [Option<Labels>; 2],
    /// The policies that differ and apply to the subject.
    pub(super) policies: BTreeSet<String>,
}

/// Whether a subject is among the objects or made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SubjectIdentity {
    /// Pods that are among the objects, before and after.
    Here(Vec<ObjectRef>),
    /// Pods that are not, in words.
    Stranger(String),
}

/// All subjects of one direction.
#[derive(Debug, Default)]
pub(super) struct FoundSubjects {
    /// The subjects of which different things are said before and after, those with the fewest
    /// policies first.
    pub(super) subjects: Vec<ChangedSubject>,
    /// Policies that differ, of which there may be other subjects.
    pub(super) unproven: BTreeSet<String>,
}

/// Which policies apply, and in which namespace: of pods that share it the same is said, but for
/// what they call ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SubjectClass {
    namespace: String,
    /// The policies by their places, before and after.
    policies: [Vec<usize>; 2],
    cluster_policies: [Vec<usize>; 2],
}

/// What pods share of which the same is said: which policies apply, and what they call ports.
type SubjectKey = (SubjectClass, Vec<NamedPort>);

/// The subjects of the policies of one direction that differ.
pub(super) fn subjects(
    sides: &[DirectionPolicies<'_>; 2],
    changed: &ChangedPolicies,
) -> FoundSubjects {
    let mut found = FoundSubjects::default();
    let (mut seen, mut nameless) =
        (BTreeSet::<SubjectClass>::new(), BTreeSet::<SubjectClass>::new());
    for ((class, _), pods) in grouped(here(sides)) {
        let Some(first) = pods.first() else { continue };
        let namespace = &class.namespace;
        let namespaces = [0, 1].map(|n| sides[n].snapshot.namespaces.get(namespace).cloned());
        let names = pods.iter().map(|pods| pods[0].name.clone()).collect();
        let pods = first.clone();
        if has_named_ports(sides, &class) {
            nameless.insert(class.clone());
        }
        add(&mut found, sides, changed, SubjectIdentity::Here(names), pods, namespaces);
        seen.insert(class);
    }
    for (namespace, labels_of_namespaces) in candidates(sides, changed, &mut found) {
        let Combinations { all, is_complete } =
            combinations(subject_selectors(sides, changed, &namespace));
        if !is_complete {
            found.unproven.extend(names_in(sides, changed, &namespace.name));
        }
        for labels in all {
            let pod = stranger(&namespace.name, labels.clone());
            let class = class_of(sides, &[&pod, &pod], &labels_of_namespaces);
            // Another pod that is treated like those that are here may call its ports otherwise.
            let is_like_one_here = !seen.insert(class.clone());
            if is_like_one_here && !nameless.remove(&class) {
                continue;
            }
            let labels = words(&labels);
            let pods = if labels.is_empty() {
                "pods".to_owned()
            } else {
                format!("pods labelled {labels}")
            };
            let names = if is_like_one_here { " that call ports as the policies do" } else { "" };
            let who = SubjectIdentity::Stranger(format!("{pods} {}{names}", namespace.words));
            let of_pod = [pod.clone(), pod];
            add(&mut found, sides, changed, who, of_pod, labels_of_namespaces.clone());
        }
    }
    found.subjects.sort_by_key(|subject| subject.policies.len());
    found
}

/// Whether rules that apply to what pods receive mention ports by what those pods call them.
fn has_named_ports(sides: &[DirectionPolicies<'_>; 2], class: &SubjectClass) -> bool {
    sides.iter().enumerate().any(|(n, side)| {
        let policies = side.policies_in(&class.namespace);
        let rules = class.policies[n].iter().flat_map(|place| match &policies[*place].ingress {
            Isolation::Open => [].as_slice(),
            Isolation::Isolated(rules) => rules.as_slice(),
        });
        let of_cluster = class.cluster_policies[n].iter();
        let of_cluster = of_cluster.flat_map(|place| &side.cluster_policies[*place].ingress);
        rules.into_iter().any(|rule| match &rule.ports {
            Ports::All => false,
            Ports::Only(ports) => {
                ports.iter().any(|port| matches!(port.numbers, MatchedPorts::Named(_)))
            }
        }) || of_cluster.into_iter().any(|rule| match &rule.ports {
            ClusterPorts::All => false,
            ClusterPorts::Only(ports) => {
                ports.iter().any(|port| matches!(port, ClusterPort::Named(_)))
            }
        })
    })
}

/// Pods that are there before and after and have networks of their own, by what applies to them.
fn here(sides: &[DirectionPolicies<'_>; 2]) -> Vec<(SubjectKey, [Pod; 2])> {
    let new: BTreeMap<&ObjectRef, &Pod> =
        sides[1].snapshot.pods.iter().map(|pod| (&pod.name, pod)).collect();
    let both = sides[0].snapshot.pods.iter().filter_map(|old| Some((old, *new.get(&old.name)?)));
    let own = both.filter(|(old, new)| is_own(old) && is_own(new));
    own.map(|(old, new)| {
        let namespace = &old.name.namespace;
        let labels = [0, 1].map(|n| sides[n].snapshot.namespaces.get(namespace).cloned());
        let names = old.named_ports.iter().chain(&new.named_ports).cloned().collect();
        ((class_of(sides, &[old, new], &labels), names), [old.clone(), new.clone()])
    })
    .collect()
}

/// Whether a pod is one that policies can isolate.
pub(super) fn is_own(pod: &Pod) -> bool {
    pod.network == PodNetwork::Own && pod.lifecycle == Lifecycle::Live
}

fn class_of(
    sides: &[DirectionPolicies<'_>; 2],
    pods: &[&Pod; 2],
    labels: &[Option<Labels>; 2],
) -> SubjectClass {
    let namespace = pods[0].name.namespace.clone();
    let places = |n: usize| -> (Vec<usize>, Vec<usize>) {
        let side = &sides[n];
        let policies = side.policies_in(&namespace).iter().enumerate();
        let policies = policies.filter(|(_, policy)| policy.selects(pods[n]));
        let known = only(&namespace, labels[n].as_ref());
        let of_cluster = side.cluster_policies.iter().enumerate();
        let of_cluster = of_cluster.filter(|(_, policy)| policy.subjects.matches(pods[n], &known));
        (policies.map(|(place, _)| place).collect(), of_cluster.map(|(place, _)| place).collect())
    };
    let ((old, old_of_cluster), (new, new_of_cluster)) = (places(0), places(1));
    let (policies, cluster_policies) = ([old, new], [old_of_cluster, new_of_cluster]);
    SubjectClass { namespace, policies, cluster_policies }
}

/// The labels of namespaces, of which there is none but this one.
pub(super) fn only(namespace: &str, labels: Option<&Labels>) -> BTreeMap<String, Labels> {
    labels.map(|labels| (namespace.to_owned(), labels.clone())).into_iter().collect()
}

/// Adds a subject, if policies that differ apply to it, and if all together say something else of
/// it.
fn add(
    found: &mut FoundSubjects,
    sides: &[DirectionPolicies<'_>; 2],
    changed: &ChangedPolicies,
    who: SubjectIdentity,
    pods: [Pod; 2],
    namespaces: [Option<Labels>; 2],
) {
    let known = [0, 1].map(|n| only(&pods[n].name.namespace, namespaces[n].as_ref()));
    let selecting: [Selecting<'_>; 2] = [0, 1].map(|n| sides[n].selecting(&pods[n], &known[n]));
    let policies: BTreeSet<String> =
        selecting.iter().flat_map(|selecting| selecting.changed(changed)).collect();
    if !policies.is_empty() && selecting[0].meaning() != selecting[1].meaning() {
        found.subjects.push(ChangedSubject { who, pods, namespaces, policies });
    }
}

/// A namespace that pods may be in.
struct PossibleNamespace {
    name: String,
    /// Where pods of the namespace are, in words.
    words: String,
}

/// The namespaces in which there may be subjects of policies that differ, with their labels before
/// and after.
fn candidates(
    sides: &[DirectionPolicies<'_>; 2],
    changed: &ChangedPolicies,
    found: &mut FoundSubjects,
) -> Vec<(PossibleNamespace, [Option<Labels>; 2])> {
    let of = |name: &str| [0, 1].map(|n| sides[n].snapshot.namespaces.get(name).cloned());
    let here = |name: &str| PossibleNamespace {
        name: name.to_owned(),
        words: format!("in namespace {name}"),
    };
    let own: BTreeSet<&str> = changed.policies.iter().map(|name| name.namespace.as_str()).collect();
    let mut all: Vec<_> = own.iter().map(|name| (here(name), of(name))).collect();
    if changed.cluster_policies.is_empty() {
        return all;
    }
    // Of the namespaces without policies of their own, one for all that no policy of the cluster
    // tells apart.
    let selectors: Vec<&Selector> = sides
        .iter()
        .flat_map(|side| &side.cluster_policies)
        .map(|policy| &policy.subjects.namespaces)
        .collect();
    let vector = |name: &str, labels: &[Option<Labels>; 2]| -> Vec<bool> {
        let matches = |one: &&Selector| {
            labels
                .iter()
                .map(|labels| one.matches_namespace(name, labels.as_ref()))
                .collect::<Vec<_>>()
        };
        selectors.iter().flat_map(matches).collect()
    };
    let mut seen = BTreeSet::new();
    for name in names_of_namespaces(sides).iter().filter(|name| !own.contains(name.as_str())) {
        let labels = of(name);
        let has_policies = sides.iter().any(|side| !side.policies_in(name).is_empty());
        if has_policies || seen.insert(vector(name, &labels)) {
            all.push((here(name), labels));
        }
    }
    let (strangers, is_complete) = strange_namespaces(sides, selectors.iter().copied());
    if !is_complete {
        found.unproven.extend(changed.cluster_policies.iter().map(ToString::to_string));
    }
    for (name, labels, words) in strangers {
        let labels = [Some(labels.clone()), Some(labels)];
        if seen.insert(vector(&name, &labels)) {
            all.push((PossibleNamespace { name, words }, labels));
        }
    }
    all
}

/// All namespaces that are there, or that something is in.
pub(super) fn names_of_namespaces(sides: &[DirectionPolicies<'_>; 2]) -> BTreeSet<String> {
    let named = sides.iter().flat_map(|side| {
        let pods = side.snapshot.pods.iter().map(|pod| &pod.name.namespace);
        let policies = side.snapshot.policies.iter().map(|policy| &policy.name.namespace);
        side.snapshot.namespaces.keys().chain(pods).chain(policies)
    });
    named.cloned().collect()
}

/// Namespaces that are not there, with all labels that selectors tell apart: name, labels, and
/// where pods in them are, for people.
pub(super) fn strange_namespaces<'a>(
    sides: &[DirectionPolicies<'_>; 2],
    selectors: impl Iterator<Item = &'a Selector> + Clone,
) -> (Vec<(String, Labels, String)>, bool) {
    let there = names_of_namespaces(sides);
    let without_names: Vec<Selector> = selectors
        .clone()
        .map(|selector| {
            let of_labels = selector.requirements().filter(|one| one.key() != NAMESPACE_NAME);
            of_labels.cloned().collect()
        })
        .collect();
    let mut names: BTreeSet<String> = selectors
        .flat_map(Selector::requirements)
        .filter(|one| one.key() == NAMESPACE_NAME)
        .flat_map(|one| one.terms().1.cloned().collect::<Vec<_>>())
        .filter(|name| !there.contains(name))
        .collect();
    let mut other = NAME.to_owned();
    while there.contains(&other) || names.contains(&other) {
        other.push('x');
    }
    names.insert(other.clone());
    let Combinations { all, is_complete } = combinations(without_names.iter());
    let mut strangers = Vec::new();
    for labels in all {
        // The name that no policy mentions comes first.
        for name in [&other].into_iter().chain(names.iter().filter(|name| **name != other)) {
            let with = words(&labels);
            let words = match (*name == other, with.is_empty()) {
                (true, true) => "in other namespaces".to_owned(),
                (true, false) => format!("in namespaces labelled {with}"),
                (false, true) => format!("in namespace {name}"),
                (false, false) => format!("in namespace {name}, if it is labelled {with}"),
            };
            strangers.push((name.clone(), labels.clone(), words));
        }
    }
    (strangers, is_complete)
}

/// The selectors that tell whether a policy applies to pods of a namespace: those of policies that
/// differ first.
fn subject_selectors<'a>(
    sides: &'a [DirectionPolicies<'_>; 2],
    changed: &'a ChangedPolicies,
    place: &'a PossibleNamespace,
) -> impl Iterator<Item = &'a Selector> {
    let of = move |differs: bool| {
        sides.iter().flat_map(move |side| {
            let policies = side.policies_in(&place.name).iter();
            let policies =
                policies.filter(move |one| changed.policies.contains(&one.name) == differs);
            let of_cluster = side.cluster_policies.iter();
            let of_cluster = of_cluster
                .filter(move |one| changed.cluster_policies.contains(&one.name) == differs);
            policies.map(|one| &one.subjects).chain(of_cluster.map(|one| &one.subjects.pods))
        })
    };
    of(true).chain(of(false))
}

/// The policies that differ and may apply in a namespace.
fn names_in(
    sides: &[DirectionPolicies<'_>; 2],
    changed: &ChangedPolicies,
    namespace: &str,
) -> BTreeSet<String> {
    let policies = sides.iter().flat_map(|side| side.policies_in(namespace));
    let policies = policies.map(|policy| &policy.name).filter(|one| changed.policies.contains(one));
    let of_cluster = changed.cluster_policies.iter().map(ToString::to_string);
    policies.map(ToString::to_string).chain(of_cluster).collect()
}

/// A pod that is made up, with this namespace and these labels.
pub(super) fn stranger(namespace: &str, labels: Labels) -> Pod {
    Pod {
        name: ObjectRef { namespace: namespace.to_owned(), name: NAME.to_owned() },
        labels,
        addresses: Vec::new(),
        node: None,
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: Vec::new(),
    }
}
