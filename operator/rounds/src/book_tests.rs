use std::sync::Arc;

use netproof_conformance::{
    ledger::SILENCE,
    verdict::{Control, Outcome, Sighting, SlowPath, Why},
};

use super::*;
use crate::{
    diagnosing::testing::{AT_ONCE, cell, scenario, stand_ins, world},
    engine::round::AttemptResult,
    journal::{Journal, Touched},
    pass::{Looked, Pass},
    predict::{StandIn, naming},
    world::World,
};

const SECOND: Duration = Duration::from_secs(1);

/// A book of a test of some flows, at some moment.
struct Test {
    scenario: Scenario,
    stand_ins: Vec<StandIn>,
    book: Book,
    now: Duration,
}

impl Test {
    fn new(asked: &[(&str, &str)]) -> Self {
        let scenario = scenario(&["web", "was", "db"], asked, 100);
        let stand_ins = stand_ins(&scenario);
        Self { scenario, stand_ins, book: Book::new(AT_ONCE), now: SECOND }
    }

    fn look(&mut self, world: &World) -> Looked {
        self.now += SECOND;
        let (scenario, stand_ins, now) = (&self.scenario, &self.stand_ins, self.now);
        self.book.look(Moment { scenario, stand_ins, world, now }, None)
    }

    fn begin(&self, looked: &Looked) -> Pass {
        let cells = self.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        self.book.begin(&cells, looked, &self.scenario, &self.stand_ins, self.now).0
    }

    /// The sighting of the flow from web to db in a pass in which it connected.
    fn judged(&mut self, pass: Pass, after: &Looked) -> Sighting {
        let seen = seen(cell("web", "db"), Outcome::Connected);
        let judged = self.book.judge(pass, vec![seen], after, &self.stand_ins);
        judged.into_iter().next().expect("it was judged").1
    }
}

fn seen(cell: Cell, outcome: Outcome) -> AttemptResult {
    AttemptResult {
        cell,
        outcome: Ok(outcome),
        took: None,
        waited: Duration::ZERO,
        control: Control::Listening,
    }
}

#[test]
fn what_the_policies_said_all_the_while_is_judged() {
    let mut test = Test::new(&[("web", "db")]);
    let (before, denied) = (world(&["db"]), test.look(&world(&["db"])));
    let mut pass = test.begin(&denied);
    let after = test.look(&before);
    pass.look(&after);
    pass.meet(&test.stand_ins);
    assert_eq!(test.judged(pass, &after), Sighting::Leak);
}

#[test]
fn what_changed_and_changed_back_within_a_pass_is_judged_by_nobody() {
    let mut test = Test::new(&[("web", "db")]);
    let denied = test.look(&world(&["db"]));
    let mut pass = test.begin(&denied);
    pass.look(&test.look(&world(&[])));
    let after = test.look(&world(&["db"]));
    pass.look(&after);
    assert_eq!(test.judged(pass, &after), Sighting::Moved);
}

/// The world after two changes in this namespace, of which the picture in between was not seen.
fn later(world: &World, namespace: &str) -> World {
    let mut journal = Journal::clone(&world.journal);
    journal.note(Touched::Namespace(namespace.into()));
    journal.note(Touched::Namespace(namespace.into()));
    World { journal: Arc::new(journal), ..world.clone() }
}

#[test]
fn what_changed_and_changed_back_between_two_looks_is_judged_by_nobody() {
    for (namespace, wanted) in [("shop", Sighting::Moved), ("elsewhere", Sighting::Leak)] {
        let mut test = Test::new(&[("web", "db")]);
        let world = world(&["db"]);
        let denied = test.look(&world);
        let mut pass = test.begin(&denied);
        let after = test.look(&later(&world, namespace));
        assert_eq!(after.changed, BTreeSet::new());
        pass.look(&after);
        assert_eq!(test.judged(pass, &after), wanted, "{namespace}");
    }
}

#[test]
fn what_changed_and_changed_back_settles_anew() {
    let mut test = Test::new(&[("web", "db")]);
    test.scenario.patience.settle = 10 * SECOND;
    let world = world(&["db"]);
    test.look(&world);
    test.now += 20 * SECOND;
    let leaks = || vec![(cell("web", "db"), Sighting::Leak, Some(Outcome::Connected))];
    assert!(test.book.would_accuse(&cell("web", "db"), &Sighting::Leak, test.now));
    test.look(&later(&world, "shop"));
    assert!(!test.book.would_accuse(&cell("web", "db"), &Sighting::Leak, test.now));
    test.book.take(leaks(), test.now);
    assert!(!test.book.is_wrong(), "the network may be on its way");
    test.now += 11 * SECOND;
    test.book.take(leaks(), test.now);
    assert!(test.book.is_wrong());
}

