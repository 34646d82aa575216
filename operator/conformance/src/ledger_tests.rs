use super::*;
use crate::{
    expected::{
        Because, Decision, Unspecified,
        testing::{allow, deny},
    },
    flow::{Port, Protocol},
    verdict::Why,
};

const SETTLE: Duration = Duration::from_secs(10);
const PATIENCE: Patience = Patience {
    settle: SETTLE,
    confirm: 3,
    stale_after: Duration::from_secs(60),
    silence: Duration::ZERO,
    leak_retention: Duration::from_secs(40),
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn cell() -> Cell {
    let port = Port { number: 80, protocol: Protocol::Tcp };
    Cell { from: Actor::sole("web"), to: Actor::sole("db"), port }
}

/// A ledger of one flow, for tests.
struct One(Ledger);

impl One {
    fn new(expected: Expected) -> Self {
        let mut one = Self(Ledger::new(PATIENCE));
        one.expect(expected, 0);
        one
    }

    /// A ledger whose flow has settled and conforms.
    fn settled(expected: Expected) -> Self {
        let mut one = Self::new(expected);
        one.see(Sighting::Conforms, 20);
        one
    }

    fn expect(&mut self, expected: Expected, second: u64) -> bool {
        !self.0.expect(&[(cell(), expected)].into_iter().collect(), at(second)).is_empty()
    }

    fn see(&mut self, sighting: Sighting, second: u64) -> Option<Followed> {
        self.0.observe(&cell(), sighting, Some(Outcome::TimedOut), at(second))
    }

    fn verdict(&self, second: u64) -> Verdict {
        self.0.verdicts(at(second)).get(&cell()).expect("the flow is asked about").clone()
    }
}

#[test]
fn a_new_stand_in_settles_before_a_denial_counts() {
    let mut one = One::new(deny());
    one.see(Sighting::Conforms, 5);
    assert_eq!(one.verdict(5), Verdict::Settling);
    one.see(Sighting::Conforms, 10);
    assert_eq!(one.verdict(10), Verdict::Conforms);
}

#[test]
fn a_new_stand_in_that_connects_where_it_may_conforms_at_once() {
    let mut one = One::new(allow());
    one.see(Sighting::Conforms, 1);
    assert_eq!(one.verdict(1), Verdict::Conforms);
}

#[test]
fn an_attempt_that_began_before_the_network_had_its_time_accuses_nobody_however_late_it_is_seen() {
    let mut one = One::settled(allow());
    one.expect(deny(), 30);
    let slow = Interval { began: at(31), ended: at(45) };
    assert!(!one.0.would_accuse(&cell(), &Sighting::Leak, slow.began));
    one.0.observe(&cell(), Sighting::Leak, Some(Outcome::Connected), slow);
    assert_eq!(one.verdict(45), Verdict::Settling);
    let later = Interval { began: at(40), ended: at(46) };
    assert!(one.0.would_accuse(&cell(), &Sighting::Leak, later.began));
}

#[test]
fn a_flow_that_nobody_can_attempt_stays_so_however_often_it_is_left_open() {
    let open = || Expected::Unspecified(Unspecified::ToItself);
    let mut one = One::new(open());
    one.expect(open(), 1);
    assert_eq!(one.verdict(1), Verdict::Unspecified(Unspecified::ToItself));
    let missing = || Why::NoProbe("no node takes it".into());
    one.see(Sighting::Inconclusive(missing()), 2);
    one.expect(open(), 3);
    assert_eq!(one.verdict(3), Verdict::Inconclusive(missing()));
    one.see(Sighting::Unspecified(Unspecified::ToItself), 4);
    assert_eq!(one.verdict(4), Verdict::Unspecified(Unspecified::ToItself));
}

#[test]
fn a_leak_is_reported_after_its_repetition() {
    let mut one = One::settled(deny());
    one.see(Sighting::Leak, 21);
    assert_eq!(one.verdict(21), Verdict::Inconclusive(Why::Unconfirmed));
    assert_eq!(one.0.unconfirmed().len(), 1);
    one.see(Sighting::Leak, 21);
    one.see(Sighting::Leak, 21);
    assert_eq!(one.verdict(21), Verdict::Leak(Steadiness::Steady));
    assert!(one.0.unconfirmed().is_empty());
}

#[test]
fn a_recovery_is_confirmed_too() {
    let mut one = One::new(deny());
    for _ in 0..9 {
        one.see(Sighting::Leak, 20);
    }
    assert_eq!(one.verdict(20), Verdict::Leak(Steadiness::Steady));
    one.see(Sighting::Conforms, 21);
    one.see(Sighting::Conforms, 21);
    let ceased = Steadiness::Ceased { bad: 9, of: 11, quiet: 2 };
    assert_eq!(one.verdict(21), Verdict::Leak(ceased), "it stands for its time");
    one.see(Sighting::Conforms, 61);
    assert_eq!(one.verdict(61), Verdict::Conforms);
    let mut early = One::new(deny());
    for _ in 0..9 {
        early.see(Sighting::Leak, 20);
    }
    early.see(Sighting::Conforms, 61);
    assert_eq!(early.verdict(61), Verdict::Inconclusive(Why::Unconfirmed));
    early.see(Sighting::Conforms, 61);
    early.see(Sighting::Conforms, 61);
    assert_eq!(early.verdict(61), Verdict::Conforms);
}

#[test]
fn a_proven_leak_is_not_outvoted_by_silences() {
    let mut one = One::new(deny());
    one.see(Sighting::Leak, 20);
    for _ in 0..3 {
        one.see(Sighting::Conforms, 20);
    }
    assert_eq!(one.verdict(20), Verdict::Leak(Steadiness::Flapping { bad: 1, of: 4 }));
    for second in 21..=60 {
        one.see(Sighting::Conforms, second);
    }
    assert_eq!(one.verdict(60), Verdict::Leak(Steadiness::Flapping { bad: 1, of: 44 }));
    one.see(Sighting::Conforms, 61);
    assert_eq!(one.verdict(61), Verdict::Conforms, "nothing has connected for all of its time");
}

#[test]
fn the_time_of_a_proof_begins_anew_with_each() {
    let mut one = One::settled(deny());
    one.see(Sighting::Leak, 21);
    one.see(Sighting::Conforms, 40);
    one.see(Sighting::Leak, 55);
    for second in [56, 70, 90, 95] {
        one.see(Sighting::Conforms, second);
    }
    assert_eq!(one.verdict(95), Verdict::Leak(Steadiness::Flapping { bad: 2, of: 7 }));
}

#[test]
fn what_proves_nothing_does_not_take_a_leak_back() {
    let mut one = One::settled(deny());
    for _ in 0..3 {
        one.see(Sighting::Leak, 21);
    }
    one.see(Sighting::Inconclusive(Why::NoControl("silent".into())), 22);
    one.see(Sighting::Inconclusive(Why::NoProbe("gone".into())), 23);
    assert_eq!(one.verdict(23), Verdict::Leak(Steadiness::Steady));
    assert_eq!(one.verdict(90), Verdict::Inconclusive(Why::Stale), "but old evidence is none");
}

#[test]
fn a_leak_under_a_deny_that_was_lifted_is_over() {
    let mut one = One::settled(deny());
    for _ in 0..3 {
        one.see(Sighting::Leak, 21);
    }
    one.expect(allow(), 22);
    one.see(Sighting::Conforms, 33);
    one.expect(deny(), 34);
    one.see(Sighting::Conforms, 45);
    assert_eq!(one.verdict(45), Verdict::Conforms);
}

#[test]
fn a_leak_outlives_the_stand_in_that_it_was_seen_with() {
    let mut one = One::settled(deny());
    one.see(Sighting::Leak, 21);
    for _ in 0..3 {
        one.see(Sighting::Conforms, 21);
    }
    one.0.born(&Actor::sole("db"), at(22), at(22));
    let stands = |bad, of| Verdict::Leak(Steadiness::Flapping { bad, of });
    assert_eq!(one.verdict(22), stands(1, 4));
    one.see(Sighting::Conforms, 23);
    assert_eq!(one.verdict(23), stands(1, 4), "a new one that is silent settles");
    one.see(Sighting::Conforms, 33);
    assert_eq!(one.verdict(33), stands(1, 5));
    one.see(Sighting::Conforms, 62);
    assert_eq!(one.verdict(62), Verdict::Conforms);
}

#[test]
fn a_recovery_shows_though_the_leak_stands() {
    let mut one = One::settled(deny());
    for _ in 0..6 {
        one.see(Sighting::Leak, 21);
    }
    assert_eq!(one.0.steadily_wrong().len(), 1);
    one.see(Sighting::Conforms, 22);
    assert_eq!((one.0.steadily_wrong().len(), one.0.wrong().len()), (0, 1));
}

#[test]
fn flapping_is_not_hidden_by_a_retry() {
    let mut one = One::settled(allow());
    one.see(Sighting::Blocked, 21);
    for _ in 0..3 {
        one.see(Sighting::Conforms, 21);
    }
    assert_eq!(one.verdict(21), Verdict::Inconclusive(Why::Flapping { bad: 1, of: 5 }));
    for _ in 0..4 {
        one.see(Sighting::Conforms, 22);
    }
    assert_eq!(one.verdict(22), Verdict::Conforms, "six agreeing attempts are calm");
}

#[test]
fn flapping_often_is_reported_as_a_flapping_leak() {
    let mut one = One::settled(deny());
    for _ in 0..3 {
        one.see(Sighting::Leak, 21);
        one.see(Sighting::Conforms, 21);
    }
    assert_eq!(one.verdict(21), Verdict::Leak(Steadiness::Flapping { bad: 3, of: 6 }));
}

#[test]
fn a_change_settles_until_the_network_follows() {
    let mut one = One::settled(allow());
    assert!(one.expect(deny(), 30));
    assert_eq!(one.verdict(30), Verdict::Settling);
    assert_eq!(one.see(Sighting::Leak, 32), None);
    assert_eq!(one.verdict(32), Verdict::Settling);
    let followed = Followed { change: ExpectationChange::Tightening, latency: at(3) };
    assert_eq!(one.see(Sighting::Conforms, 33), Some(followed));
    assert_eq!(one.verdict(33), Verdict::Conforms);
    assert_eq!(one.see(Sighting::Conforms, 34), None, "a change is followed once");
}

#[test]
fn what_stays_wrong_past_settle_is_a_leak() {
    let mut one = One::settled(allow());
    one.expect(deny(), 30);
    for second in [39, 40, 41, 42] {
        one.see(Sighting::Leak, second);
    }
    assert_eq!(one.verdict(42), Verdict::Leak(Steadiness::Steady));
    let followed = Followed { change: ExpectationChange::Tightening, latency: at(20) };
    assert_eq!(one.see(Sighting::Conforms, 50), Some(followed), "late is measured as well");
}

#[test]
fn another_reason_for_the_same_answer_changes_nothing() {
    let mut one = One::settled(allow());
    let other = Because { egress: Decision::Exempt, ingress: Decision::NotIsolated };
    assert!(!one.expect(Expected::Allow(other), 30));
    assert_eq!(one.verdict(30), Verdict::Conforms);
}

#[test]
fn unspecified_is_never_counted() {
    let mut one = One::settled(allow());
    one.expect(Expected::Unspecified(Unspecified::ToItself), 30);
    assert_eq!(one.verdict(30), Verdict::Unspecified(Unspecified::ToItself));
}

#[test]
fn old_evidence_is_none() {
    let mut one = One::settled(allow());
    assert_eq!(one.verdict(80), Verdict::Conforms);
    assert_eq!(one.verdict(81), Verdict::Inconclusive(Why::Stale));
    one.see(Sighting::Conforms, 90);
    assert_eq!(one.verdict(90), Verdict::Conforms);
}

#[test]
fn a_replaced_stand_in_inherits_nothing() {
    let mut one = One::settled(deny());
    one.0.born(&Actor::sole("db"), at(30), at(30));
    assert_eq!(one.verdict(30), Verdict::Settling);
}

#[test]
fn a_stand_in_that_is_old_already_need_not_settle() {
    let mut one = One::new(deny());
    one.0.born(&Actor::sole("db"), at(5), at(100));
    one.see(Sighting::Conforms, 100);
    assert_eq!(one.verdict(100), Verdict::Conforms);
}

#[test]
fn a_missing_probe_is_inconclusive_even_while_settling() {
    let mut one = One::new(allow());
    let why = Why::NoProbe("no node can pull".into());
    one.see(Sighting::Inconclusive(why.clone()), 1);
    assert_eq!(one.verdict(1), Verdict::Inconclusive(why));
}

#[test]
fn silence_without_control_is_inconclusive_once_settled() {
    let mut one = One::settled(deny());
    let why = Why::NoControl("silent".into());
    one.see(Sighting::Inconclusive(why.clone()), 21);
    assert_eq!(one.verdict(21), Verdict::Inconclusive(why));
}

#[test]
fn only_a_new_accusation_asks_for_certification() {
    let mut one = One::settled(deny());
    assert!(one.0.would_accuse(&cell(), &Sighting::Leak, at(21)));
    assert!(!one.0.would_accuse(&cell(), &Sighting::Conforms, at(21)));
    for _ in 0..3 {
        one.see(Sighting::Leak, 21);
    }
    assert!(!one.0.would_accuse(&cell(), &Sighting::Leak, at(22)));
}
