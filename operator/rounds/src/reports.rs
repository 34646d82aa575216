//! The newest report of each test, and its text: the matrix, the findings and the diagnosis.

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

use netproof_conformance::verdict::VerdictKind;
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::RefusalManner,
    matrix::Matrix,
    reference::ObjectRef,
    report::{FlowReport, grids},
};

use netproof_crds::{ConditionStatus, ConditionType, ExistingConnections, Reason};

use crate::{
    diagnosing::Diagnosed,
    report::{Detail, Report},
    status::StatusView,
};

/// The newest report of each test.
#[derive(Default)]
pub struct Reports(RwLock<BTreeMap<ObjectRef, Arc<StatusView>>>);

impl Reports {
    /// Replaces the report of a test.
    pub fn put(&self, test: ObjectRef, view: Arc<StatusView>) {
        self.0.write().expect("no holder of this lock can panic").insert(test, view);
    }

    /// Drops the report of a test that is gone.
    pub fn forget(&self, test: &ObjectRef) {
        self.0.write().expect("no holder of this lock can panic").remove(test);
    }

    /// The newest report of a test; none if there was none yet.
    pub fn get(&self, test: &ObjectRef) -> Option<Arc<StatusView>> {
        self.0.read().expect("no holder of this lock can panic").get(test).cloned()
    }
}

/// The report of a test as text: the matrix, a sentence for each finding, the Conformant condition,
/// the coverage of the policies, and the diagnosis.
pub fn matrix_text(view: &StatusView) -> String {
    report_text(&view.report, &verdict_line(view), view.diagnosed(), view.remark())
}

/// The text of a report for which all evidence is in, as [`matrix_text`] has it.
pub fn conclusive_text(report: &Report) -> String {
    let (status, reason, message) = report.conformance();
    let verdict = line(status, reason, &message);
    report_text(report, &verdict, report.claimed(true), report.remark())
}

fn report_text(
    report: &Report,
    verdict: &str,
    diagnosed: Option<&Diagnosed>,
    remark: Option<RefusalManner>,
) -> String {
    let lines: Matrix<_> = report.details.map(|_, detail| detail.line.clone());
    let mut text = grids(&lines);
    for kind in [VerdictKind::Leak, VerdictKind::Blocked, VerdictKind::Inconclusive] {
        let of_kind = |(_, detail): &(&_, &Detail)| detail.line.verdict.kind() == kind;
        for (_, detail) in report.details.iter().filter(of_kind) {
            text.push('\n');
            text.push_str(&detail.sentence);
        }
    }
    for finding in &report.start_ups {
        text.push('\n');
        text.push_str(&finding.message);
    }
    text.push_str("\n\n");
    text.push_str(verdict);
    if let Some(coverage) = &report.coverage {
        text.push_str(&coverage_text(coverage));
    }
    if let Some(existing) = report.existing {
        text.push_str(existing_line(existing));
    }
    text + &diagnosis_text(diagnosed, remark)
}

/// The diagnosis, the observations that rule every known fault out, and the remark on the manner of
/// denials.
fn diagnosis_text(diagnosed: Option<&Diagnosed>, remark: Option<RefusalManner>) -> String {
    let mut lines = Vec::new();
    if let Some(diagnosed) = diagnosed {
        lines.push(format!("Diagnosis: {diagnosed}\n"));
        let by = diagnosed.ruled_out_by.iter();
        lines.extend(by.map(|sentence| format!("  ruled out by: {sentence}\n")));
    }
    lines.extend(remark.map(|manner| format!("Remark: {manner}; both is allowed.\n")));
    lines.concat()
}

/// How many rules are exercised, and a line for each gap.
fn coverage_text(coverage: &Coverage) -> String {
    let Coverage { rules, exercised, half_exercised, gaps } = coverage;
    let half = match half_exercised {
        0 => String::new(),
        half => format!(" ({half} more from one side only)"),
    };
    let mut lines = vec![format!("rules exercised: {exercised} of {rules}{half}")];
    lines.extend(gaps.iter().map(|gap| format!("  {gap}")));
    lines.join("\n") + "\n"
}

