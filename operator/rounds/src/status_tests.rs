use std::{collections::BTreeSet, sync::Arc};

use netproof_conformance::{
    coverage::{Gap, GapReason as GapWhy, What},
    diagnosis::{
        Explained, Fault, Nearest, TimeFault, Unexplained, mutation::Mutation, scope::Scope,
    },
    expected::{Because, Decision, Expected, Unspecified},
    flow::{Port, Protocol},
    matrix::{Actor, Cell},
    plan::Intent,
    report::{Line, Place},
    verdict::{Outcome, Steadiness, Verdict, Why},
};
use netproof_crds::{
    ConditionStatus, ConditionType, ExistingConnections, FindingVerdict, StartUpCounts,
};

use super::{findings::startup_finding, *};
use crate::{
    diagnosing::Basis,
    report::Detail,
    status::testing::{view, with},
};

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

fn says(view: &StatusView, wanted: ConditionType) -> (ConditionStatus, Reason) {
    let conditions = view.conditions();
    let (_, status, reason, _) =
        conditions.iter().find(|(type_, ..)| *type_ == wanted).expect("the condition is there");
    (*status, *reason)
}

fn conformant(view: &StatusView) -> (ConditionStatus, Reason) {
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

/// An allowed flow that was seen to connect.
fn connected() -> Detail {
    let mut connected = conforming();
    connected.line.outcome = Some(Outcome::Connected);
    connected
}

fn denied() -> Detail {
    detail(Expected::Deny(because()), Verdict::Conforms)
}

#[test]
fn silence_alone_proves_nothing() {
    let nothing = (ConditionStatus::Unknown, Reason::NothingProved);
    assert_eq!(conformant(&view(vec![denied()])), nothing);
    assert_eq!(conformant(&view(vec![denied(), conforming()])), nothing, "it did not connect");
    let proven = || view(vec![denied(), connected()]);
    assert_eq!(conformant(&proven()), (ConditionStatus::True, Reason::AllConform));
    let covers = |exercised, half_exercised| {
        let coverage = Coverage { rules: 2, exercised, half_exercised, gaps: vec![] };
        conformant(&with(proven(), |report| report.coverage = Some(Arc::new(coverage))))
    };
    assert_eq!(covers(0, 0), nothing);
    assert_eq!(covers(0, 1), (ConditionStatus::True, Reason::AllConform));
    assert_eq!(covers(1, 0), (ConditionStatus::True, Reason::AllConform));
    let open = with(view(vec![conforming()]), |report| report.coverage = Some(Arc::default()));
    assert_eq!(conformant(&open), (ConditionStatus::True, Reason::AllConform), "no deny");
}

#[test]
fn strict_means_that_every_start_is_established() {
    let counts = |isolated, leaked, not_established| {
        let starts = StartUpCounts { isolated, leaked, not_established };
        with(view(vec![denied(), connected()]), |report| report.starts = Some(starts))
    };
    let open = |isolated| with(counts(isolated, 0, 1), |report| report.strict = true);
    for view in [open(0), open(22)] {
        let says = (ConditionStatus::Unknown, Reason::StartsNotEstablished);
        assert_eq!(conformant(&view), says);
    }
    let fine = (ConditionStatus::True, Reason::AllConform);
    assert_eq!(conformant(&counts(0, 0, 23)), fine, "it is only promised where that is asked for");
    assert_eq!(conformant(&with(counts(23, 0, 0), |report| report.strict = true)), fine);
    let status = counts(1, 2, 3).status(&ConnectivityTestStatus::default(), now());
    let wanted = StartUpCounts { isolated: 1, leaked: 2, not_established: 3 };
    assert_eq!(status.start_ups, Some(wanted));
}

#[test]
fn old_evidence_is_never_green() {
    let stale = Some(Problem::new(Reason::Stale, "long ago"));
    let view = StatusView { stale, ..view(vec![conforming()]) };
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::Stale));
    assert_eq!(says(&view, ConditionType::Fresh), (ConditionStatus::False, Reason::Stale));
}

