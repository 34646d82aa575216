use netproof_conformance::{
    flow::{Port, Protocol},
    ledger::Patience,
    matrix::{Actor, Matrix},
    plan::Intent,
    reference::ObjectRef,
};
use serde_json::{Value, json};

use super::*;
use crate::{decode::policy, fixtures::stand_in, world::Read};

const NAMES: [&str; 3] = ["web", "was", "db"];

fn stand_ins() -> Vec<StandIn> {
    let numbered = NAMES.iter().zip(1..);
    numbered.map(|(name, number)| stand_in(name, &format!("10.0.0.{number}"))).collect()
}

fn cell(from: &str, to: &str, port: u16) -> Cell {
    let port = Port { number: port, protocol: Protocol::Tcp };
    Cell { from: Actor::sole(from), to: Actor::sole(to), port }
}

/// A test of each stand-in to each other on ports 1 to 10: 60 flows, the first with an intent.
fn scenario(budget: usize) -> Scenario {
    let pairs = NAMES.iter().flat_map(|from| NAMES.map(|to| (*from, to)));
    let pairs = pairs.filter(|(from, to)| from != to);
    let cells = pairs.flat_map(|(from, to)| (1..=10).map(move |port| cell(from, to, port)));
    let wanted = cell("db", "web", 5);
    let flows: Matrix<_> = cells
        .map(|cell| {
            let intents = (cell == wanted).then_some(Intent::Deny).into_iter().collect();
            (cell, intents)
        })
        .collect();
    Scenario {
        patience: Patience {
            settle: Duration::ZERO,
            confirm: 1,
            stale_after: Duration::ZERO,
            silence: Duration::ZERO,
            leak_retention: Duration::ZERO,
        },
        interval: Duration::ZERO,
        timeout: Duration::ZERO,
        desired: vec![],
        externals: BTreeMap::new(),
        external_ports: BTreeMap::new(),
        budget,
        start_up: netproof_crds::StartUp::Report,
        uncovered: vec![],
        flows,
    }
}

/// A world in which `was` alone reaches `db`, on this port.
fn world(port: u16) -> World {
    let spec = json!({
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{
            "from": [{"podSelector": {"matchLabels": {"app": "was"}}}],
            "ports": [{"port": port}],
        }],
    });
    with_policy(&spec)
}

fn with_policy(spec: &Value) -> World {
    let object = json!({"metadata": {"namespace": "shop", "name": "db"}, "spec": spec});
    let object = serde_json::from_value(object).expect("an object");
    let name = ObjectRef { namespace: "shop".into(), name: "db".into() };
    let read = Read { version: "1".into(), meaning: policy(&object) };
    World { policies: Arc::new([(name, read)].into()), ..World::default() }
}

const START: Duration = Duration::from_secs(100);

fn attempted(budget: &mut FlowBudget, scenario: &Scenario, world: &World) -> BTreeSet<Cell> {
    let stand_ins = stand_ins();
    let moment = Moment { scenario, stand_ins: &stand_ins, world, now: START };
    let within = budget.within_budget(moment);
    within.flows.iter().map(|(cell, _)| cell.clone()).collect()
}

#[test]
fn within_the_budget_everything_is_attempted() {
    let scenario = scenario(60);
    let (stand_ins, world) = (stand_ins(), world(1));
    let moment = Moment { scenario: &scenario, stand_ins: &stand_ins, world: &world, now: START };
    assert!(matches!(FlowBudget::default().within_budget(moment), Cow::Borrowed(_)));
}

#[test]
fn over_the_budget_what_is_wanted_and_what_shows_the_rules_is_attempted() {
    for port in [1, 7] {
        let cells = attempted(&mut FlowBudget::default(), &scenario(8), &world(port));
        assert_eq!(cells.len(), 8);
        assert!(cells.contains(&cell("db", "web", 5)), "{cells:?}");
        assert!(cells.contains(&cell("was", "db", port)), "{cells:?}");
    }
}

#[test]
fn what_is_known_of_flows_is_kept_when_policies_change() {
    let mut budget = FlowBudget::default();
    let before = attempted(&mut budget, &scenario(20), &world(1));
    assert_eq!(attempted(&mut budget, &scenario(20), &world(1)), before);
    let after = attempted(&mut budget, &scenario(20), &world(7));
    assert!(after.contains(&cell("was", "db", 7)));
    let kept = after.intersection(&before).count();
    assert!(kept >= 18, "{kept} of 20");
}

#[test]
fn another_budget_or_wish_is_another_choice() {
    let mut budget = FlowBudget::default();
    assert_eq!(attempted(&mut budget, &scenario(20), &world(1)).len(), 20);
    assert_eq!(attempted(&mut budget, &scenario(10), &world(1)).len(), 10);
    let mut wish = scenario(10);
    let wanted = cell("web", "was", 9);
    wish.flows =
        wish.flows.map(|cell, _| (*cell == wanted).then_some(Intent::Allow).into_iter().collect());
    assert!(attempted(&mut budget, &wish, &world(1)).contains(&wanted));
}

#[test]
fn only_what_was_seen_since_the_policies_changed_is_evidence_of_them() {
    let (scenario, stand_ins, mut budget) = (scenario(60), stand_ins(), FlowBudget::default());
    let needs = cell("was", "db", 1);
    let misses = cell("web", "db", 1);
    let all: BTreeSet<Cell> = scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
    let mut exercised = |world: &World, seen: Duration, since: Duration| {
        let moment = Moment { scenario: &scenario, stand_ins: &stand_ins, world, now: START };
        let judged = [(&needs, seen), (&misses, seen)].into();
        let coverage = budget.coverage(moment, &judged, all.clone(), since);
        (coverage.rules, coverage.exercised)
    };
    let later = START + Duration::from_secs(1);
    assert_eq!(exercised(&world(1), START, START), (1, 1));
    // The prediction is the same, for another reason.
    let both = json!({
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": {"app": "was"}}}], "ports": [{"port": 1}, {"port": 2}]},
        ],
    });
    assert_eq!(exercised(&with_policy(&both), START, later), (1, 0));
    assert_eq!(exercised(&with_policy(&both), later, later), (1, 1));
}

#[test]
fn what_the_user_wants_and_the_budget_does_not_admit_is_a_gap() {
    let (scenario, stand_ins, world) = (scenario(1), stand_ins(), world(1));
    let moment = Moment { scenario: &scenario, stand_ins: &stand_ins, world: &world, now: START };
    let said = |attempted: BTreeSet<Cell>| {
        FlowBudget::default().coverage(moment, &BTreeMap::new(), attempted, START).gaps[0]
            .to_string()
    };
    let left_out = "1 flow that a check asks for is left out";
    assert!(said(BTreeSet::new()).starts_with(left_out));
    assert!(!said([cell("db", "web", 5)].into()).starts_with(left_out));
}
