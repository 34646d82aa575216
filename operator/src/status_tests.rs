use netproof_conformance::{
    coverage::{Gap, What, Why as GapWhy},
    expected::{Because, Decision, Unspecified},
    flow::{Port, Protocol},
    matrix::Actor,
    verdict::Why,
};

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1000).expect("a time")
}

fn because() -> Because {
    Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated }
}

fn detail(expected: Expected, verdict: Verdict) -> Detail {
    Detail {
        line: Line { expected, outcome: Some(Outcome::TimedOut), verdict },
        sentence: "a sentence".into(),
        places: [Place::default(), Place::default()],
        since: now(),
        agreeing: 3,
        intents: BTreeSet::new(),
    }
}

fn conforming() -> Detail {
    detail(Expected::Allow(because()), Verdict::Conforms)
}

fn leak() -> Detail {
    detail(Expected::Deny(because()), Verdict::Leak(Steadiness::Steady))
}

fn blocked() -> Detail {
    detail(Expected::Allow(because()), Verdict::Blocked(Steadiness::Steady))
}

/// A view in which all is well but for the verdicts of these flows.
fn view(details: Vec<Detail>) -> View {
    let cell = |number: usize| Cell {
        from: Actor::sole("web"),
        to: Actor::sole("db"),
        port: Port { number: u16::try_from(number).expect("few"), protocol: Protocol::Tcp },
    };
    View {
        generation: 7,
        phase: Phase::Active,
        once: false,
        details: details.into_iter().enumerate().map(|(n, d)| (cell(n + 1), d)).collect(),
        wanted: 2,
        attached: 2,
        missing: None,
        last_round: None,
        stale: None,
        coverage: None,
        left_out: 0,
        start_ups: vec![],
        strict: false,
        existing: None,
    }
}

fn says(view: &View, wanted: ConditionType) -> (ConditionStatus, Reason) {
    let conditions = view.conditions();
    let (_, status, reason, _) =
        conditions.iter().find(|(type_, ..)| *type_ == wanted).expect("the condition is there");
    (*status, *reason)
}

fn conformant(view: &View) -> (ConditionStatus, Reason) {
    says(view, ConditionType::Conformant)
}

#[test]
fn all_that_conforms_is_conformant() {
    let open = Expected::Unspecified(Unspecified::ToItself);
    let open = detail(open, Verdict::Unspecified(Unspecified::ToItself));
    let view = view(vec![conforming(), open]);
    assert_eq!(conformant(&view), (ConditionStatus::True, Reason::AllConform));
}

#[test]
fn one_leak_is_enough() {
    let unsure = detail(Expected::Deny(because()), Verdict::Inconclusive(Why::Unconfirmed));
    let leaking = view(vec![conforming(), leak(), unsure]);
    assert_eq!(conformant(&leaking), (ConditionStatus::False, Reason::Leaks));
    let both = view(vec![leak(), blocked()]);
    assert_eq!(conformant(&both), (ConditionStatus::False, Reason::LeaksAndBlocks));
    assert_eq!(conformant(&view(vec![blocked()])), (ConditionStatus::False, Reason::Blocks));
}

#[test]
fn half_of_the_evidence_is_never_green() {
    let unknown = ConditionStatus::Unknown;
    let unsure = detail(Expected::Deny(because()), Verdict::Inconclusive(Why::Unconfirmed));
    let settling = detail(Expected::Deny(because()), Verdict::Settling);
    assert_eq!(conformant(&view(vec![conforming(), unsure])), (unknown, Reason::Inconclusive));
    assert_eq!(conformant(&view(vec![conforming(), settling])), (unknown, Reason::Settling));
    assert_eq!(conformant(&view(vec![])), (unknown, Reason::NothingToJudge));
}

#[test]
fn old_evidence_is_never_green() {
    let stale = Some(Problem::new(Reason::Stale, "long ago"));
    let view = View { stale, ..view(vec![conforming()]) };
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::Stale));
    assert_eq!(says(&view, ConditionType::Fresh), (ConditionStatus::False, Reason::Stale));
}

