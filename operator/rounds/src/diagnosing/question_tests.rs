use netproof_conformance::verdict::Outcome;

use super::*;
use crate::{
    diagnosing::{
        testing::{cell, scenario, stand_ins, world},
        unasked,
    },
    predict::{naming, snapshot},
};

const NAMES: [&str; 4] = ["web", "was", "db", "ops"];

/// The question of a test in which these flows connect and the others do not, and the policies
/// isolate `db` and `ops`.
fn question(asked: &[(&str, &str, bool)], beside: &[(&str, &str, bool)]) -> Question {
    let flows: Vec<(&str, &str)> = asked.iter().map(|(from, to, _)| (*from, *to)).collect();
    let scenario = scenario(&NAMES, &flows, 100);
    let stand_ins = stand_ins(&scenario);
    let flow = naming(&scenario, &stand_ins);
    let seen = |all: &[(&str, &str, bool)]| {
        let one = |(from, to, connects): &(&str, &str, bool)| {
            let cell = cell(from, to);
            let outcome = if *connects { Outcome::Connected } else { Outcome::TimedOut };
            let flow = flow(&cell).expect("its ends are there");
            (cell, Observation { flow, outcome, flaps: false })
        };
        all.iter().map(one).collect::<BTreeMap<_, _>>()
    };
    let unprobed = unasked(&scenario, |_| true, 100);
    let unprobed = unprobed.into_iter().filter_map(|cell| Some((flow(&cell)?, cell)));
    Question {
        snapshot: snapshot(&stand_ins, &world(&["db", "ops"])),
        observed: seen(asked),
        beside: seen(beside),
        unprobed: unprobed.collect(),
        pasts: vec![],
        time: None,
        decided: asked.len(),
        is_wrong: true,
        outdated: 0,
    }
}

#[test]
fn flows_that_would_tell_are_named_by_their_cells_and_their_sight_decides() {
    let first = question(&[("web", "db", true), ("web", "was", true)], &[]).answer();
    let Diagnosis::Explained(found) = &first.diagnosed.diagnosis else { panic!("{first:?}") };
    assert!(!found.rivals.is_empty(), "{first:?}");
    assert!(first.telling.contains(&cell("db", "web")), "{first:?}");
    let asked = [("web", "db", true), ("web", "was", true)];
    let beside = [("db", "web", false), ("web", "ops", true), ("ops", "web", false)];
    let then = question(&asked, &beside).answer();
    assert_eq!(then.diagnosed.diagnosis.name(), "ignores-ingress", "{}", then.diagnosed);
    assert_eq!(then.diagnosed.basis, Basis { judged: 2, of: 2, beside: 3 });
    let sentence = then.diagnosed.to_string();
    let wanted = "; rests on 2 flows and on 3 more that were attempted to tell";
    assert!(sentence.ends_with(wanted), "{sentence}");
}

#[test]
fn what_it_rests_on_is_said_where_that_is_not_all() {
    let part = Basis { judged: 9, of: 14, beside: 0 };
    assert_eq!(part.to_string(), "; rests on 9 of 14 flows");
    assert_eq!(Basis { judged: 14, ..part }.to_string(), "");
}

#[test]
fn what_rules_the_best_out_is_said_in_sentences() {
    let asked =
        [("web", "db", true), ("was", "db", false), ("web", "was", false), ("db", "was", false)];
    let answer = question(&asked, &[]).answer();
    assert_eq!(answer.diagnosed.diagnosis.name(), "unexplained", "{}", answer.diagnosed);
    let sentences = &answer.diagnosed.ruled_out_by;
    let known = [
        "web to db port 80/TCP is denied and connects",
        "was to db port 80/TCP is denied and does not connect",
        "web to was port 80/TCP is allowed and does not connect",
        "db to was port 80/TCP is denied and does not connect",
    ];
    assert!(!sentences.is_empty());
    assert!(sentences.iter().all(|one| known.contains(&one.as_str())), "{sentences:?}");
    assert!(answer.telling.is_empty());
}

#[test]
fn in_which_manner_something_did_not_connect_asks_nothing_new() {
    let one = question(&[("web", "db", true), ("was", "db", false)], &[]);
    let mut other = one.clone();
    other.snapshot.revision.0 += 1;
    for seen in other.observed.values_mut().filter(|seen| !seen.connected()) {
        seen.outcome = Outcome::Refused;
    }
    assert!(one.is_same(&other));
    assert!(!one.is_same(&question(&[("web", "db", true), ("was", "db", true)], &[])));
    let flaps = |mut question: Question| {
        question.observed.values_mut().for_each(|seen| seen.flaps = true);
        question
    };
    assert!(!one.is_same(&flaps(one.clone())));
}
