//! Which flows a test asks about.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    flow::Port,
    matrix::{Actor, Cell, Matrix},
};

/// An endpoint of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name, unique in the test.
    pub name: String,
    /// What it can do.
    pub role: Role,
    /// The ports that it listens on.
    pub ports: Vec<Port>,
}

/// What an endpoint can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It attempts and receives, as one stand-in (`None`) or as one on each of these nodes.
    StandIn(Vec<Option<String>>),
    /// It only receives: an address outside.
    External,
}

/// What a user wants of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// It should be allowed.
    Allow,
    /// It should be denied.
    Deny,
}

/// Flows that a user asks about, all senders to all receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Names of endpoints.
    pub from: Vec<String>,
    /// Names of endpoints.
    pub to: Vec<String>,
    /// Only these ports; empty for all that the receivers listen on.
    pub ports: Vec<Port>,
    /// What the user wants of them, if they say so.
    pub intent: Option<Intent>,
}

/// The flows to ask about, each with what the user wants of it: nothing, one intent, or two that
/// contradict each other.
///
/// Without checks, everyone who can speak is asked about everyone who listens. Nobody is asked
/// about itself: the API leaves that open.
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
        Endpoint { name: name.into(), role: Role::StandIn(vec![None]), ports }
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
        let places = vec![Some("n1".into()), Some("n2".into())];
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
}