#[test]
fn a_pod_that_was_replaced_within_a_pass_is_judged_by_nobody() {
    let mut test = Test::new(&[("web", "db")]);
    let denied = test.look(&world(&["db"]));
    let mut pass = test.begin(&denied);
    let mut others = test.stand_ins.clone();
    for stand_in in &mut others {
        if let (true, Some((_, pod))) = (stand_in.desired.actor.endpoint == "db", &mut stand_in.pod)
        {
            pod.uid = "another".into();
        }
    }
    pass.meet(&others);
    pass.meet(&test.stand_ins);
    let after = test.look(&world(&["db"]));
    pass.look(&after);
    assert_eq!(test.judged(pass, &after), Sighting::Moved);
}

#[test]
fn nothing_of_a_test_that_is_another_by_now_is_judged() {
    let mut test = Test::new(&[("web", "db")]);
    let denied = test.look(&world(&["db"]));
    let mut pass = test.begin(&denied);
    pass.move_all();
    assert_eq!(test.judged(pass, &denied), Sighting::Moved);
}

#[test]
fn extra_flows_are_evidence_and_count_nowhere() {
    let mut test = Test::new(&[("web", "db")]);
    test.look(&world(&["db"]));
    let leaks = |cell| vec![(cell, Sighting::Leak, Some(Outcome::Connected))];
    test.book.take(leaks(cell("web", "db")), test.now);
    test.book.take_on(&[cell("was", "db")].into(), &test.scenario);
    let looked = test.look(&world(&["db"]));
    assert_eq!(looked.changed, [cell("was", "db")].into(), "it is predicted with the others");
    assert_eq!(test.book.extra_due(test.now), [cell("was", "db")].into());
    assert!(test.book.would_accuse(&cell("was", "db"), &Sighting::Leak, test.now));
    test.book.take(leaks(cell("was", "db")), test.now);
    let counted: Vec<&Cell> = test.book.ledger().records().map(|(cell, _)| cell).collect();
    assert_eq!(counted, [&cell("web", "db")]);
    assert_eq!(test.book.tally().observations, 1);
    let flow = naming(&test.scenario, &test.stand_ins);
    let [own, extra] = test.book.observations(&flow, Duration::ZERO, test.now);
    assert_eq!((own.len(), extra.len()), (1, 1));
}

#[test]
fn the_manner_of_denying_is_that_of_denied_flows_alone() {
    let mut test = Test::new(&[("web", "db"), ("web", "was")]);
    test.look(&world(&["db"]));
    let conforms = |to, outcome| (cell("web", to), Sighting::Conforms, Some(outcome));
    test.book.take(vec![conforms("was", Outcome::Connected)], test.now);
    assert_eq!(test.book.manner(test.now), None);
    test.book.take(vec![conforms("db", Outcome::Refused)], test.now);
    assert_eq!(test.book.manner(test.now), Some(RefusalManner::Reset));
}

#[test]
fn a_pod_settles_once() {
    let mut test = Test::new(&[("web", "db")]);
    let actor = Actor::sole("db");
    assert!(test.book.meet(&actor, "one", SECOND, SECOND));
    assert!(!test.book.meet(&actor, "one", 2 * SECOND, 2 * SECOND));
    assert!(test.book.meet(&actor, "two", 2 * SECOND, 2 * SECOND));
}

#[test]
fn only_what_was_seen_since_the_policies_changed_exercises_their_rules() {
    let mut test = Test::new(&[("web", "db")]);
    let exercised = |test: &mut Test, world: &World| {
        let (scenario, stand_ins, now) = (&test.scenario, &test.stand_ins, test.now);
        let attempted = [cell("web", "db")].into();
        let moment = Moment { scenario, stand_ins, world, now };
        let coverage = test.book.coverage(moment, attempted);
        coverage.exercised + coverage.half_exercised
    };
    let conforms = || vec![(cell("web", "db"), Sighting::Conforms, Some(Outcome::TimedOut))];
    let before = world(&["db"]);
    test.look(&before);
    test.book.take(conforms(), test.now);
    let shown = exercised(&mut test, &before);
    test.look(&before);
    assert_eq!(exercised(&mut test, &before), shown, "nothing has changed");
    // The new policy changes no prediction.
    let after = world(&["db", "web"]);
    test.look(&after);
    assert_eq!(exercised(&mut test, &after), 0);
}

#[test]
fn a_denial_that_goes_over_to_the_other_end_settles_anew_and_one_that_stays_does_not() {
    for (after, wanted) in [(&["web"][..], Sighting::Moved), (&["web", "db"], Sighting::Leak)] {
        let mut test = Test::new(&[("web", "db")]);
        let denied = test.look(&world(&["db"]));
        let mut pass = test.begin(&denied);
        let other = test.look(&world(after));
        assert_eq!(other.changed, BTreeSet::new());
        pass.look(&other);
        assert_eq!(test.judged(pass, &other), wanted, "{after:?}");
    }
}