#[test]
fn a_missing_probe_is_never_green_and_says_why() {
    let missing = Some(Problem::new(Reason::ImageUnavailable, "no such image"));
    let view = View { missing, attached: 1, ..view(vec![conforming()]) };
    let ready = says(&view, ConditionType::ProbesReady);
    assert_eq!(ready, (ConditionStatus::False, Reason::ImageUnavailable));
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::ProbesNotReady));
}

#[test]
fn what_is_not_accepted_claims_nothing() {
    let problem = Problem::new(Reason::WorkloadNotFound, "there is no Deployment shop/was");
    let view = View { phase: Phase::NotAccepted(problem), ..view(vec![]) };
    let accepted = says(&view, ConditionType::Accepted);
    assert_eq!(accepted, (ConditionStatus::False, Reason::WorkloadNotFound));
    for other in [ConditionType::ProbesReady, ConditionType::Fresh, ConditionType::Conformant] {
        assert_eq!(says(&view, other), (ConditionStatus::Unknown, Reason::NotAccepted));
    }
    assert_eq!(view.status(&ConnectivityTestStatus::default(), now()).summary, None);
}

#[test]
fn intent_is_compared_with_the_policies_only() {
    let intends = |intent, detail: Detail| Detail { intents: [intent].into(), ..detail };
    let intended = |detail| says(&view(vec![detail]), ConditionType::Intended);
    assert_eq!(
        intended(intends(Intent::Deny, leak())),
        (ConditionStatus::True, Reason::MatchesIntent),
        "the policies say Deny; that the network leaks is another matter"
    );
    let contradicted = (ConditionStatus::False, Reason::ContradictsIntent);
    assert_eq!(intended(intends(Intent::Allow, leak())), contradicted);
    assert_eq!(intended(conforming()), (ConditionStatus::Unknown, Reason::NoIntent));
}

#[test]
fn a_test_that_runs_once_is_complete_with_its_verdict() {
    let once = |details| View { once: true, ..view(details) };
    let complete = |details| says(&once(details), ConditionType::Complete);
    assert_eq!(complete(vec![conforming()]), (ConditionStatus::True, Reason::Finished));
    assert_eq!(complete(vec![leak()]), (ConditionStatus::True, Reason::Finished));
    let settling = detail(Expected::Deny(because()), Verdict::Settling);
    assert_eq!(complete(vec![settling]), (ConditionStatus::False, Reason::Running));
}

#[test]
fn transition_times_change_only_on_transition() {
    let later = Timestamp::from_second(2000).expect("a time");
    let first = view(vec![conforming()]).status(&ConnectivityTestStatus::default(), now());
    let second = view(vec![leak()]).status(&first, later);
    let time = |status: &ConnectivityTestStatus, type_: ConditionType| {
        let condition = status.conditions.iter().find(|c| c.type_ == type_.as_str());
        condition.expect("it is there").last_transition_time.0
    };
    assert_eq!(time(&second, ConditionType::Accepted), now());
    assert_eq!(time(&second, ConditionType::Conformant), later);
}

#[test]
fn findings_are_bounded_and_the_worst_come_first() {
    let mut details = vec![blocked()];
    details.extend(std::iter::repeat_with(leak).take(MAX_FINDINGS + 4));
    let status = view(details).status(&ConnectivityTestStatus::default(), now());
    assert_eq!(status.findings.len(), MAX_FINDINGS);
    assert_eq!(status.truncated, Some(5));
    assert!(status.findings.iter().all(|finding| finding.verdict == FindingVerdict::Leak));
    assert_eq!(status.summary.expect("there is one").leaks, 54);
}

