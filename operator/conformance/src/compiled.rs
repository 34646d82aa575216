//! A snapshot prepared for many questions: pods that no policy can tell apart are of one shape, and
//! what policies say is kept as bits, a row of shapes for each peer that they mention.
//!
//! [`evaluate::expect`] is the measure: answers here never differ from it.

pub(crate) mod bits;
mod blocks;
mod pairs;
mod profiles;
mod rules;
mod shapes;
mod terms;
mod tiers;
mod view;

use std::{collections::HashMap, fmt};

use crate::{
    evaluate::{self, Applying},
    expected::{Expected, Unspecified},
    flow::{Direction, End, Family, Flow, PodId, Port},
    pod::Pod,
    policy::Policy,
    snapshot::Snapshot,
};
use bits::BitTable;
use profiles::{Picture, Profile, Profiles, ShapeProfiles};
use rules::{CompiledClusterRule, CompiledPeer, Peering, Rules, side};
use shapes::{Named, PodPlace, Shapes};
use terms::Terms;
use tiers::{Matches, OutcomeMasks};

pub use pairs::{Alike, Counts, Meeting, PairAnswers, Pairs, Signature};

/// A snapshot prepared for many questions.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     compiled::{Answer, Compiled},
///     policy::Isolation,
/// };
///
/// let mut compiled = Compiled::new(shop());
/// assert_eq!(compiled.answer(&flow("web", "db")), Answer::Allow);
/// assert_eq!(compiled.answer(&flow("job", "db")), Answer::Deny);
///
/// let mut policy = shop().policies.remove(0);
/// policy.ingress = Isolation::Open;
/// compiled.replace(policy);
/// assert_eq!(compiled.answer(&flow("job", "db")), Answer::Allow);
/// ```
#[derive(Clone, Debug)]
pub struct Compiled {
    snapshot: Snapshot,
    terms: Terms,
    shapes: Shapes,
    rules: Rules,
    /// The profiles of each direction, at the place that [`side`] gives.
    profiles: [Profiles; 2],
    /// The policies that apply to each shape.
    subjects: ShapeProfiles,
    /// The `NetworkPolicies` of each namespace, for pods that are of no shape.
    by_namespace: HashMap<String, Vec<u32>>,
    /// Whether there are pods of the host's network at all.
    has_hosts: bool,
}

/// An [`Expected`] without what decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Both directions let the flow pass.
    Allow,
    /// At least one direction stops it.
    Deny,
    /// The API leaves it to the network.
    Unspecified(Unspecified),
}

impl Answer {
    /// The stable word for reports: [`Expected::word`].
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
            Self::Unspecified(_) => "Unspecified",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl From<&Expected> for Answer {
    fn from(expected: &Expected) -> Self {
        match expected {
            Expected::Allow(_) => Self::Allow,
            Expected::Deny(_) => Self::Deny,
            Expected::Unspecified(why) => Self::Unspecified(*why),
        }
    }
}

/// What a policy changed.
enum AffectedRows {
    /// All rows: the policy mentions what no other did, so that pods may be of other shapes now.
    Everything,
    /// The rows of these profiles, by direction; some profiles are new.
    Profiles([Vec<u32>; 2]),
}

/// A flow between two pods of shapes.
#[derive(Clone, Copy)]
struct Between {
    from: u32,
    to: u32,
    family: Family,
    port: Port,
}

impl Compiled {
    /// Prepares a snapshot. Takes time and memory in proportion to its objects, and to the product
    /// of its different peers and its different pods, a bit for each.
    pub fn new(snapshot: Snapshot) -> Self {
        let mut terms = rules::terms(&snapshot);
        let shapes = Shapes::new(&snapshot, &terms);
        let subjects = ShapeProfiles::new(&snapshot, &terms, &shapes);
        let rows = BitTable::new(shapes.all.len());
        let rules = Peering::new(&snapshot, &mut terms, &shapes, rows).all();
        let picture =
            Picture { snapshot: &snapshot, shapes: &shapes, rules: &rules, subjects: &subjects };
        let profiles = Direction::BOTH.map(|direction| Profiles::new(direction, picture));
        let mut by_namespace: HashMap<String, Vec<u32>> = HashMap::new();
        for (number, policy) in (0u32..).zip(&snapshot.policies) {
            by_namespace.entry(policy.name.namespace.clone()).or_default().push(number);
        }
        let has_hosts = shapes.places.iter().any(|place| matches!(place, PodPlace::Host(_)));
        Self { snapshot, terms, shapes, rules, profiles, subjects, by_namespace, has_hosts }
    }

