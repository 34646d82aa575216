//! Writes a [`Ruleset`] as an nft script that replaces the agent's table, and no other, in one
//! transaction.
//!
//! Each direction is a base chain of its own: an accept ends only that chain, so that a packet
//! between two pods of one node passes the sender's egress and then the receiver's ingress. A base
//! chain finds the pod by one look-up, whatever their number; the pod's own chain ends in a drop.
//!
//! Replies pass by connection tracking, and so do ICMP errors about a connection. Packets in the
//! direction in which a connection was opened are judged one by one, so that a newer deny cuts it;
//! unless the pod keeps its connections. Packets in state invalid are judged as new ones are.

mod spell;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, net::IpAddr};

use self::spell::{Family, by_family, matches, outermost, peer_matches, port_matches, set};
use crate::{
    policy::Direction,
    ruleset::{Allow, Denial, Existing, Isolated, Isolation, Ruleset, Side, Strangers, Subject},
};

/// The agent's own table; it touches no other.
pub const TABLE: &str = "inet netproof_policy";

/// The longest comment, in characters, that nft takes.
const LONGEST_COMMENT: usize = 127;

/// The script that puts this ruleset in force, from any state of the table.
pub fn replacement(ruleset: &Ruleset) -> String {
    let sides = [(&ruleset.egress, Direction::Egress), (&ruleset.ingress, Direction::Ingress)];
    let sides: String = sides.map(|(side, direction)| self::side(side, direction)).concat();
    format!("{}table {TABLE} {{\n{}{sides}}}\n", removal(), tracking())
}

/// The script that puts `script` in force where `before` is, or where nothing is known of what is.
/// Base chains that stay keep their place in the kernel, so that each packet finds either the rules
/// of before or the new ones: where the table is made anew, a packet may pass the new chain before
/// it has rules and the old one after it had.
pub fn transition(before: Option<&str>, script: &str) -> String {
    let (Some(before), Some(body)) = (before, script.strip_prefix(removal().as_str())) else {
        return script.to_owned();
    };
    let stay: BTreeSet<&str> = chains(script).collect();
    let gone = chains(before).filter(|name| !stay.contains(name));
    let gone: Vec<String> = gone.map(|name| format!("delete chain {TABLE} {name}\n")).collect();
    let gone = gone.concat();
    format!("table {TABLE}\nflush table {TABLE}\n{body}{gone}")
}

/// The names of the chains of a script.
fn chains(script: &str) -> impl Iterator<Item = &str> {
    script.lines().filter_map(|line| line.strip_prefix("\tchain ")?.strip_suffix(" {"))
}

/// A chain that lets everything pass. The kernel tracks connections only where a rule asks for
/// their state; asked from the start, it knows at a later deny which end opened a connection.
fn tracking() -> String {
    let hook = "type filter hook forward priority filter; policy accept;";
    chain("tracking", [hook, "ct state established accept"].map(str::to_owned).into_iter())
}

/// The script after which nothing is enforced. The table is added first, so that deleting it cannot
/// fail.
pub fn removal() -> String {
    format!("table {TABLE}\ndelete table {TABLE}\n")
}

fn side(side: &Side, direction: Direction) -> String {
    if *side == Side::default() {
        return String::new();
    }
    let pods = side.subjects.iter().filter_map(|subject| match &subject.isolation {
        Isolation::Open => None,
        Isolation::Isolated(isolated) => Some(pod_chain(subject, isolated, direction)),
    });
    let strangers = match &side.strangers.isolation {
        Isolation::Open => None,
        Isolation::Isolated(isolated) => {
            let name = strangers_chain(direction);
            Some(chain(&name, statements(isolated, direction).into_iter()))
        }
    };
    pods.chain(strangers).chain([base_chain(side, direction)]).collect()
}

fn base_chain(side: &Side, direction: Direction) -> String {
    let priority = match direction {
        Direction::Egress => "filter",
        Direction::Ingress => "filter + 1",
    };
    let hook = format!("type filter hook forward priority {priority}; policy accept;");
    let answers = ["ct direction reply accept", "ct state related accept"].map(str::to_owned);
    let statements = [hook].into_iter().chain(answers);
    let holds = holds(&side.strangers, direction);
    chain(word(direction), statements.chain(look_ups(side, direction)).chain(holds))
}

