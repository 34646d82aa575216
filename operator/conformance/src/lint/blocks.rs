//! Finds mistakes in blocks of addresses.

use ipnet::IpNet;

use super::{Census, Code, FindingPlace, LintFinding, covers, rules_of};
use crate::{
    flow::Direction,
    phrases,
    policy::{IpBlock, Peer, Peers, Policy, Rule},
};

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for policy in &census.snapshot.policies {
        for (direction, rules) in rules_of(policy) {
            findings.extend(one_family(census, policy, direction, rules));
            for (index, rule) in rules.iter().enumerate() {
                let blocks = blocks(rule);
                for (place, block) in &blocks {
                    let field = phrases::peer_field(direction, index, *place) + ".ipBlock";
                    findings.extend(pods(census, block).map(|found| found.at(policy, &field)));
                    let others: Vec<_> =
                        blocks.iter().filter(|(other, _)| other != place).collect();
                    let holes = exceptions(block, &others, direction, index);
                    findings.extend(holes.into_iter().map(|found| found.at(policy, &field)));
                }
            }
        }
    }
    findings
}

/// A finding about a block, without the place of the block.
struct BlockAdvice {
    code: Code,
    /// The way below the block, such as `except[0]`.
    field: String,
    sentence: String,
    fix: String,
}

impl BlockAdvice {
    fn at(self, policy: &Policy, block: &str) -> LintFinding {
        let field = format!("{block}.{}", self.field);
        FindingPlace::of(policy, field).find(self.code, self.sentence, self.fix)
    }
}

fn blocks(rule: &Rule) -> Vec<(usize, &IpBlock)> {
    match &rule.peers {
        Peers::Everyone => Vec::new(),
        Peers::Only(peers) => {
            let blocks = peers.iter().enumerate().filter_map(|(place, peer)| match peer {
                Peer::Addresses(block) => Some((place, block)),
                Peer::Pods { .. } => None,
            });
            blocks.collect()
        }
    }
}

/// A block in which pods have addresses. A block of all addresses means everyone, pods too, and is
/// no mistake.
fn pods(census: &Census<'_>, block: &IpBlock) -> Option<BlockAdvice> {
    if block.cidr.prefix_len() == 0 {
        return None;
    }
    let (address, pod) = census.in_block(block)?;
    Some(BlockAdvice {
        code: Code::BlockOfPods,
        field: "cidr".to_owned(),
        sentence: format!("{} has {} with {address}.", block.cidr, pod.name),
        fix: "Select the pods by their labels, or leave their range out with except.".to_owned(),
    })
}

fn exceptions(
    block: &IpBlock,
    others: &[&(usize, &IpBlock)],
    direction: Direction,
    rule: usize,
) -> Vec<BlockAdvice> {
    let mut told = Vec::new();
    for (index, hole) in block.except.iter().enumerate() {
        let field = format!("except[{index}]");
        let within = |(other, wider): &(usize, &IpNet)| {
            *other != index && wider.contains(hole) && (*wider != hole || *other < index)
        };
        if hole.contains(&block.cidr) {
            told.push(BlockAdvice {
                code: Code::ExceptAll,
                field,
                sentence: format!("{hole} leaves nothing of {}.", block.cidr),
                fix: "Write a part of the block, or remove the element.".to_owned(),
            });
        } else if let Some((_, wider)) = block.except.iter().enumerate().find(within) {
            told.push(BlockAdvice {
                code: Code::ExceptTwice,
                field,
                sentence: format!("{wider} leaves {hole} out already."),
                fix: "Remove it.".to_owned(),
            });
        } else if let Some((other, by)) = others.iter().find(|(_, other)| admits(other, hole)) {
            let place = phrases::peer_field(direction, rule, *other);
            told.push(BlockAdvice {
                code: Code::ExceptReadmitted,
                field,
                sentence: format!(
                    "{hole} is left out here, and {place} admits it with {}.",
                    by.cidr
                ),
                fix: "Write one element with all exceptions.".to_owned(),
            });
        }
    }
    told
}

/// Whether a block admits the whole of a hole in another.
fn admits(block: &IpBlock, hole: &IpNet) -> bool {
    block.cidr.contains(hole) && !block.except.iter().any(|one| covers::overlap(one, hole))
}

/// A block of all IPv4 addresses, and none of IPv6, for subjects that have both families.
fn one_family(
    census: &Census<'_>,
    policy: &Policy,
    direction: Direction,
    rules: &[Rule],
) -> Option<LintFinding> {
    let is_all = |block: &IpBlock, is_v4: bool| {
        block.cidr.prefix_len() == 0 && block.cidr.addr().is_ipv4() == is_v4
    };
    let four = rules.iter().enumerate().find_map(|(index, rule)| {
        let (place, _) = blocks(rule).into_iter().find(|(_, block)| is_all(block, true))?;
        Some((index, place))
    });
    let (index, place) = four?;
    let admits_six = rules.iter().any(|rule| {
        rule.peers == Peers::Everyone || blocks(rule).iter().any(|(_, block)| is_all(block, false))
    });
    let subject = census.subjects(policy).find(|class| class.has_both_families)?;
    if admits_six {
        return None;
    }
    let field = phrases::peer_field(direction, index, place) + ".ipBlock.cidr";
    Some(FindingPlace::of(policy, field).find(
        Code::OneFamily,
        format!(
            "{} has IPv6 addresses too, and no rule has a block of them.",
            subject.example.1.name
        ),
        "Add an element with ::/0.",
    ))
}
