//! Who is at the other end of a subject's flows: of whom the policies say something else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    addresses::{self, Range},
    grouped,
    labels::{self, Combinations, combinations},
    normal::{DirectionPolicies, Selecting},
    subjects::{
        ChangedSubject, SubjectIdentity, is_own, names_of_namespaces, only, strange_namespaces,
        stranger,
    },
};
use crate::{
    compiled::{Answer, Compiled},
    flow::{Direction, End, Flow, PodId, Port, Protocol},
    pod::{ContainerKind, NamedPort},
    policy::{
        Isolation, MatchedPorts, Namespaces, Peer, Peers, Ports, Rule,
        cluster::{ClusterPeer, ClusterPort, ClusterPorts},
    },
    reference::ObjectRef,
    select::{Labels, Selector},
    snapshot::Snapshot,
    spans::{Span, joined, spans},
};

/// So many different strangers are tried with one subject, of either kind.
const STRANGERS: usize = 1024;

/// What was found of one subject.
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// Whether any stranger is, to its policies, like one that was tried.
    pub(super) is_complete: bool,
}

/// Of whom something else is said, on which ports.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) others: Vec<String>,
    pub(super) ports: Vec<String>,
    pub(super) old: Answer,
    pub(super) new: Answer,
}

/// What differs: on which ports, and how.
type How = (Vec<Span>, (u8, u8));

