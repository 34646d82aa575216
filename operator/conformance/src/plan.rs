//! Lists the flows that a test asks about, and counts them without listing them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    flow::Port,
    matrix::{Actor, Cell, Matrix},
};

/// An endpoint of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The name, unique in the test.
    pub name: String,
    /// What the endpoint can do in a flow.
    pub role: Role,
    /// The ports that it listens on.
    pub ports: Vec<Port>,
}

/// What an endpoint can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The endpoint attempts and receives, with one stand-in (`None`) or with one on each of these
    /// nodes.
    StandIn(Arc<[Option<String>]>),
    /// The endpoint only receives: it is an address outside of the cluster.
    External,
}

/// What a user wants of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// The flow should be allowed.
    Allow,
    /// The flow should be denied.
    Deny,
}

/// Flows that a user asks about, all senders to all receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The names of the endpoints that attempt; those that cannot are passed over.
    pub from: Vec<String>,
    /// The names of the endpoints that receive.
    pub to: Vec<String>,
    /// The ports to ask about; empty for all that the receivers listen on.
    pub ports: Vec<Port>,
    /// What the user wants of the flows; none if the check does not say.
    pub intent: Option<Intent>,
}

/// The flows to ask about, each with what the user wants of it: nothing, one intent, or two that
/// contradict each other.
///
/// Without checks, every endpoint that can attempt is asked about every endpoint that listens. No
/// actor is asked about itself: the API leaves that open.
///
/// ```
/// use netproof_conformance::{
///     flow::{Port, Protocol},
///     plan::{Endpoint, Role, count, plan},
/// };
///
/// let endpoint = |name: &str, ports: &[u16]| Endpoint {
///     name: name.to_owned(),
///     role: Role::StandIn([None].into()),
///     ports: ports.iter().map(|&number| Port { number, protocol: Protocol::Tcp }).collect(),
/// };
/// let endpoints = [endpoint("web", &[]), endpoint("db", &[5432])];
/// let plan = plan(&endpoints, &[]);
/// let flows: Vec<String> = plan.iter().map(|(cell, _)| cell.to_string()).collect();
/// assert_eq!(flows, ["web to db port 5432/TCP"]);
/// assert_eq!(count(&endpoints, &[]), Some(1));
/// ```
pub fn plan(endpoints: &[Endpoint], checks: &[Check]) -> Matrix<BTreeSet<Intent>> {
    let everyone: Vec<String> = endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
    let all = [Check { from: everyone.clone(), to: everyone, ports: vec![], intent: None }];
    let checks = if checks.is_empty() { &all[..] } else { checks };
    let by_name: BTreeMap<&str, &Endpoint> =
        endpoints.iter().map(|endpoint| (endpoint.name.as_str(), endpoint)).collect();
    let named = |names: &[String]| -> Vec<&Endpoint> {
        names.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect()
    };
    let mut flows: BTreeMap<Cell, BTreeSet<Intent>> = BTreeMap::new();
    for check in checks {
        let receivers = named(&check.to);
        for from in named(&check.from).into_iter().flat_map(senders) {
            for receiver in &receivers {
                for (to, port) in listening(receiver, &check.ports) {
                    if to != from {
                        let cell = Cell { from: from.clone(), to, port };
                        flows.entry(cell).or_default().extend(check.intent);
                    }
                }
            }
        }
    }
    flows.into_iter().collect()
}

/// How many flows [`plan`] would ask about; none if they are more than can be counted. Nothing is
/// made for any of them: a small object can name more flows than there is memory for.
pub fn count(endpoints: &[Endpoint], checks: &[Check]) -> Option<usize> {
    let of_name: BTreeMap<&str, usize> =
        endpoints.iter().enumerate().map(|(at, endpoint)| (endpoint.name.as_str(), at)).collect();
    let places = |names: &[String]| -> BTreeSet<usize> {
        names.iter().filter_map(|name| of_name.get(name.as_str()).copied()).collect()
    };
    let everyone = || endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
    let all = || vec![Check { from: everyone(), to: everyone(), ports: vec![], intent: None }];
    let checks = if checks.is_empty() { &all()[..] } else { checks };
    let mut total = 0usize;
    for (at, receiver) in endpoints.iter().enumerate() {
        let ports: BTreeSet<Port> = receiver.ports.iter().copied().collect();
        // By sender, which of the receiver's ports it is asked about, by whichever checks.
        let mut asked = vec![vec![false; ports.len()]; endpoints.len()];
        for check in checks.iter().filter(|check| places(&check.to).contains(&at)) {
            let wanted = |port: &Port| check.ports.is_empty() || check.ports.contains(port);
            let wanted: Vec<bool> = ports.iter().map(wanted).collect();
            for sender in places(&check.from) {
                asked[sender].iter_mut().zip(&wanted).for_each(|(asked, wanted)| *asked |= wanted);
            }
        }
        for (from, asked) in asked.iter().enumerate() {
            let ports = asked.iter().filter(|asked| **asked).count();
            let mut pairs = attempting(&endpoints[from]).checked_mul(receiving(receiver))?;
            if from == at {
                // No actor is asked about itself.
                pairs -= attempting(receiver);
            }
            total = total.checked_add(pairs.checked_mul(ports)?)?;
        }
    }
    Some(total)
}

fn attempting(endpoint: &Endpoint) -> usize {
    match &endpoint.role {
        Role::StandIn(places) => places.len(),
        Role::External => 0,
    }
}

fn receiving(endpoint: &Endpoint) -> usize {
    match &endpoint.role {
        Role::StandIn(places) => places.len(),
        Role::External => 1,
    }
}