/// The look-ups that send known pods to their verdict or chain.
fn look_ups(side: &Side, direction: Direction) -> Vec<String> {
    let verdicts = side.subjects.iter().flat_map(|subject| {
        let verdict = match &subject.isolation {
            Isolation::Open => "accept".to_owned(),
            Isolation::Isolated(_) => format!("goto {}", chain_name(subject, direction)),
        };
        let element =
            move |address: &IpAddr| (Family::of(*address), format!("{address} : {verdict}"));
        subject.addresses.iter().map(element)
    });
    let look_up = |(family, verdicts): (Family, Vec<String>)| {
        format!("{} vmap {}", family.field(subject_end(direction)), set(verdicts))
    };
    by_family(verdicts).into_iter().map(look_up).collect()
}

/// The statements that send addresses of no known pod to the chain of strangers.
fn holds(strangers: &Strangers, direction: Direction) -> Vec<String> {
    let ranges = match strangers.isolation {
        Isolation::Open => &[][..],
        Isolation::Isolated(_) => &strangers.ranges,
    };
    let chain = strangers_chain(direction);
    matches(ranges, subject_end(direction))
        .into_iter()
        .map(|range| format!("{range}goto {chain}"))
        .collect()
}

fn pod_chain(subject: &Subject, isolated: &Isolated, direction: Direction) -> String {
    let name = &subject.name;
    let pod = format!("{}/{}", name.namespace.as_deref().unwrap_or_default(), name.name);
    let comment = format!("comment \"{}\"", pod.chars().take(LONGEST_COMMENT).collect::<String>());
    let statements = statements(isolated, direction);
    chain(&chain_name(subject, direction), [comment].into_iter().chain(statements))
}

/// The statements of an isolated pod's chain, of which the last one denies.
fn statements(isolated: &Isolated, direction: Direction) -> Vec<String> {
    let kept = match isolated.manner.existing {
        Existing::Judged => None,
        Existing::Kept => Some("ct state established accept".to_owned()),
    };
    let accepts = |allows: &[Allow]| -> Vec<String> {
        allows.iter().flat_map(|allow| accepts(allow, direction)).collect()
    };
    let denials = denials(isolated.manner.denial);
    let ranges = matches(&outermost(&isolated.denied), peer_end(direction))
        .into_iter()
        .flat_map(|range| denials.iter().map(move |denial| format!("{range}{denial}")));
    let rest = denials.iter().map(ToString::to_string);
    let exempt = kept.into_iter().chain(accepts(&isolated.exempt));
    exempt.chain(ranges).chain(accepts(&isolated.allowed)).chain(rest).collect()
}

/// The statements that deny, of which the last denies everything.
fn denials(denial: Denial) -> &'static [&'static str] {
    match denial {
        Denial::Drop => &["drop"],
        Denial::Reset => {
            &["meta l4proto tcp reject with tcp reset", "reject with icmpx port-unreachable"]
        }
        Denial::Prohibited => &["reject with icmpx admin-prohibited"],
    }
}

/// The name of a subject's chain, unique in its direction since no two subjects share an address.
fn chain_name(subject: &Subject, direction: Direction) -> String {
    let address = subject.addresses.first().map(ToString::to_string).unwrap_or_default();
    format!("{}_{}", word(direction), address.replace(['.', ':'], "_"))
}

fn strangers_chain(direction: Direction) -> String {
    format!("{}_of_strangers", word(direction))
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn accepts(allow: &Allow, direction: Direction) -> Vec<String> {
    let ports = port_matches(&allow.ports);
    peer_matches(&allow.peers, peer_end(direction))
        .iter()
        .flat_map(|peer| ports.iter().map(move |port| format!("{peer}{port}accept")))
        .collect()
}

/// nft's name for the subject's end of a packet.
fn subject_end(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "daddr",
        Direction::Egress => "saddr",
    }
}

/// nft's name for the peer's end of a packet.
fn peer_end(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "saddr",
        Direction::Egress => "daddr",
    }
}

fn chain(name: &str, statements: impl Iterator<Item = String>) -> String {
    let statements: Vec<_> = statements.collect();
    format!("\tchain {name} {{\n\t\t{}\n\t}}\n", statements.join("\n\t\t"))
}