/// Compares what is said of a subject and strangers before and after.
pub(super) fn compare(
    sides: &[DirectionPolicies<'_>; 2],
    subject: &ChangedSubject,
    port: Option<Port>,
) -> Compared {
    let direction = sides[0].direction;
    let known =
        [0, 1].map(|n| only(&subject.pods[n].name.namespace, subject.namespaces[n].as_ref()));
    let selecting = [0, 1].map(|n| sides[n].selecting(&subject.pods[n], &known[n]));
    let terms = StrangerTerms::of(&selecting);
    let mut is_complete = !terms.has_more;
    let ranges = addresses::ranges(&terms.blocks);
    let mut homes = homes(sides, subject, &terms, &mut is_complete);
    let Combinations { all: labels, is_complete: all_labels } =
        combinations(terms.pods.iter().copied());
    is_complete &= all_labels;
    let labels =
        told_apart(labels, |labels| terms.pods.iter().map(|one| one.matches(labels)).collect());
    let most = (STRANGERS / labels.len().max(1)).max(1);
    if homes.len() > most || ranges.len() > STRANGERS {
        is_complete = false;
        homes.truncate(most);
    }
    let names = terms.names();
    let free = addresses::for_pods(&ranges, &terms.blocks);
    let people = People { subject, direction, labels: &labels, free: &free, names: &names };
    let mut all: BTreeMap<How, (LikeStrangers, (Answer, Answer))> = BTreeMap::new();
    let is_here = |range: &Range| range.only().is_some_and(|one| is_anybodys(one, sides));
    let met = met(sides, subject, &homes, &terms);
    for (place, home) in homes.iter().enumerate() {
        // A namespace by itself: another may have its name and other labels.
        let snapshots = [0, 1].map(|n| people.snapshot(n, &selecting[n], home));
        let spans = match port {
            Some(port) => vec![Span::one(port)],
            None => spans(&[&snapshots[0], &snapshots[1]]),
        };
        let compiled = snapshots.map(Compiled::new);
        let ways = |end| ways(&compiled, direction, &spans, end);
        for (id, labels_of_pod) in (1..).zip(&labels) {
            let peers = met.get(&(place, one_of(&terms, labels_of_pod)));
            let peers = peers.map_or(&[][..], Vec::as_slice);
            let ways = ways(End::Pod(PodId(id))).into_iter();
            for (way, answers) in ways.filter(|(way, _)| !is_told_here(sides, subject, peers, way))
            {
                let told = all.entry(way).or_insert_with(|| (LikeStrangers::default(), answers));
                told.0.pods.push((home, labels_of_pod));
            }
        }
        // Whatever namespaces there are, an address is in none of them.
        if home.is_own {
            for range in ranges.iter().take(STRANGERS).filter(|range| !is_here(range)) {
                for (way, answers) in ways(End::Address(range.address())) {
                    let told =
                        all.entry(way).or_insert_with(|| (LikeStrangers::default(), answers));
                    told.0.ranges.push(*range);
                }
            }
        }
    }
    let differences = all.into_iter().map(|((spans, _), (told, (old, new)))| Difference {
        others: told.words(&ranges, labels.len()),
        ports: people.words(spans),
        old,
        new,
    });
    Compared { differences: differences.collect(), is_complete }
}

/// What of an answer counts: whatever the reason is for which the API leaves it open.
fn rank(answer: Answer) -> u8 {
    match answer {
        Answer::Allow => 0,
        Answer::Deny => 1,
        Answer::Unspecified(_) => 2,
    }
}

/// Whether an address is that of a pod or a node that is among the objects.
fn is_anybodys(address: IpAddr, sides: &[DirectionPolicies<'_>; 2]) -> bool {
    sides.iter().all(|side| {
        let of_pods = side.snapshot.pods.iter().flat_map(|pod| &pod.addresses);
        of_pods.chain(side.snapshot.nodes.values().flatten()).any(|one| *one == address)
    })
}

/// What the policies of a subject tell strangers apart by.
struct StrangerTerms<'a> {
    namespaces: Vec<&'a Selector>,
    pods: Vec<&'a Selector>,
    blocks: BTreeSet<IpNet>,
    named: BTreeSet<(Protocol, &'a str)>,
    /// Ports that are mentioned by their numbers, from the first to the last.
    numbered: Vec<(u16, u16)>,
    /// Whether there is something by which strangers are not made up.
    has_more: bool,
}

impl<'a> StrangerTerms<'a> {
    fn of(selecting: &'a [Selecting<'a>; 2]) -> Self {
        let mut terms = Self {
            namespaces: Vec::new(),
            pods: Vec::new(),
            blocks: BTreeSet::new(),
            named: BTreeSet::new(),
            numbered: Vec::new(),
            has_more: false,
        };
        for selecting in selecting {
            for policy in &selecting.policies {
                for isolation in [&policy.ingress, &policy.egress] {
                    if let Isolation::Isolated(rules) = isolation {
                        for rule in rules {
                            terms.rule(rule);
                        }
                    }
                }
            }
            let rules = selecting.cluster_policies.iter();
            for rule in rules.flat_map(|policy| policy.ingress.iter().chain(&policy.egress)) {
                for peer in &rule.peers {
                    terms.cluster_peer(peer);
                }
                let ClusterPorts::Only(ports) = &rule.ports else { continue };
                for port in ports {
                    match port {
                        ClusterPort::Range { protocol: _, first, last } => {
                            terms.numbered.push((*first, *last));
                        }
                        ClusterPort::Named(name) => {
                            terms.named.insert((Protocol::Tcp, name));
                            // Rules have an order, in which a name may be before its number.
                            terms.has_more = true;
                        }
                        ClusterPort::Unknown(_) => terms.has_more = true,
                    }
                }
            }
        }
        terms
    }

    fn rule(&mut self, rule: &'a Rule) {
        if let Peers::Only(peers) = &rule.peers {
            for peer in peers {
                match peer {
                    Peer::Pods { namespaces, pods } => {
                        if let Namespaces::Matching(selector) = namespaces {
                            self.namespaces.push(selector);
                        }
                        self.pods.push(pods);
                    }
                    Peer::Addresses(block) => {
                        self.blocks.insert(block.cidr);
                        self.blocks.extend(&block.except);
                    }
                }
            }
        }
        if let Ports::Only(ports) = &rule.ports {
            for port in ports {
                match &port.numbers {
                    MatchedPorts::Any => {}
                    MatchedPorts::Range { first, last } => self.numbered.push((*first, *last)),
                    MatchedPorts::Named(name) => {
                        self.named.insert((port.protocol, name));
                    }
                }
            }
        }
    }

    fn cluster_peer(&mut self, peer: &'a ClusterPeer) {
        match peer {
            ClusterPeer::Pods(of) => {
                self.namespaces.push(&of.namespaces);
                self.pods.push(&of.pods);
            }
            // A pod with such an address may be treated as either.
            ClusterPeer::Networks(networks) => {
                self.blocks.extend(networks);
                self.has_more = true;
            }
            ClusterPeer::Nodes(_) | ClusterPeer::DomainNames(_) | ClusterPeer::Unknown(_) => {
                self.has_more = true;
            }
        }
    }

    /// What those who receive call ports, each at a number that nobody mentions.
    fn names(&self) -> Vec<NamedPort> {
        let is_mentioned = |number: &u16| {
            self.numbered.iter().any(|(first, last)| (first..=last).contains(&number))
        };
        let numbers = (1..=u16::MAX).rev().filter(|number| !is_mentioned(number));
        let named = self.named.iter().zip(numbers).map(|((protocol, name), number)| NamedPort {
            name: (*name).to_owned(),
            number,
            protocol: *protocol,
            container: ContainerKind::Regular,
        });
        named.collect()
    }
}

/// A namespace that strangers may be in.
#[derive(Debug)]
struct StrangerNamespace {
    name: String,
    labels: [Option<Labels>; 2],
    words: String,
    is_own: bool,
}

/// The subject's own namespace, and others, of which no selector tells one from those that are left
/// out.
fn homes(
    sides: &[DirectionPolicies<'_>; 2],
    subject: &ChangedSubject,
    terms: &StrangerTerms<'_>,
    is_complete: &mut bool,
) -> Vec<StrangerNamespace> {
    let own = subject.pods[0].name.namespace.clone();
    let vector = |home: &StrangerNamespace| -> Vec<bool> { matches(terms, home) };
    let mut homes = vec![StrangerNamespace {
        words: format!("in namespace {own}"),
        labels: subject.namespaces.clone(),
        name: own.clone(),
        is_own: true,
    }];
    let mut seen = BTreeSet::new();
    // By labels first: that tells more than the name of one that has them.
    let (strangers, all) = strange_namespaces(sides, terms.namespaces.iter().copied());
    *is_complete &= all;
    let strangers = strangers.into_iter().map(|(name, labels, words)| StrangerNamespace {
        name,
        labels: [Some(labels.clone()), Some(labels)],
        words,
        is_own: false,
    });
    let here = names_of_namespaces(sides).into_iter().map(|name| {
        let labels = [0, 1].map(|n| sides[n].snapshot.namespaces.get(&name).cloned());
        let words = format!("in namespace {name}");
        StrangerNamespace { name, labels, words, is_own: false }
    });
    for home in strangers.chain(here).filter(|home| home.name != own) {
        if seen.insert(vector(&home)) {
            homes.push(home);
        }
    }
    homes
}

fn matches(terms: &StrangerTerms<'_>, home: &StrangerNamespace) -> Vec<bool> {
    let of = |one: &&Selector| {
        home.labels
            .iter()
            .map(|labels| one.matches_namespace(&home.name, labels.as_ref()))
            .collect::<Vec<_>>()
    };
    terms.namespaces.iter().flat_map(of).collect()
}

/// Which of the selectors of pods these labels match.
fn one_of(terms: &StrangerTerms<'_>, labels: &Labels) -> Vec<bool> {
    terms.pods.iter().map(|one| one.matches(labels)).collect()
}

/// The first of all that are alike.
fn told_apart(all: Vec<Labels>, vector: impl Fn(&Labels) -> Vec<bool>) -> Vec<Labels> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|labels| seen.insert(vector(labels))).collect()
}

