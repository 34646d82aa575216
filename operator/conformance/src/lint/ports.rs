//! Finds ports that nobody has.

use super::{Census, Code, FindingPlace, LintFinding, census::PodClass, rules_of};
use crate::{
    flow::{Direction, Port, Protocol},
    near_miss::is_slip,
    phrases,
    pod::NamedPort,
    policy::{MatchedPorts, Peers, Policy, Ports, Rule},
};

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for policy in &census.snapshot.policies {
        for (direction, rules) in rules_of(policy) {
            for (index, rule) in rules.iter().enumerate() {
                findings.extend(of_rule(census, policy, direction, index, rule));
            }
        }
    }
    findings
}

fn of_rule<'a>(
    census: &Census<'a>,
    policy: &'a Policy,
    direction: Direction,
    index: usize,
    rule: &'a Rule,
) -> Vec<LintFinding> {
    let Ports::Only(ports) = &rule.ports else { return Vec::new() };
    let mut receivers = None;
    let found = ports.iter().enumerate().filter_map(|(place, port)| {
        let place = || {
            FindingPlace::of(
                policy,
                format!("{}.ports[{place}].port", phrases::rule_field(direction, index)),
            )
        };
        match (&port.numbers, direction) {
            (MatchedPorts::Named(name), _) => {
                let receivers = receivers
                    .get_or_insert_with(|| self::receivers(census, policy, direction, rule));
                named(receivers, name, port.protocol, place)
            }
            (MatchedPorts::Range { first, last }, Direction::Ingress) if first == last => {
                let receivers: Vec<_> = census.subjects(policy).collect();
                numbered(&receivers, Port { number: *first, protocol: port.protocol }, place)
            }
            (MatchedPorts::Any | MatchedPorts::Range { .. }, _) => None,
        }
    });
    found.collect()
}

/// The pods that may receive, and so name the ports; empty where something else may receive too.
fn receivers<'c, 'a>(
    census: &'c Census<'a>,
    policy: &'a Policy,
    direction: Direction,
    rule: &'a Rule,
) -> Vec<&'c PodClass<'a>> {
    match (direction, &rule.peers) {
        (Direction::Ingress, _) => census.subjects(policy).collect(),
        (Direction::Egress, Peers::Everyone) => census.classes.iter().collect(),
        (Direction::Egress, Peers::Only(peers)) => {
            let found = peers.iter().map(|peer| census.peers(peer, &policy.name.namespace));
            let Some(found) = found.collect::<Option<Vec<_>>>() else { return Vec::new() };
            let all = found.iter().flat_map(|found| found.iter());
            all.map(|class| &census.classes[*class]).collect()
        }
    }
}

fn named(
    receivers: &[&PodClass<'_>],
    name: &str,
    protocol: Protocol,
    place: impl Fn() -> FindingPlace,
) -> Option<LintFinding> {
    let example = receivers.first()?.example.1;
    let declared = || receivers.iter().flat_map(|class| class.named_ports);
    let of_name = || declared().filter(|port| port.name == name);
    if of_name().any(|port| port.protocol == protocol) {
        return None;
    }
    if let Some(port) = of_name().next() {
        return Some(place().find(
            Code::NameOfOtherProtocol,
            format!(
                "{name} is declared as {}/{}, and the rule means {protocol}.",
                port.number, port.protocol
            ),
            format!("Add protocol: {}.", port.protocol),
        ));
    }
    let near = declared().find(|port| is_slip(&port.name, name));
    let fix = match near {
        Some(NamedPort { name: near, .. }) => format!("Write {near}, which is declared."),
        None => "Write the port's number, or name it in the pods' containers.".to_owned(),
    };
    let others = if receivers.len() == 1 { "" } else { ", and no other receiver either" };
    Some(place().find(
        Code::UndeclaredName,
        format!(
            "{} declares no port {name}{others} (it declares {}).",
            example.name,
            phrases::named_ports(&example.named_ports)
        ),
        fix,
    ))
}

fn numbered(
    receivers: &[&PodClass<'_>],
    port: Port,
    place: impl Fn() -> FindingPlace,
) -> Option<LintFinding> {
    let example = receivers.first()?.example.1;
    let declared: Option<Vec<_>> = receivers.iter().map(|class| class.declared.as_ref()).collect();
    let declared = declared?;
    // Where pods declare no ports at all, that is the custom there.
    let declares = declared.iter().any(|ports| !ports.is_empty());
    if !declares || declared.iter().any(|ports| ports.contains(&port)) {
        return None;
    }
    Some(place().find(
        Code::UndeclaredNumber,
        format!("No container of {} declares {port}, nor of any other subject.", example.name),
        "If it is the port of a Service, write its targetPort.",
    ))
}
