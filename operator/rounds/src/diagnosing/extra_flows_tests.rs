use netproof_conformance::{
    expected::{Because, Decision},
    verdict::Why,
};

use super::*;
use crate::diagnosing::testing::{AT_ONCE, cell, scenario};

fn telling() -> BTreeSet<Cell> {
    [cell("web", "db"), cell("was", "db"), cell("db", "web")].into()
}

fn denied(cells: &BTreeSet<Cell>) -> Matrix<Expected> {
    let because = || Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated };
    cells.iter().map(|cell| (cell.clone(), Expected::Deny(because()))).collect()
}

#[test]
fn no_more_are_taken_on_than_the_budget_leaves() {
    for (budget, wanted) in [(1, 0), (2, 1), (4, 3), (100, 3)] {
        let scenario = scenario(&["web", "was", "db"], &[("web", "was")], budget);
        let mut extra = ExtraFlows::new(AT_ONCE);
        extra.take_on(&telling(), &scenario);
        assert_eq!(extra.cells().len(), wanted, "budget {budget}");
    }
}

#[test]
fn they_are_bounded_whatever_the_budget() {
    let names: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scenario = scenario(&names, &[], 1000);
    let all = super::super::unasked(&scenario, |_| true, 1000).into_iter().collect();
    let mut extra = ExtraFlows::new(AT_ONCE);
    extra.take_on(&all, &scenario);
    extra.take_on(&all, &scenario);
    assert_eq!(extra.cells().len(), ROOM);
}

#[test]
fn what_the_test_comes_to_ask_for_or_what_loses_an_end_is_let_go() {
    let before = scenario(&["web", "was", "db"], &[], 100);
    let mut extra = ExtraFlows::new(AT_ONCE);
    extra.take_on(&telling(), &before);
    extra.keep(&scenario(&["web", "db"], &[("web", "db")], 100));
    assert_eq!(*extra.cells(), [cell("db", "web")].into());
    extra.keep(&scenario(&["web", "db"], &[("web", "db")], 1));
    assert_eq!(*extra.cells(), BTreeSet::new());
}

#[test]
fn they_are_predicted_with_the_flows_of_the_test_and_told_from_them() {
    let scenario = scenario(&["web", "was", "db"], &[("web", "was")], 100);
    let mut extra = ExtraFlows::new(AT_ONCE);
    extra.take_on(&telling(), &scenario);
    let all = extra.beside(&scenario).into_owned();
    let cells = all.flows.iter().map(|(cell, _)| cell.clone());
    let (telling_apart, own): (BTreeSet<Cell>, BTreeSet<Cell>) =
        cells.partition(|c| extra.contains(c));
    assert_eq!((telling_apart, own), (telling(), [cell("web", "was")].into()));
}

#[test]
fn a_wrong_outcome_is_an_observation_once_it_is_confirmed() {
    let patience = Patience { confirm: 2, ..AT_ONCE };
    let scenario = scenario(&["web", "was", "db"], &[], 100);
    let now = crate::clock::uptime();
    let flow = crate::predict::naming(&scenario, &super::super::testing::stand_ins(&scenario));
    let mut extra = ExtraFlows::new(patience);
    extra.take_on(&telling(), &scenario);
    extra.expect(&denied(extra.cells()), now);
    assert_eq!(extra.due(now), telling(), "they are new, and nothing has to settle");
    let leak = || (Sighting::Leak, Some(Outcome::Connected));
    let (sighting, outcome) = leak();
    extra.observe(&cell("web", "db"), sighting, outcome, now);
    assert_eq!(extra.observations(&flow, Duration::ZERO, now), BTreeMap::new());
    assert!(extra.due(now).contains(&cell("web", "db")), "it wants repetition");
    let (sighting, outcome) = leak();
    extra.observe(&cell("web", "db"), sighting, outcome, now);
    let unheard = Sighting::Inconclusive(Why::NoProbe("gone".into()));
    extra.observe(&cell("was", "db"), unheard, None, now);
    let seen: Vec<Cell> = extra.observations(&flow, Duration::ZERO, now).into_keys().collect();
    assert_eq!(seen, [cell("web", "db")]);
    assert_eq!(extra.due(now), [cell("db", "web")].into());
    extra.forget();
    assert_eq!(extra.observations(&flow, Duration::ZERO, now), BTreeMap::new());
}