    /// Puts a policy in the place of the one of its name, or beside the others if there is none.
    pub fn replace(&mut self, policy: Policy) {
        self.take(policy);
    }

    /// Does what [`replace`](Self::replace) does, and says which rows that affects.
    fn take(&mut self, policy: Policy) -> AffectedRows {
        let name = policy.name.clone();
        let policies = &mut self.snapshot.policies;
        let number = policies.iter().position(|old| old.name == name);
        let is_known = rules::knows(&self.terms, &policy);
        let number = if let Some(number) = number {
            policies[number] = policy;
            number
        } else {
            policies.push(policy);
            policies.len() - 1
        };
        if !is_known {
            *self = Self::new(std::mem::take(&mut self.snapshot));
            return AffectedRows::Everything;
        }
        let places = self.shapes.namespaces.get(&name.namespace).cloned().unwrap_or(0..0);
        let policy = &self.snapshot.policies[number];
        let rows = std::mem::take(&mut self.rules.pods);
        let peering = Peering::new(&self.snapshot, &mut self.terms, &self.shapes, rows);
        let (rules, rows) = peering.of(policy);
        self.rules.pods = rows;
        let place = u32::try_from(number).unwrap_or(u32::MAX);
        if number < self.rules.network.len() {
            self.rules.network[number] = rules;
        } else {
            self.rules.network.push(rules);
            self.by_namespace.entry(name.namespace).or_default().push(place);
        }
        self.subjects.replace(place, policy, &self.terms, &self.shapes);
        let Self { snapshot, shapes, rules, subjects, profiles, .. } = self;
        let picture = Picture { snapshot, shapes, rules, subjects };
        AffectedRows::Profiles(Direction::BOTH.map(|direction| {
            let profiles = &mut profiles[side(direction)];
            let places = places.clone();
            profiles.replace(place, places, direction, picture)
        }))
    }

    /// The snapshot as it is now, with the policies that were taken in since.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What the policies say of a flow, and what decided: the answer of [`evaluate::expect`].
    ///
    /// # Panics
    ///
    /// If the flow is of another snapshot.
    pub fn expect(&self, flow: &Flow) -> Expected {
        evaluate::expect_with(&self.snapshot, flow, |id| self.applying(id))
    }

    /// What the policies say of a flow, in less than a microsecond where both ends are pods with
    /// networks of their own.
    ///
    /// # Panics
    ///
    /// If the flow is of another snapshot.
    pub fn answer(&self, flow: &Flow) -> Answer {
        match self.between(flow).map(|between| self.outcomes(between, flow.from == flow.to)) {
            Some(OutcomeMasks { passes, stops: 0 }) if passes != 0 => Answer::Allow,
            Some(OutcomeMasks { passes: 0, stops }) if stops != 0 => Answer::Deny,
            // An answer that is open needs its reason, and other flows are no matter of shapes.
            Some(_) | None => Answer::from(&self.expect(flow)),
        }
    }

    fn between(&self, flow: &Flow) -> Option<Between> {
        let (End::Pod(from), End::Pod(to)) = (flow.from, flow.to) else { return None };
        let [from, to] = [from, to].map(|id| self.shapes.places[id.0 as usize]);
        let (PodPlace::Shape(from), PodPlace::Shape(to)) = (from, to) else { return None };
        let [sender, receiver] = [from, to].map(|shape| self.shapes.all[shape as usize].families);
        let family = receiver.common(sender, flow.family)?;
        Some(Between { from, to, family, port: flow.port })
    }

    /// The policies that have a pod as a subject.
    pub(crate) fn applying(&self, id: PodId) -> Applying<'_> {
        let network = |numbers: &[u32]| {
            numbers.iter().map(|number| &self.snapshot.policies[*number as usize]).collect()
        };
        match self.shapes.places[id.0 as usize] {
            PodPlace::Shape(shape) => {
                let cluster = self.subjects.cluster[shape as usize].iter();
                let all = &self.snapshot.cluster_policies;
                Applying {
                    network: network(&self.subjects.network[shape as usize]),
                    cluster: cluster.map(|number| &all[*number as usize]).collect(),
                }
            }
            PodPlace::Host(_) => {
                let Pod { name, labels, .. } = self.snapshot.pod(id);
                let there = self.by_namespace.get(&name.namespace).into_iter().flatten().copied();
                let applying = there.filter(|number| {
                    self.snapshot.policies[*number as usize].subjects.matches(labels)
                });
                // Policies of the cluster have no subjects on the host's network.
                Applying { network: network(&applying.collect::<Vec<_>>()), cluster: Vec::new() }
            }
            PodPlace::Void => Applying::default(),
        }
    }