/// Pods that a subject which is among the objects meets there, a few for each home and for what the
/// selectors of pods say of them.
type Met<'a> = BTreeMap<(usize, Vec<bool>), Vec<&'a ObjectRef>>;

fn met<'a>(
    sides: &[DirectionPolicies<'a>; 2],
    subject: &ChangedSubject,
    homes: &[StrangerNamespace],
    terms: &StrangerTerms<'_>,
) -> Met<'a> {
    const FEW: usize = 4;
    let mut met = Met::new();
    let SubjectIdentity::Here(_) = subject.who else { return met };
    let by_vector: BTreeMap<(bool, Vec<bool>), usize> = homes
        .iter()
        .enumerate()
        .map(|(place, home)| ((home.is_own, matches(terms, home)), place))
        .collect();
    for pod in sides[1].snapshot.pods.iter().filter(|pod| is_own(pod)) {
        let name = pod.name.namespace.clone();
        let labels = [0, 1].map(|n| sides[n].snapshot.namespaces.get(&name).cloned());
        let is_own = name == subject.pods[0].name.namespace;
        let home = StrangerNamespace { name, labels, words: String::new(), is_own };
        if let Some(place) = by_vector.get(&(is_own, matches(terms, &home))) {
            let pods = met.entry((*place, one_of(terms, &pod.labels))).or_default();
            if pods.len() < FEW {
                pods.push(&pod.name);
            }
        }
    }
    met
}