#[test]
fn only_flows_with_a_verdict_are_judged() {
    let open = Unspecified::ToItself;
    let details = vec![
        conforming(),
        leak(),
        blocked(),
        detail(Expected::Deny(because()), Verdict::Settling),
        detail(Expected::Deny(because()), Verdict::Inconclusive(Why::Unconfirmed)),
        detail(Expected::Unspecified(open), Verdict::Unspecified(open)),
    ];
    let view = view(details);
    let ports: Vec<u16> = view.judged().iter().map(|cell| cell.port.number).collect();
    assert_eq!(ports, [1, 2, 3]);
}

#[test]
fn coverage_is_counted_and_its_gaps_are_bounded() {
    let gap =
        |number: usize| Gap { what: What::Mutant(number.to_string()), why: GapWhy::LooksSound };
    let covering = |gaps: usize| {
        let gaps = (0..gaps).map(gap).collect();
        let coverage = Coverage { rules: 12, exercised: 9, half_exercised: 2, gaps };
        let coverage = Some(Arc::new(coverage));
        let view = View { coverage, left_out: 7, ..view(vec![conforming()]) };
        view.status(&ConnectivityTestStatus::default(), now()).coverage.expect("there is one")
    };
    let few = covering(1);
    let wanted = RuleCoverage {
        rules: 12,
        exercised: 9,
        half_exercised: 2,
        flows_left_out: Some(7),
        gaps: vec![gap(0).to_string()],
        truncated: None,
    };
    assert_eq!(few, wanted);
    let many = covering(MAX_GAPS + 3);
    assert_eq!((many.gaps.len(), many.truncated), (MAX_GAPS, Some(3)));
}

#[test]
fn nothing_is_covered_while_nothing_is_attempted() {
    let view = View { phase: Phase::Suspended, ..view(vec![]) };
    assert_eq!(view.status(&ConnectivityTestStatus::default(), now()).coverage, None);
}

#[test]
fn what_is_beyond_the_budget_is_said_beside_the_verdict() {
    let view = View { left_out: 5, ..view(vec![conforming()]) };
    let conditions = view.conditions();
    let (.., message) = conditions
        .iter()
        .find(|(type_, ..)| *type_ == ConditionType::Conformant)
        .expect("the condition is there");
    assert!(message.ends_with("; 5 more are not attempted, as maxFlows has it"), "{message}");
}

fn started_leaking() -> Finding {
    let cell = Cell {
        from: Actor::sole("web"),
        to: Actor::sole("db"),
        port: Port { number: 8080, protocol: Protocol::Tcp },
    };
    let places = [Place::default(), Place::default()];
    startup_finding(&cell, &Expected::Deny(because()), &places, "it leaked".into(), now())
}

#[test]
fn a_start_up_leak_is_a_finding_and_turns_conformant_only_where_that_is_asked_for() {
    let reported = View { start_ups: vec![started_leaking()], ..view(vec![conforming()]) };
    assert_eq!(conformant(&reported), (ConditionStatus::True, Reason::AllConform));
    let status = reported.status(&ConnectivityTestStatus::default(), now());
    assert_eq!(status.findings, [started_leaking()]);
    let strict = View { strict: true, ..reported };
    assert_eq!(conformant(&strict), (ConditionStatus::False, Reason::StartupLeak));
    let worse = View { start_ups: vec![started_leaking()], ..view(vec![blocked(), leak()]) };
    let status = worse.status(&ConnectivityTestStatus::default(), now());
    let verdicts: Vec<_> = status.findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(
        verdicts,
        [FindingVerdict::Leak, FindingVerdict::StartupLeak, FindingVerdict::Blocked]
    );
}

#[test]
fn what_became_of_existing_connections_is_a_fact_and_no_verdict() {
    let existing = Some(ExistingConnections::Survive);
    let view = View { existing, ..view(vec![conforming()]) };
    assert_eq!(conformant(&view), (ConditionStatus::True, Reason::AllConform));
    let status = view.status(&ConnectivityTestStatus::default(), now());
    assert_eq!(status.existing_connections, existing);
}