    /// What may happen to a flow between pods of two shapes, or from a pod to itself: the lowest
    /// bit.
    fn outcomes(&self, between: Between, to_itself: bool) -> OutcomeMasks {
        let named = &self.shapes.named[self.shapes.all[between.to as usize].named as usize];
        let without_init = self.reading(between, named, false);
        let mut outcomes = without_init;
        if named.iter().any(|port| port.is_init) {
            let with_init = self.reading(between, named, true);
            outcomes.passes |= with_init.passes;
            outcomes.stops |= with_init.stops;
        }
        if to_itself {
            // A pod's traffic to itself may be exempt.
            outcomes.passes = 1;
        }
        outcomes
    }

    fn reading(&self, between: Between, named: &[Named], init_resolves: bool) -> OutcomeMasks {
        let ports = PortsOf { port: between.port, named, init_resolves };
        let [egress, ingress] = Direction::BOTH.map(|direction| {
            let (own, peer) = match direction {
                Direction::Egress => (between.from, between.to),
                Direction::Ingress => (between.to, between.from),
            };
            let profiles = &self.profiles[side(direction)];
            let profile = &profiles.all[profiles.of[own as usize] as usize];
            self.side(profile, direction, peer as usize, between.family, ports)
        });
        OutcomeMasks {
            passes: egress.passes & ingress.passes & 1,
            stops: (egress.stops | ingress.stops) & 1,
        }
    }

    fn side(
        &self,
        profile: &Profile,
        direction: Direction,
        peer: usize,
        family: Family,
        ports: PortsOf<'_>,
    ) -> OutcomeMasks {
        let is = |who: &CompiledPeer| self.is(*who, peer, family);
        let matches = |rule: &CompiledClusterRule| {
            let (port, perhaps_port) = ports.certainly_and_perhaps(rule.ports.as_deref());
            let certain = rule.peers.iter().any(is);
            let doubtful = || rule.doubtful.iter().any(|who| who.as_ref().is_none_or(is));
            let perhaps = perhaps_port && (certain || doubtful());
            Matches { certainly: mask(certain && port), perhaps: mask(perhaps) }
        };
        let admitted = || {
            let rules = profile.isolating.iter().filter_map(|number| {
                self.rules.network[*number as usize][side(direction)].as_ref()
            });
            mask(rules.flatten().any(|rule| {
                ports.certainly_and_perhaps(rule.ports.as_deref()).0
                    && rule.peers.as_ref().is_none_or(|peers| peers.iter().any(is))
            }))
        };
        tiers::outcomes(profile, direction, &self.rules, &matches, admitted)
    }

    fn is(&self, who: CompiledPeer, shape: usize, family: Family) -> bool {
        match who {
            CompiledPeer::Pods(row) => self.rules.pods.get(row as usize, shape),
            CompiledPeer::Block(row) => self.shapes.blocks[index(family)].get(row as usize, shape),
        }
    }
}

/// The place of a family in what is kept for both.
fn index(family: Family) -> usize {
    match family {
        Family::IPv4 => 0,
        Family::IPv6 => 1,
    }
}

fn mask(all: bool) -> u64 {
    if all { u64::MAX } else { 0 }
}

/// What ports mean on one receiver.
#[derive(Clone, Copy)]
struct PortsOf<'a> {
    port: Port,
    named: &'a [Named],
    init_resolves: bool,
}

impl PortsOf<'_> {
    /// Whether a list of ports matches, and whether it may.
    fn certainly_and_perhaps(self, list: Option<&[rules::CompiledPort]>) -> (bool, bool) {
        let Some(list) = list else { return (true, true) };
        let certainly = list.iter().any(|port| self.is(*port));
        (certainly, certainly || list.contains(&rules::CompiledPort::Unknown))
    }

    fn is(self, port: rules::CompiledPort) -> bool {
        match port {
            rules::CompiledPort::Range { protocol, first, last } => {
                protocol == self.port.protocol && (first..=last).contains(&self.port.number)
            }
            rules::CompiledPort::Named { protocol, name } => {
                protocol.is_none_or(|protocol| protocol == self.port.protocol)
                    && self.named.iter().any(|one| {
                        (one.name, one.number, one.protocol)
                            == (name, self.port.number, self.port.protocol)
                            && (self.init_resolves || !one.is_init)
                    })
            }
            rules::CompiledPort::Unknown => false,
        }
    }
}