#[test]
fn a_missing_probe_is_never_green_and_says_why() {
    let missing = Some(Problem::new(Reason::ImageUnavailable, "no such image"));
    let view = StatusView { missing, attached: 1, ..view(vec![conforming()]) };
    let ready = says(&view, ConditionType::ProbesReady);
    assert_eq!(ready, (ConditionStatus::False, Reason::ImageUnavailable));
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::ProbesNotReady));
}

/// A view of a test that does not cover two of its nodes.
fn with_gaps(details: Vec<Detail>) -> StatusView {
    let gaps = [("n2", "it is cordoned"), ("n3", "it is not ready")];
    let uncovered = gaps.map(|(node, why)| (node.to_owned(), why.to_owned())).into();
    StatusView { uncovered, ..view(details) }
}

#[test]
fn nodes_that_are_not_covered_are_named_and_nothing_is_green() {
    let view = with_gaps(vec![conforming()]);
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::NodesNotCovered));
    let status = view.status(&ConnectivityTestStatus::default(), now());
    let conditions = &status.conditions;
    let said = conditions.iter().find(|said| said.type_ == "Conformant").expect("it is there");
    assert!(
        said.message.starts_with(
            "2 nodes are not covered: n2 (it is cordoned), n3 (it is not ready); 1 of 1 flows conform"
        ),
        "{}",
        said.message
    );
    let named: Vec<&str> = status.uncovered_nodes.iter().map(|gap| gap.name.as_str()).collect();
    assert_eq!(named, ["n2", "n3"]);
}

#[test]
fn findings_weigh_more_than_nodes_that_are_not_covered() {
    let view = with_gaps(vec![leak()]);
    assert_eq!(conformant(&view), (ConditionStatus::False, Reason::Leaks));
    assert_eq!(view.status(&ConnectivityTestStatus::default(), now()).uncovered_nodes.len(), 2);
}

#[test]
fn nodes_are_named_though_no_round_with_all_probes_ends_any_more() {
    let stale = Some(Problem::new(Reason::Stale, "long ago"));
    let view = StatusView { stale, ..with_gaps(vec![conforming()]) };
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::NodesNotCovered));
    let stale = Some(Problem::new(Reason::SnapshotIncomplete, "nothing was heard of nodes"));
    let view = StatusView { stale, ..with_gaps(vec![conforming()]) };
    assert_eq!(conformant(&view), (ConditionStatus::Unknown, Reason::SnapshotIncomplete));
}

#[test]
fn an_operator_that_is_removed_leaves_word_and_no_verdict() {
    let problem = Problem::new(Reason::OperatorRemoved, "nobody tests any more");
    let view = StatusView { phase: Phase::NotAccepted(problem), ..view(vec![]) };
    for type_ in [ConditionType::Accepted, ConditionType::Fresh, ConditionType::Conformant] {
        assert_eq!(says(&view, type_), (ConditionStatus::Unknown, Reason::OperatorRemoved));
    }
}

#[test]
fn what_is_not_accepted_claims_nothing() {
    let problem = Problem::new(Reason::WorkloadNotFound, "there is no Deployment shop/was");
    let view = StatusView { phase: Phase::NotAccepted(problem), ..view(vec![]) };
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
    let once = |details| StatusView { once: true, ..view(details) };
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
    let ports: Vec<u16> = view.report.judged().iter().map(|cell| cell.port.number).collect();
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
        let view = with(view(vec![conforming()]), |report| {
            (report.coverage, report.left_out) = (coverage, 7);
        });
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
    let view = StatusView { phase: Phase::Suspended, ..view(vec![]) };
    assert_eq!(view.status(&ConnectivityTestStatus::default(), now()).coverage, None);
}

