//! Reads the status of a `ConnectivityTest`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use netproof_crds::{
    ConditionStatus, ConditionType, ConnectivityTest, Diagnosis, FindingVerdict, FlowSummary,
    Reason,
};

/// A condition of a test; none if the test says nothing of its present spec.
pub fn condition(test: &ConnectivityTest, type_: ConditionType) -> Option<&Condition> {
    let conditions = test.status.as_ref()?.conditions.iter();
    conditions
        .filter(|condition| condition.observed_generation == test.metadata.generation)
        .find(|condition| condition.type_ == type_.as_str())
}

/// Whether a condition has this status, for the present spec.
pub fn is(test: &ConnectivityTest, type_: ConditionType, status: ConditionStatus) -> bool {
    condition(test, type_).is_some_and(|condition| condition.status == status.as_str())
}

/// Whether the condition Conformant is True.
pub fn conformant(test: &ConnectivityTest) -> bool {
    is(test, ConditionType::Conformant, ConditionStatus::True)
}

/// Whether every flow conforms. Conformant may be Unknown for want of an allowed flow: a test that
/// allows nothing proves nothing.
pub fn keeps_all(test: &ConnectivityTest) -> bool {
    let FlowSummary { flows, conforms, .. } = summary(test);
    let is_unproved = condition(test, ConditionType::Conformant)
        .is_some_and(|condition| condition.reason == Reason::NothingProved.as_str());
    conformant(test) || (is_unproved && flows > 0 && conforms == flows)
}

/// The counts of flows; all 0 if there are none.
pub fn summary(test: &ConnectivityTest) -> FlowSummary {
    test.status.as_ref().and_then(|status| status.summary).unwrap_or_default()
}

/// The diagnosis in the status, if there is one.
pub fn diagnosis(test: &ConnectivityTest) -> Option<&Diagnosis> {
    test.status.as_ref()?.diagnosis.as_ref()
}

/// Whether the status says in any place that the network is wrong about a flow; start-up leaks
/// aside.
pub fn accuses(test: &ConnectivityTest) -> bool {
    let summary = summary(test);
    let findings = test.status.iter().flat_map(|status| &status.findings);
    summary.leaks > 0
        || summary.blocked > 0
        || is(test, ConditionType::Conformant, ConditionStatus::False)
        || findings.into_iter().any(|finding| match finding.verdict {
            FindingVerdict::Leak | FindingVerdict::Blocked => true,
            FindingVerdict::StartupLeak | FindingVerdict::Inconclusive => false,
        })
}

/// The whole status, for people, on a few lines.
pub fn text(test: &ConnectivityTest) -> String {
    let Some(status) = &test.status else { return "no status".into() };
    let mut words = vec![format!(
        "generation {} of {}:",
        status.observed_generation.unwrap_or_default(),
        test.metadata.generation.unwrap_or_default()
    )];
    for condition in &status.conditions {
        words.push(format!("{}={}({})", condition.type_, condition.status, condition.reason));
    }
    if let Some(FlowSummary {
        flows,
        conforms,
        leaks,
        blocked,
        settling,
        unspecified,
        inconclusive,
    }) = status.summary
    {
        words.push(format!(
            "{flows} flows: {conforms} conform, {leaks} leak, {blocked} blocked, {settling} settling, {unspecified} unspecified, {inconclusive} inconclusive"
        ));
    }
    if let Some(probes) = status.probes {
        words.push(format!("{} of {} probes", probes.attached, probes.wanted));
    }
    if let Some(round) = &status.last_round {
        words.push(format!("last round {}", round.time.0));
    }
    let mut lines = vec![words.join(" ")];
    let not_true = |condition: &&Condition| condition.status != ConditionStatus::True.as_str();
    let conditions = status.conditions.iter().filter(not_true);
    lines.extend(conditions.map(|said| format!("{}: {}", said.type_, said.message)));
    let diagnosis = status.diagnosis.iter();
    lines.extend(diagnosis.map(|said| format!("Diagnosis {}: {}", said.name, said.message)));
    let findings = status.findings.iter();
    lines.extend(findings.map(|finding| format!("{:?}: {}", finding.verdict, finding.message)));
    lines.join("\n        ")
}
