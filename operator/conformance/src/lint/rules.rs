//! Finds rules that change nothing beside others, and policies that say the same.

use std::collections::BTreeMap;

use super::{Census, Code, FindingPlace, LintFinding, covers, rules_of};
use crate::{
    flow::Direction,
    phrases,
    policy::{Peers, Policy, Ports, Rule},
    select::Selector,
};

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let policies = census.snapshot.policies.iter();
    let within = policies.flat_map(|policy| {
        rules_of(policy).flat_map(|(direction, rules)| in_list(policy, direction, rules))
    });
    within.chain(census.policies.values().flat_map(|policies| same_policies(policies))).collect()
}

fn in_list(policy: &Policy, direction: Direction, rules: &[Rule]) -> Vec<LintFinding> {
    let own = &policy.name.namespace;
    let mut findings: Vec<LintFinding> = (0..rules.len())
        .filter(|index| covers_narrow(rules, *index, own))
        .map(|index| everyone(policy, direction, rules, index))
        .collect();
    for (index, rule) in rules.iter().enumerate() {
        let place = FindingPlace::of(policy, phrases::rule_field(direction, index));
        let same = rules[..index].iter().position(|other| other == rule);
        let wider = || {
            let mut others = rules.iter().enumerate();
            let wider = |other: &Rule| covers::rule(other, rule, own);
            // Of two rules that cover each other in different words, the first stays.
            others.find(|(place, other)| {
                let redundant = wider(other) && (*place < index || !covers::rule(rule, other, own));
                *place != index && *other != rule && redundant
            })
        };
        findings.extend(match (same, wider()) {
            (Some(first), _) => Some(place.find(
                Code::SameRule,
                format!("It is the same as {}.", phrases::rule_field(direction, first)),
                "Remove it, or change what was to be changed.",
            )),
            // A finding about the wider rule says it.
            (None, Some((_, wider))) if is_for_everyone(wider) && !is_for_everyone(rule) => None,
            (None, Some((wider, _))) => Some(place.find(
                Code::Redundant,
                format!("{} admits all that it admits.", phrases::rule_field(direction, wider)),
                "Remove it, or narrow the wider one.",
            )),
            (None, None) => None,
        });
    }
    findings
}

fn is_for_everyone(rule: &Rule) -> bool {
    rule.peers == Peers::Everyone
}

/// Whether a rule for everyone leaves another rule, for some, without effect.
fn covers_narrow(rules: &[Rule], index: usize, own: &str) -> bool {
    let rule = &rules[index];
    is_for_everyone(rule)
        && !rules[..index].contains(rule)
        && rules.iter().any(|other| !is_for_everyone(other) && covers::rule(rule, other, own))
}

fn everyone(policy: &Policy, direction: Direction, rules: &[Rule], index: usize) -> LintFinding {
    let own = &policy.name.namespace;
    let rule = &rules[index];
    let narrow = rules
        .iter()
        .position(|other| !is_for_everyone(other) && covers::rule(rule, other, own))
        .map_or_else(String::new, |narrow| phrases::rule_field(direction, narrow));
    let place = FindingPlace::of(policy, phrases::rule_field(direction, index));
    if rule.ports == Ports::All {
        place.find(
            Code::Anything,
            format!("It admits everyone on every port, so that {narrow} changes nothing."),
            "Remove it, or write what it was to admit.",
        )
    } else {
        let list = phrases::peer_list(direction);
        place.find(
            Code::Everyone,
            format!(
                "Without {list}, it admits everyone on {}, so that {narrow} changes nothing.",
                phrases::ports(&rule.ports)
            ),
            format!("Give it a {list}, or remove the other one."),
        )
    }
}

/// The findings about policies of one namespace that say the same.
fn same_policies(policies: &[&Policy]) -> Vec<LintFinding> {
    let mut by_subjects: BTreeMap<&Selector, Vec<&Policy>> = BTreeMap::new();
    let mut findings = Vec::new();
    for policy in policies {
        let before = by_subjects.entry(&policy.subjects).or_default();
        let same =
            |other: &&&Policy| (&other.ingress, &other.egress) == (&policy.ingress, &policy.egress);
        match before.iter().find(same) {
            Some(first) => findings.push(FindingPlace::of(policy, "spec").find(
                Code::SamePolicy,
                format!("It says the same as {}.", first.name),
                "Remove one of them.",
            )),
            None => before.push(policy),
        }
    }
    findings
}
