use std::collections::BTreeMap;

use netproof_conformance::{diagnosis::Observation, verdict::Outcome};

use super::*;
use netproof_rounds::{
    diagnosing::testing::{cell, scenario, stand_ins, world},
    predict::{naming, snapshot},
};

/// The simplest fault that lets web reach db, where the policy of db has no rules.
const FOUND: &str = "empty-list-allows";

const SOON: Duration = Duration::from_secs(20);

/// The question where `db` is isolated, and `web` was seen to connect, was seen not to, or was not
/// seen.
fn question(connects: Option<bool>, is_wrong: bool) -> Arc<Question> {
    let scenario = scenario(&["web", "db"], &[("web", "db")], 10);
    let stand_ins = stand_ins(&scenario);
    let flow = naming(&scenario, &stand_ins)(&cell("web", "db")).expect("its ends are there");
    let observed = connects.map(|connects| {
        let outcome = if connects { Outcome::Connected } else { Outcome::TimedOut };
        (cell("web", "db"), Observation { flow, outcome, flaps: false })
    });
    Arc::new(Question {
        snapshot: snapshot(&stand_ins, &world(&["db"])),
        observed: observed.into_iter().collect(),
        beside: BTreeMap::new(),
        unprobed: BTreeMap::new(),
        pasts: vec![],
        time: None,
        decided: 1,
        is_wrong,
        outdated: usize::from(is_wrong && connects.is_none()),
    })
}

fn leaks() -> Arc<Question> {
    question(Some(true), true)
}

/// The question about wrong flows of which none was seen since the policies changed.
fn unseen() -> Arc<Question> {
    question(None, true)
}

fn fine() -> Arc<Question> {
    question(Some(false), false)
}

/// The name of the diagnosis that stands once the question is answered.
async fn told(diagnoses: &mut Diagnoses, question: &Arc<Question>) -> Option<&'static str> {
    while let Some(again) = diagnoses.ask(question) {
        tokio::time::sleep_until(again).await;
    }
    diagnoses.wait(SOON).await;
    diagnoses.said(question).map(|diagnosed| diagnosed.diagnosis.name())
}

#[tokio::test]
async fn what_is_asked_is_answered_once() {
    let mut diagnoses = Diagnoses::default();
    assert_eq!(told(&mut diagnoses, &leaks()).await, Some(FOUND));
    assert_eq!(diagnoses.ask(&leaks()), None);
    assert_eq!(diagnoses.next().await, None, "nothing is being worked out");
    assert_eq!(told(&mut diagnoses, &fine()).await, Some("none"));
}

#[tokio::test]
async fn nothing_is_said_while_the_first_answer_is_worked_out() {
    let mut diagnoses = Diagnoses::default();
    diagnoses.ask(&leaks());
    assert_eq!(diagnoses.said(&leaks()), None);
    assert_eq!(diagnoses.telling(&leaks()), None);
}

#[tokio::test]
async fn after_an_answer_there_is_a_rest() {
    let mut diagnoses = Diagnoses::default();
    told(&mut diagnoses, &leaks()).await;
    diagnoses.rest = Some(Instant::now() + SOON);
    assert_eq!(diagnoses.ask(&fine()), diagnoses.rest);
    assert!(diagnoses.job.is_empty());
}

#[tokio::test]
async fn a_fault_stands_for_a_while_when_what_is_wrong_has_not_been_seen_again() {
    let mut diagnoses = Diagnoses::default();
    told(&mut diagnoses, &leaks()).await;
    assert_eq!(told(&mut diagnoses, &unseen()).await, Some(FOUND));
    let (_, at) = diagnoses.fault.as_mut().expect("it stands");
    *at -= LAG + Duration::from_secs(1);
    assert_eq!(told(&mut diagnoses, &unseen()).await, None);
}

#[tokio::test]
async fn a_fault_that_is_found_in_some_of_the_flows_does_not_replace_one_that_was_found_in_all() {
    let mut diagnoses = Diagnoses::default();
    told(&mut diagnoses, &leaks()).await;
    // The policy has gone, and of two flows one was seen again, as blocked.
    let scenario = scenario(&["web", "db"], &[("web", "db")], 10);
    let open = snapshot(&stand_ins(&scenario), &world(&[]));
    let blocked = question(Some(false), true).as_ref().clone();
    let some = Arc::new(Question { snapshot: open, outdated: 1, ..blocked });
    assert_eq!(told(&mut diagnoses, &some).await, Some(FOUND));
    let all = Arc::new(Question { outdated: 0, ..some.as_ref().clone() });
    assert_eq!(told(&mut diagnoses, &all).await, Some("blocks-all"));
    assert_eq!(told(&mut Diagnoses::default(), &some).await, Some("blocks-all"), "none stood");
}

#[tokio::test]
async fn a_fault_falls_with_the_last_flow_that_is_wrong() {
    let mut diagnoses = Diagnoses::default();
    told(&mut diagnoses, &leaks()).await;
    diagnoses.rest = Some(Instant::now() + SOON);
    diagnoses.ask(&fine());
    assert_eq!(diagnoses.said(&fine()), None, "nothing is claimed before it is worked out");
    assert_eq!(diagnoses.said(&unseen()), None, "and what fell does not come back");
}