impl Test {
    /// The sightings of a pass in which the attempts took so many milliseconds.
    fn timed(&mut self, seen_after: &[(&str, Outcome, u64)]) -> Vec<Sighting> {
        let looked = self.look(&world(&["db"]));
        let pass = self.begin(&looked);
        let results = seen_after.iter().map(|(to, outcome, ms)| AttemptResult {
            took: Some(Duration::from_millis(*ms)),
            waited: Duration::from_millis(*ms),
            ..seen(cell("web", to), outcome.clone())
        });
        let judged = self.book.judge(pass, results.collect(), &looked, &self.stand_ins);
        judged.into_iter().map(|(_, sighting, _)| sighting).collect()
    }
}

#[test]
fn what_connects_after_its_deadline_is_neither_reachable_nor_blocked() {
    let mut test = Test::new(&[("web", "was"), ("web", "db")]);
    test.scenario.timeout = Duration::from_millis(200);
    let (took, timeout) = (Duration::from_millis(640), test.scenario.timeout);
    assert_eq!(
        test.timed(&[("was", Outcome::Connected, 640)]),
        [Sighting::Inconclusive(Why::Late { took, timeout })]
    );
    assert_eq!(test.timed(&[("was", Outcome::Connected, 200)]), [Sighting::Conforms]);
    // A proof needs no deadline.
    assert_eq!(test.timed(&[("db", Outcome::Connected, 640)]), [Sighting::Leak]);
}

/// A test of denied and allowed flows from node one to node two, with a timeout of 200 ms.
fn on_a_path() -> Test {
    let mut test = Test::new(&[("web", "was"), ("web", "db")]);
    test.scenario.timeout = Duration::from_millis(200);
    test.scenario.patience.silence = SILENCE;
    test
}

fn slow(round_trip: Option<Duration>) -> Sighting {
    let (from, to, waited) = ("one".into(), "two".into(), Duration::from_millis(200));
    Sighting::Inconclusive(Why::SlowPath(SlowPath { from, to, round_trip, waited }))
}

#[test]
fn silence_on_a_path_that_is_slower_than_the_timeout_says_nothing() {
    let mut test = on_a_path();
    let silence = |ms| ("db", Outcome::TimedOut, ms);
    let connects = |ms| ("was", Outcome::Connected, ms);
    let slow = slow(Some(Duration::from_millis(600)));
    assert_eq!(test.timed(&[connects(1200), silence(200)])[1], slow);
    assert_eq!(test.timed(&[silence(200)]), std::slice::from_ref(&slow), "as was last measured");
    assert_eq!(test.timed(&[("db", Outcome::Refused, 1)]), [Sighting::Conforms], "no silence");
    assert_eq!(test.timed(&[silence(4000)]), [Sighting::Conforms], "it waited for long");
    assert_eq!(test.timed(&[connects(130), silence(200)])[1], Sighting::Conforms);
    let both = [connects(1200), connects(130), silence(200)];
    assert_eq!(test.timed(&both)[2], Sighting::Conforms, "the shortest counts");
}

#[test]
fn silence_on_a_path_of_which_nothing_is_known_counts_if_it_is_long() {
    let mut test = on_a_path();
    let silence = |ms| [("db", Outcome::TimedOut, ms)];
    assert_eq!(test.timed(&silence(200)), [slow(None)]);
    assert_eq!(test.timed(&silence(4000)), [Sighting::Conforms]);
    assert_eq!(test.timed(&[("db", Outcome::Connected, 4000)]), [Sighting::Leak]);
}

#[test]
fn attempts_wait_longer_where_nothing_has_connected() {
    let mut test = on_a_path();
    let waits = |test: &mut Test| {
        let looked = test.look(&world(&["db"]));
        let (scenario, stand_ins) = (&test.scenario, &test.stand_ins);
        let cells = [cell("web", "db")].into();
        let (_, flows) = test.book.begin(&cells, &looked, scenario, stand_ins, test.now);
        flows[0].patience
    };
    assert_eq!(waits(&mut test), None, "nothing was attempted yet");
    test.timed(&[("db", Outcome::TimedOut, 200)]);
    assert_eq!(waits(&mut test), Some(SILENCE));
    test.timed(&[("was", Outcome::Connected, 1)]);
    assert_eq!(waits(&mut test), None);
}

#[test]
fn only_silence_that_would_accuse_is_waited_for_longer() {
    let mut test = Test::new(&[("web", "db"), ("web", "was")]);
    test.scenario.patience.settle = 10 * SECOND;
    test.scenario.patience.silence = SILENCE;
    let waits = |test: &mut Test| -> BTreeMap<String, Option<Duration>> {
        let looked = test.look(&world(&["db"]));
        let cells = test.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        let (scenario, stand_ins) = (&test.scenario, &test.stand_ins);
        let (_, flows) = test.book.begin(&cells, &looked, scenario, stand_ins, test.now);
        flows.into_iter().map(|flow| (flow.cell.to.endpoint, flow.patience)).collect()
    };
    assert!(waits(&mut test).values().all(Option::is_none), "they settle");
    test.now += 20 * SECOND;
    let wanted = [("db".to_owned(), None), ("was".to_owned(), Some(SILENCE))];
    assert_eq!(waits(&mut test), BTreeMap::from(wanted));
}