#[test]
fn what_is_beyond_the_budget_is_said_beside_the_verdict() {
    let view = with(view(vec![conforming()]), |report| report.left_out = 5);
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
    let reported =
        with(view(vec![conforming()]), |report| report.start_ups = vec![started_leaking()]);
    assert_eq!(conformant(&reported), (ConditionStatus::True, Reason::AllConform));
    let status = reported.status(&ConnectivityTestStatus::default(), now());
    assert_eq!(status.findings, [started_leaking()]);
    let strict = with(reported, |report| report.strict = true);
    assert_eq!(conformant(&strict), (ConditionStatus::False, Reason::StartupLeak));
    let worse =
        with(view(vec![blocked(), leak()]), |report| report.start_ups = vec![started_leaking()]);
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
    let view = with(view(vec![conforming()]), |report| report.existing = existing);
    assert_eq!(conformant(&view), (ConditionStatus::True, Reason::AllConform));
    let status = view.status(&ConnectivityTestStatus::default(), now());
    assert_eq!(status.existing_connections, existing);
}

fn candidate(name: &str, scope: Scope) -> Candidate {
    let mutation = Mutation::named(name).expect("a mutation");
    Candidate { faults: vec![Fault { mutation, scope, past: 0 }] }
}

fn ignores_egress() -> Diagnosis {
    Diagnosis::Explained(Explained {
        chosen: candidate("ignores-egress", Scope::Node("worker2".into())),
        explains: 14,
        findings: 14,
        rivals: vec![],
        equivalents: vec![],
        next_probes: vec![],
        next_probes_count: 0,
        capped: false,
    })
}

const WHOLE: Basis = Basis { judged: 20, of: 20, beside: 0 };

fn diagnosed(diagnosis: Diagnosis, basis: Basis) -> StatusView {
    let ruled_out_by = vec!["a sentence".to_owned(); MAX_REASONS + 2];
    let diagnosis = Some(Arc::new(Diagnosed { diagnosis, basis, ruled_out_by }));
    with(view(vec![leak()]), |report| report.diagnosis = diagnosis)
}

fn told_in(view: &StatusView) -> Option<netproof_crds::Diagnosis> {
    view.status(&ConnectivityTestStatus::default(), now()).diagnosis
}

#[test]
fn a_diagnosis_says_what_where_and_how_much_it_explains() {
    let told = told_in(&diagnosed(ignores_egress(), WHOLE)).expect("there is one");
    let wanted = netproof_crds::Diagnosis {
        name: "ignores-egress".into(),
        scope: Some("on node worker2".into()),
        message: "behaves as a network that ignores egress policies, on node worker2 only; \
                  explains 14 of 14 findings"
            .into(),
        explains: Some(14),
        findings: Some(14),
        ..netproof_crds::Diagnosis::default()
    };
    assert_eq!(told, wanted);
}

#[test]
fn rivals_are_bounded_and_flows_that_would_tell_are_counted() {
    let Diagnosis::Explained(explained) = ignores_egress() else { panic!("it explains") };
    let rivals = vec![candidate("ignores-all", Scope::Cluster); MAX_REASONS + 3];
    let explained = Explained { rivals, next_probes_count: 21, ..explained };
    let told = told_in(&diagnosed(Diagnosis::Explained(explained), WHOLE)).expect("there is one");
    assert_eq!(told.rivals, vec!["ignores all policies"; MAX_REASONS]);
    assert_eq!(told.unprobed, Some(21));
}

#[test]
fn what_nothing_explains_says_why() {
    let candidate = candidate("ignores-ingress", Scope::Cluster);
    let best = Some(Nearest { candidate, explains: 3, contradicted_by: vec![] });
    let unexplained = Unexplained { best, findings: 4, ruled_out_by: vec![], capped: false };
    let told = told_in(&diagnosed(Diagnosis::Unexplained(unexplained), WHOLE));
    let told = told.expect("there is one");
    assert_eq!((told.name.as_str(), told.scope), ("unexplained", None));
    assert_eq!((told.explains, told.findings), (Some(3), Some(4)));
    assert_eq!(told.ruled_out_by.len(), MAX_REASONS);
}

