//! Checks that chosen flows show what they are chosen for, and that none is overlooked.

use std::collections::BTreeSet;

use netproof_conformance::{
    coverage::{GapReason, RuleSide, Survey, What},
    evaluate::expect,
    expected::{Decision, Expected},
    flow::{Direction, Flow},
    matrix::{Actor, Cell},
    policy::{Isolation, Peers, Ports, Rule},
    reference::RuleRef,
    snapshot::Snapshot,
};
use proptest::prelude::*;

use super::{Verdict, some_worlds, verdict, world::world};

/// Each flow, under a name of its own.
fn universe(flows: Vec<Flow>) -> Vec<(Cell, Flow)> {
    let named = flows.into_iter().enumerate().map(|(number, flow)| {
        let from = Actor::sole(format!("{number:05}"));
        (Cell { from, to: Actor::sole("x"), port: flow.port }, flow)
    });
    named.collect()
}

/// The snapshot, with the rules of one direction of a policy changed.
fn changed(snapshot: &Snapshot, rule: &RuleRef, change: impl Fn(&mut Vec<Rule>)) -> Snapshot {
    let mut snapshot = snapshot.clone();
    let policy = snapshot.policies.iter_mut().find(|policy| policy.name == rule.policy);
    let policy = policy.expect("it is there");
    let isolation = match rule.direction {
        Direction::Ingress => &mut policy.ingress,
        Direction::Egress => &mut policy.egress,
    };
    let Isolation::Isolated(rules) = isolation else { panic!("it has rules") };
    change(rules);
    snapshot
}

fn without(snapshot: &Snapshot, rule: &RuleRef) -> Snapshot {
    changed(snapshot, rule, |rules| drop(rules.remove(rule.rule)))
}

fn for_everyone(snapshot: &Snapshot, rule: &RuleRef) -> Snapshot {
    changed(snapshot, rule, |rules| rules[rule.rule].peers = Peers::Everyone)
}

fn on_all_ports(snapshot: &Snapshot, rule: &RuleRef) -> Snapshot {
    changed(snapshot, rule, |rules| rules[rule.rule].ports = Ports::All)
}

fn allows(snapshot: &Snapshot, flow: &Flow) -> bool {
    verdict(snapshot, flow) == Verdict::Allow
}

fn denies(snapshot: &Snapshot, flow: &Flow) -> bool {
    verdict(snapshot, flow) == Verdict::Deny
}

/// Whether a flow shows this, as the evaluator alone has it.
fn holds(snapshot: &Snapshot, what: &What, flow: &Flow) -> bool {
    match what {
        What::Rule { rule, proof: RuleSide::Needs } => {
            allows(snapshot, flow) && denies(&without(snapshot, rule), flow)
        }
        What::Rule { rule, proof: RuleSide::JustMisses } => {
            denies(snapshot, flow)
                && (allows(&for_everyone(snapshot, rule), flow)
                    || allows(&on_all_ports(snapshot, rule), flow))
        }
        What::Isolation { policy, direction } => {
            let Expected::Deny(because) = expect(snapshot, flow) else { return false };
            let decision = match direction {
                Direction::Ingress => &because.ingress,
                Direction::Egress => &because.egress,
            };
            matches!(decision, Decision::DeniedBy(names) if names.contains(policy))
        }
        What::ClusterRule { policy, direction, rule } => {
            let mut without = snapshot.clone();
            let mut policies = without.cluster_policies.iter_mut();
            let policy = policies.find(|one| one.name == *policy).expect("it is there");
            match direction {
                Direction::Ingress => policy.ingress.remove(*rule),
                Direction::Egress => policy.egress.remove(*rule),
            };
            allows(snapshot, flow) && denies(&without, flow)
                || denies(snapshot, flow) && allows(&without, flow)
        }
        What::Path { allowed: true, .. } => allows(snapshot, flow),
        What::Path { allowed: false, .. } => denies(snapshot, flow),
        What::Mutant(_) | What::Required(_) => false,
    }
}

proptest! {
    #![proptest_config(some_worlds())]

    #[test]
    fn what_a_flow_shows_is_so(world in world()) {
        let (snapshot, universe) = (world.snapshot(), universe(world.flows()));
        let survey = Survey::new(snapshot.clone(), universe.clone());
        for (cell, flow) in &universe {
            for what in survey.shows(cell) {
                prop_assert!(holds(&snapshot, &what, flow), "{what:?} is not shown by {flow:?}");
            }
        }
    }

    #[test]
    fn a_rule_that_is_not_shown_cannot_be(world in world()) {
        let (snapshot, universe) = (world.snapshot(), universe(world.flows()));
        let survey = Survey::new(snapshot.clone(), universe.clone());
        let chosen = survey.choose(&BTreeSet::new(), usize::MAX, &[]);
        for gap in &chosen.coverage.gaps {
            prop_assert!(!matches!(gap.why, GapReason::BudgetEnded | GapReason::NotJudged(_)), "{gap}");
            let What::Rule { rule, proof } = &gap.what else { continue };
            let altered = match proof {
                RuleSide::Needs => without(&snapshot, rule),
                RuleSide::JustMisses => for_everyone(&snapshot, rule),
            };
            for (_, flow) in &universe {
                let shows = match proof {
                    RuleSide::Needs => allows(&snapshot, flow) && denies(&altered, flow),
                    RuleSide::JustMisses => denies(&snapshot, flow) && allows(&altered, flow),
                };
                prop_assert!(!shows, "{gap}, and {flow:?} shows it");
            }
        }
    }

    #[test]
    fn a_choice_keeps_its_budget_and_is_the_same_each_time(
        world in world(), budget in 0..40usize, reversed in any::<bool>(),
    ) {
        let (snapshot, universe) = (world.snapshot(), universe(world.flows()));
        let required: BTreeSet<Cell> =
            universe.iter().step_by(7).take(9).map(|(cell, _)| cell.clone()).collect();
        let survey = Survey::new(snapshot.clone(), universe.clone());
        let chosen = survey.choose(&required, budget, &[]);
        prop_assert!(chosen.cells.len() <= budget);
        prop_assert!(required.len() > budget || required.is_subset(&chosen.cells));
        let mut again = snapshot;
        let mut flows = universe;
        if reversed {
            again.policies.reverse();
            again.cluster_policies.reverse();
            flows.reverse();
        }
        prop_assert_eq!(Survey::new(again, flows).choose(&required, budget, &[]), chosen.clone());
        // What is promised of the flows is what is found when all of them were judged.
        let found = survey.coverage(&chosen.cells, &chosen.cells, &[]);
        prop_assert_eq!(
            (found.rules, found.exercised, found.half_exercised),
            (chosen.coverage.rules, chosen.coverage.exercised, chosen.coverage.half_exercised)
        );
    }
}