fn senders(endpoint: &Endpoint) -> Vec<Actor> {
    match &endpoint.role {
        Role::StandIn(_) => actors(endpoint),
        Role::External => vec![],
    }
}

fn actors(endpoint: &Endpoint) -> Vec<Actor> {
    match &endpoint.role {
        Role::StandIn(places) => places
            .iter()
            .map(|on| Actor { endpoint: endpoint.name.clone(), on: on.clone() })
            .collect(),
        Role::External => vec![Actor::sole(&endpoint.name)],
    }
}

fn listening(endpoint: &Endpoint, only: &[Port]) -> Vec<(Actor, Port)> {
    let wanted = |port: &&Port| only.is_empty() || only.contains(port);
    let ports: Vec<Port> = endpoint.ports.iter().filter(wanted).copied().collect();
    let actors = actors(endpoint);
    actors
        .into_iter()
        .flat_map(|actor| ports.iter().map(move |port| (actor.clone(), *port)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Protocol;

    fn tcp(number: u16) -> Port {
        Port { number, protocol: Protocol::Tcp }
    }

    fn stand_in(name: &str, ports: &[u16]) -> Endpoint {
        let ports = ports.iter().copied().map(tcp).collect();
        Endpoint { name: name.into(), role: Role::StandIn([None].into()), ports }
    }

    fn external(name: &str, port: u16) -> Endpoint {
        Endpoint { name: name.into(), role: Role::External, ports: vec![tcp(port)] }
    }

    fn check(from: &str, to: &str, intent: Option<Intent>) -> Check {
        Check { from: vec![from.into()], to: vec![to.into()], ports: vec![], intent }
    }

    fn drawn(plan: &Matrix<BTreeSet<Intent>>) -> Vec<String> {
        plan.iter().map(|(cell, intents)| format!("{cell} {intents:?}")).collect()
    }

    #[test]
    fn without_checks_everyone_speaks_to_everyone_who_listens() {
        let endpoints = [stand_in("a", &[]), stand_in("b", &[80]), external("out", 53)];
        assert_eq!(
            drawn(&plan(&endpoints, &[])),
            ["a to b port 80/TCP {}", "a to out port 53/TCP {}", "b to out port 53/TCP {}"]
        );
    }

    #[test]
    fn stand_ins_on_several_nodes_speak_to_each_other() {
        let places = [Some("n1".into()), Some("n2".into())].into();
        let endpoint =
            Endpoint { name: "a".into(), role: Role::StandIn(places), ports: vec![tcp(80)] };
        assert_eq!(
            drawn(&plan(&[endpoint], &[])),
            ["a@n1 to a@n2 port 80/TCP {}", "a@n2 to a@n1 port 80/TCP {}"]
        );
    }

    #[test]
    fn checks_narrow_and_carry_their_intent() {
        let endpoints = [stand_in("a", &[1, 2]), stand_in("b", &[1, 2])];
        let narrow = Check { ports: vec![tcp(2)], ..check("a", "b", Some(Intent::Deny)) };
        assert_eq!(drawn(&plan(&endpoints, &[narrow])), ["a to b port 2/TCP {Deny}"]);
    }

    #[test]
    fn contradicting_intents_are_both_kept() {
        let endpoints = [stand_in("a", &[]), stand_in("b", &[1])];
        let checks = [
            check("a", "b", Some(Intent::Deny)),
            check("a", "b", Some(Intent::Allow)),
            check("a", "b", None),
        ];
        assert_eq!(drawn(&plan(&endpoints, &checks)), ["a to b port 1/TCP {Allow, Deny}"]);
    }
    /// A plan is never made to be counted, and the count is the plan's.
    fn counts(endpoints: &[Endpoint], checks: &[Check]) {
        let planned = plan(endpoints, checks).len();
        assert_eq!(count(endpoints, checks), Some(planned), "{endpoints:?} {checks:?}");
    }

    #[test]
    fn the_count_is_that_of_the_plan() {
        let on = |nodes: usize| Role::StandIn((0..nodes).map(|n| Some(n.to_string())).collect());
        let names = ["a", "b", "c", "out"];
        let endpoints = [
            Endpoint { role: on(3), ..stand_in("a", &[1, 2]) },
            Endpoint { role: on(3), ..stand_in("b", &[]) },
            // A port that is there twice is one.
            stand_in("c", &[2, 3, 3]),
            external("out", 2),
        ];
        counts(&endpoints, &[]);
        counts(&[], &[]);
        let ports = [vec![], vec![tcp(2)], vec![tcp(3), tcp(9)]];
        let mut checks = vec![];
        for (turn, from) in names.iter().enumerate() {
            for (place, to) in names.iter().enumerate() {
                let from = vec![(*from).to_owned(), "nobody".into(), names[place].into()];
                let to = vec![(*to).to_owned(), (*to).to_owned()];
                let ports = ports[(turn + place) % 3].clone();
                checks.push(Check { from, to, ports, intent: None });
                counts(&endpoints, &checks[checks.len() - 1..]);
                // Several checks name the same flows.
                counts(&endpoints, &checks);
            }
        }
    }

    #[test]
    fn what_no_memory_could_hold_is_counted() {
        let ports: Vec<u16> = (1..=16).collect();
        let nodes: Arc<[Option<String>]> = (0..5000).map(|node| Some(node.to_string())).collect();
        let everywhere: Vec<Endpoint> = (0..64)
            .map(|number| Endpoint {
                role: Role::StandIn(Arc::clone(&nodes)),
                ..stand_in(&format!("e{number}"), &ports)
            })
            .collect();
        let stand_ins = 64 * 5000;
        assert_eq!(count(&everywhere, &[]), Some(stand_ins * (stand_ins - 1) * 16));
    }
}