/// Whether a subject and one of these pods, which are all among the objects, show the same change:
/// it is told of them.
fn is_told_here(
    sides: &[DirectionPolicies<'_>; 2],
    subject: &ChangedSubject,
    peers: &[&ObjectRef],
    way: &How,
) -> bool {
    let (SubjectIdentity::Here(subjects), (spans, ranks)) = (&subject.who, way) else {
        return false;
    };
    let Some(span) = spans.first() else { return false };
    let answer = |n: usize, subject: &ObjectRef, peer: &ObjectRef| {
        let side: &DirectionPolicies<'_> = &sides[n];
        let (subject, peer) = (End::Pod(side.id(subject)?), End::Pod(side.id(peer)?));
        let (from, to) = match side.direction {
            Direction::Ingress => (peer, subject),
            Direction::Egress => (subject, peer),
        };
        let flow = Flow { from, to, port: span.port(), family: None };
        Some(rank(side.compiled.answer(&flow)))
    };
    subjects.iter().take(2).any(|subject| {
        let others = peers.iter().filter(|peer| **peer != subject);
        others.into_iter().any(|peer| {
            (answer(0, subject, peer), answer(1, subject, peer)) == (Some(ranks.0), Some(ranks.1))
        })
    })
}

/// A subject, and those who may be at the other end.
struct People<'a> {
    subject: &'a ChangedSubject,
    direction: Direction,
    /// Of the strangers, each another.
    labels: &'a [Labels],
    /// Addresses, for each of them one.
    free: &'a [IpAddr],
    /// What those who receive call their ports, unless they are there and have names of their own.
    names: &'a [NamedPort],
}

impl People<'_> {
    /// Whether those who receive are made up, with what they call their ports.
    fn are_named(&self) -> bool {
        match (&self.subject.who, self.direction) {
            (SubjectIdentity::Here(_), Direction::Ingress) => false,
            (SubjectIdentity::Stranger(_), Direction::Ingress) | (_, Direction::Egress) => true,
        }
    }

    /// Ports for people. One that was made up for a name is told by it.
    fn words(&self, spans: Vec<Span>) -> Vec<String> {
        let named = |span: &Span| {
            let is_it = |one: &&NamedPort| {
                Span::one(Port { number: one.number, protocol: one.protocol }) == *span
            };
            self.names.iter().filter(|_| self.are_named()).find(is_it)
        };
        let words = |span: &Span| match named(span) {
            Some(NamedPort { name, protocol, .. }) => format!("{name}/{protocol}"),
            None => span.to_string(),
        };
        joined(spans).iter().map(words).collect()
    }

    /// The subject, and all strangers in one namespace: what its policies are asked about.
    fn snapshot(&self, n: usize, selecting: &Selecting<'_>, home: &StrangerNamespace) -> Snapshot {
        let mut free = self.free.iter().copied();
        let mut own = self.subject.pods[n].clone();
        own.addresses = free.next().into_iter().collect();
        // Of both families, so that it has one in common with whoever there is.
        own.addresses.extend(other_family(own.addresses.first().copied()));
        if self.are_named() && self.direction == Direction::Ingress {
            own.named_ports = self.names.to_vec();
        }
        let own_home = (own.name.namespace.clone(), self.subject.namespaces[n].clone());
        let mut pods = vec![own];
        for labels in self.labels {
            let mut pod = stranger(&home.name, labels.clone());
            pod.name.name = format!("{}-{}", pod.name.name, pods.len());
            pod.addresses = free.next().into_iter().collect();
            if self.direction == Direction::Egress {
                pod.named_ports = self.names.to_vec();
            }
            pods.push(pod);
        }
        let homes = [own_home, (home.name.clone(), home.labels[n].clone())];
        Snapshot {
            namespaces: homes
                .into_iter()
                .filter_map(|(name, labels)| Some((name, labels?)))
                .collect(),
            pods,
            policies: selecting.policies.iter().map(|one| (*one).clone()).collect(),
            cluster_policies: selecting.cluster_policies.iter().map(|one| (*one).clone()).collect(),
            ..Snapshot::default()
        }
    }
}