fn existing_line(existing: ExistingConnections) -> &'static str {
    match existing {
        ExistingConnections::Survive => {
            "Existing connections survive a new deny (the API leaves it open)\n"
        }
        ExistingConnections::Cut => {
            "Existing connections are cut by a new deny (the API leaves it open)\n"
        }
        ExistingConnections::Mixed => {
            "Some existing connections survive a new deny, some are cut (the API leaves it open)\n"
        }
    }
}

/// The Conformant condition on one line.
pub fn verdict_line(view: &StatusView) -> String {
    let conditions = view.conditions();
    let found = conditions.iter().find(|(type_, ..)| *type_ == ConditionType::Conformant);
    match found {
        Some((_, status, reason, message)) => line(*status, *reason, message),
        None => String::new(),
    }
}

fn line(status: ConditionStatus, reason: Reason, message: &str) -> String {
    format!("Conformant={status} ({reason}): {message}\n")
}

/// One line for each flow, in the form of [`FlowReport`].
pub fn flow_lines(view: &StatusView) -> String {
    let flows = view.report.details.iter().map(|(cell, detail)| {
        let Detail { line, places, sentence, .. } = detail;
        format!("{}\n", FlowReport::new(cell, line, places, None, sentence))
    });
    flows.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use netproof_conformance::{
        coverage::{Gap, GapReason, What},
        diagnosis::{Diagnosis, RefusalManner, Unexplained},
    };

    use super::*;
    use crate::{
        diagnosing::{Basis, Diagnosed},
        status::testing::{view, with},
    };

    #[test]
    fn a_report_ends_with_the_diagnosis() {
        let nothing = Unexplained { best: None, findings: 2, ruled_out_by: vec![], capped: false };
        let diagnosed = Diagnosed {
            diagnosis: Diagnosis::Unexplained(nothing),
            basis: Basis { judged: 3, of: 4, beside: 0 },
            ruled_out_by: vec!["web to db port 80/TCP is denied and connects".into()],
        };
        let diagnosis = Some(Arc::new(diagnosed));
        let view = with(view(vec![]), |report| {
            (report.diagnosis, report.manner) = (diagnosis, Some(RefusalManner::Reset));
        });
        let wanted = "
Diagnosis: behaves like no fault that is known; nothing explains any of 2 findings; \
rests on 3 of 4 flows
  ruled out by: web to db port 80/TCP is denied and connects
Remark: denied TCP is refused, rather than left without an answer; both is allowed.
";
        let text = matrix_text(&view);
        assert!(text.ends_with(wanted), "{text}");
        let silent = with(view, |report| {
            (report.diagnosis, report.manner) = (None, Some(RefusalManner::Silence));
        });
        assert!(!matrix_text(&silent).contains("Diagnosis"));
        assert!(!matrix_text(&silent).contains("Remark"));
    }

    #[test]
    fn coverage_is_a_line_and_one_for_each_gap() {
        let gap = Gap { what: What::Required(2), why: GapReason::BudgetEnded };
        let coverage = Coverage { rules: 12, exercised: 9, half_exercised: 2, gaps: vec![gap] };
        assert_eq!(
            coverage_text(&coverage),
            "rules exercised: 9 of 12 (2 more from one side only)
  2 flows that checks ask for are left out: the budget of flows ended first; raise maxFlows
"
        );
        let all = Coverage { rules: 1, exercised: 1, ..Coverage::default() };
        assert_eq!(coverage_text(&all), "rules exercised: 1 of 1\n");
    }

    #[test]
    fn what_became_of_existing_connections_is_a_line_of_its_own() {
        for (existing, words) in [
            (ExistingConnections::Survive, "Existing connections survive a new deny"),
            (ExistingConnections::Cut, "Existing connections are cut by a new deny"),
            (ExistingConnections::Mixed, "Some existing connections survive a new deny, some are"),
        ] {
            let line = existing_line(existing);
            assert!(
                line.starts_with(words) && line.ends_with("(the API leaves it open)\n"),
                "{line}"
            );
        }
    }
}
