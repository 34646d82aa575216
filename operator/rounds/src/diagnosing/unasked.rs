//! Flows that could be attempted and that the test does not ask for.

use netproof_conformance::{
    flow::Port,
    matrix::{Actor, Cell},
};

use crate::scenario::{Scenario, to_flow};

/// At most `at_most` flows that are not in the test: from a stand-in with a probe that speaks, to
/// another such stand-in's declared port or to an external address. Senders take turns, so that
/// each gets about as many as every other.
pub fn unasked(scenario: &Scenario, speaks: impl Fn(&Actor) -> bool, at_most: usize) -> Vec<Cell> {
    let speaking = scenario.desired.iter().filter(|desired| speaks(&desired.actor));
    let senders: Vec<&Actor> = speaking.clone().map(|desired| &desired.actor).collect();
    let pods = speaking.flat_map(|desired| {
        let ports = desired.ports.iter();
        let port = |number, protocol| Port { number, protocol: to_flow(protocol) };
        ports.map(move |one| (desired.actor.clone(), port(one.port, one.protocol)))
    });
    let outside = scenario.external_ports.iter().flat_map(|(name, ports)| {
        let is_there = scenario.externals.contains_key(name);
        ports.iter().filter(move |_| is_there).map(move |port| (Actor::sole(name), *port))
    });
    let receivers: Vec<(Actor, Port)> = pods.chain(outside).collect();
    // Each sender takes its next receiver in turn, so that every prefix of the result is balanced.
    let pairs = (0..receivers.len()).flat_map(|turn| {
        let all = senders.iter().enumerate();
        let receivers = &receivers;
        all.map(move |(place, from)| (*from, &receivers[(place + turn) % receivers.len()]))
    });
    pairs
        .filter(|(from, (to, _))| *from != to)
        .map(|(from, (to, port))| Cell { from: from.clone(), to: to.clone(), port: *port })
        .filter(|cell| scenario.flows.get(cell).is_none())
        .take(at_most)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnosing::testing::scenario;

    fn drawn(cells: &[Cell]) -> BTreeSet<String> {
        cells.iter().map(|cell| format!("{} {}", cell.from, cell.to)).collect()
    }

    #[test]
    fn only_what_the_test_does_not_ask_for_and_whose_ends_speak() {
        let scenario = scenario(&["web", "was", "db"], &[("web", "was")], 100);
        let all = unasked(&scenario, |_| true, 100);
        let wanted = ["web db", "was web", "was db", "db web", "db was"];
        assert_eq!(drawn(&all), wanted.map(str::to_owned).into());
        let without = unasked(&scenario, |actor| actor.endpoint != "db", 100);
        assert_eq!(drawn(&without), ["was web".to_owned()].into());
    }

    #[test]
    fn every_beginning_is_balanced() {
        let scenario = scenario(&["a", "b", "c", "d"], &[], 100);
        for count in [4, 8] {
            let some = unasked(&scenario, |_| true, count);
            for name in ["a", "b", "c", "d"] {
                let of = some.iter().filter(|cell| cell.from.endpoint == name).count();
                assert!(of.abs_diff(count / 4) <= 1, "{name} of {count}: {:?}", drawn(&some));
            }
        }
    }

    #[test]
    fn addresses_outside_are_receivers() {
        let mut scenario = scenario(&["web"], &[], 100);
        scenario.externals.insert("out".into(), [192, 0, 2, 1].into());
        let port = Port { number: 53, protocol: netproof_conformance::flow::Protocol::Udp };
        scenario.external_ports.insert("out".into(), vec![port]);
        assert_eq!(drawn(&unasked(&scenario, |_| true, 9)), ["web out".to_owned()].into());
    }
}