/// How what is said of the subject and one other end changes. It may change in different ways on
/// different ports.
fn ways(
    compiled: &[Compiled; 2],
    direction: Direction,
    spans: &[Span],
    other: End,
) -> Vec<(How, (Answer, Answer))> {
    let subject = End::Pod(PodId(0));
    let (from, to) = match direction {
        Direction::Ingress => (other, subject),
        Direction::Egress => (subject, other),
    };
    let mut ways = BTreeMap::<(u8, u8), (Vec<Span>, (Answer, Answer))>::new();
    for span in spans {
        let flow = Flow { from, to, port: span.port(), family: None };
        let [old, new] = [0, 1].map(|n: usize| compiled[n].answer(&flow));
        if rank(old) != rank(new) {
            let way = ways.entry((rank(old), rank(new)));
            way.or_insert_with(|| (Vec::new(), (old, new))).0.push(*span);
        }
    }
    ways.into_iter().map(|(ranks, (spans, answers))| ((spans, ranks), answers)).collect()
}

/// An address that nobody else has, of the family that this one is not of.
fn other_family(address: Option<IpAddr>) -> Option<IpAddr> {
    match address? {
        IpAddr::V4(_) => "100::ffff".parse().ok(),
        IpAddr::V6(_) => "100.127.255.254".parse().ok(),
    }
}

/// Strangers of whom the same is said.
#[derive(Default)]
struct LikeStrangers<'a> {
    ranges: Vec<Range>,
    pods: Vec<(&'a StrangerNamespace, &'a Labels)>,
}

impl LikeStrangers<'_> {
    /// Who they are, of all ranges and of so many kinds of pods in each namespace.
    fn words(&self, ranges: &[Range], kinds: usize) -> Vec<String> {
        let mut words = addresses::words(&self.ranges, ranges);
        if self.ranges.is_empty() {
            words.clear();
        }
        let by_home = grouped(
            self.pods.iter().map(|(home, labels)| ((!home.is_own, home.words.clone()), *labels)),
        );
        let mut homes: Vec<(&StrangerNamespace, BTreeSet<String>)> = Vec::new();
        for ((_, name), all) in by_home {
            let Some((home, _)) = self.pods.iter().find(|(home, _)| home.words == name) else {
                continue;
            };
            homes.push((home, pods_in_words(&all, kinds)));
        }
        // A namespace that has more labels than one of which the same is said tells nothing more.
        let says_less = |home: &StrangerNamespace, pods: &BTreeSet<String>| {
            homes.iter().any(|(other, others)| {
                other.words != home.words
                    && pods == others
                    && is_general(other)
                    && is_general(home)
                    && labels::includes(of(home), of(other))
                    && of(home) != of(other)
            })
        };
        for (home, pods) in &homes {
            if !says_less(home, pods) {
                words.extend(pods.iter().map(|pods| format!("{pods} {}", home.words)));
            }
        }
        words
    }
}

/// Whether it stands for all namespaces that are not there with its labels.
fn is_general(home: &StrangerNamespace) -> bool {
    !home.is_own && home.words.starts_with("in namespaces labelled")
        || home.words == "in other namespaces"
}

fn of(home: &StrangerNamespace) -> &Labels {
    static NONE: Labels = Labels::new();
    home.labels[0].as_ref().unwrap_or(&NONE)
}

/// Pods of one namespace: those whose labels another's include are told by that one.
fn pods_in_words(all: &[&Labels], kinds: usize) -> BTreeSet<String> {
    if all.len() == kinds {
        return ["pods".to_owned()].into();
    }
    let is_told = |labels: &&&Labels| {
        all.iter()
            .any(|other| !other.is_empty() && *other != **labels && labels::includes(labels, other))
    };
    let told = all.iter().filter(|labels| !is_told(labels)).map(|labels| {
        if labels.is_empty() {
            "pods without such labels".to_owned()
        } else {
            format!("pods labelled {}", labels::words(labels))
        }
    });
    told.collect()
}