#[test]
fn a_fault_of_time_explains_no_findings_since_there_are_none() {
    let fault = TimeFault::Slow { after: std::time::Duration::from_secs(20), flows: 3 };
    let told = told_in(&diagnosed(Diagnosis::OfTime(fault), WHOLE)).expect("there is one");
    assert_eq!((told.name.as_str(), told.explains, told.findings), ("slow", None, None));
}

#[test]
fn nothing_is_diagnosed_blind_or_on_old_evidence_or_at_rest() {
    for reason in [Reason::Stale, Reason::SnapshotIncomplete] {
        let stale = Some(Problem::new(reason, "why"));
        let view = StatusView { stale, ..diagnosed(ignores_egress(), WHOLE) };
        assert_eq!((told_in(&view), view.diagnosed()), (None, None), "{reason}");
    }
    let problem = Problem::new(Reason::WorkloadNotFound, "why");
    for phase in [Phase::Suspended, Phase::NotAccepted(problem)] {
        let view = StatusView { phase, ..diagnosed(ignores_egress(), WHOLE) };
        assert_eq!((told_in(&view), view.diagnosed()), (None, None));
    }
    assert_eq!(told_in(&diagnosed(Diagnosis::NoEvidence, WHOLE)), None);
}

#[test]
fn half_of_the_evidence_accuses_and_says_what_it_rests_on() {
    let half = Basis { judged: 9, ..WHOLE };
    let missing = Some(Problem::new(Reason::Unschedulable, "no node"));
    let stale = Some(Problem::new(Reason::NoRoundYet, "no round yet"));
    let view = StatusView { missing, stale, ..diagnosed(ignores_egress(), half) };
    let told = told_in(&view).expect("there is one");
    assert!(told.message.ends_with("; rests on 9 of 20 flows"), "{}", told.message);
}

#[test]
fn that_nothing_is_wrong_takes_all_of_the_evidence_and_is_left_to_the_conditions() {
    let conforms = || Diagnosis::Conforms { observations: 20 };
    let name = |view: &StatusView| view.diagnosed().map(|diagnosed| diagnosed.diagnosis.name());
    let whole = diagnosed(conforms(), WHOLE);
    assert_eq!((name(&whole), told_in(&whole)), (Some("none"), None));
    let half = diagnosed(conforms(), Basis { judged: 19, ..WHOLE });
    assert_eq!(name(&half), None);
    let missing = Some(Problem::new(Reason::Unschedulable, "no node"));
    assert_eq!(name(&StatusView { missing, ..diagnosed(conforms(), WHOLE) }), None);
    let stale = Some(Problem::new(Reason::NoRoundYet, "no round yet"));
    assert_eq!(name(&StatusView { stale, ..diagnosed(conforms(), WHOLE) }), None);
}

#[test]
fn the_manner_is_a_remark_unless_it_is_silence() {
    let remark = |manner| {
        let view = with(view(vec![conforming()]), |report| report.manner = Some(manner));
        view.status(&ConnectivityTestStatus::default(), now()).remark
    };
    assert_eq!(remark(RefusalManner::Silence), None);
    assert_eq!(remark(RefusalManner::Reset).as_deref(), Some("denies-with-reset"));
    let stale = Some(Problem::new(Reason::Stale, "long ago"));
    let old = StatusView {
        stale,
        ..with(view(vec![conforming()]), |report| report.manner = Some(RefusalManner::Reset))
    };
    assert_eq!(old.remark(), None);
}

#[test]
fn the_api_documents_every_name_of_a_diagnosis() {
    let definitions = netproof_crds::all_crds();
    let text = serde_json::to_string(&definitions).expect("plain data");
    for name in Diagnosis::names().filter(|name| *name != "none") {
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
    for manner in [RefusalManner::Reset, RefusalManner::Icmp, RefusalManner::Mixed] {
        let name = manner.name().expect("it is worth a remark");
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
}
