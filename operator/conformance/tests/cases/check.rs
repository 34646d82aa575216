//! Compares a file's cases with what the predictor says, and reports every difference.

use std::fmt::Display;

use netproof_cases::{
    By, Case, CaseFile, Reasons, Refusal,
    drawing::{DrawnCell, Mark},
};
use netproof_conformance::{
    evaluate::expect,
    expected::{Because, Decision, Expected, Ruling},
    policy::Rejected,
};

/// The differences that were found in a file, and how much was checked.
#[derive(Default)]
pub struct Report {
    pub cells: usize,
    pub failures: Vec<String>,
}

/// Checks every cell and every refusal of every case.
pub fn check(file: &CaseFile) -> Report {
    let mut report = Report::default();
    for case in &file.cases {
        report.cells += case.cells.len();
        let failures = check_case(case).into_iter();
        report.failures.extend(failures.map(|why| format!("{}: {}: {why}", file.name, case.claim)));
    }
    report
}

fn check_case(case: &Case) -> Vec<String> {
    if case.cells.is_empty() && case.refusals.is_empty() {
        return vec!["asks nothing".to_owned()];
    }
    let mut failures = refusals(&case.refusals, &case.refused);
    for cell in &case.cells {
        failures.extend(check_cell(case, cell).map(|why| format!("{cell}: {why}")));
    }
    let mut named: Vec<_> = case.by.keys().collect();
    if let Some(Reasons::Each(reasons)) = &case.reason {
        named.extend(reasons.keys());
    }
    let is_asked = |name: &str| case.cells.iter().any(|cell| cell.to_string() == name);
    let unasked = named.into_iter().filter(|name| !is_asked(name));
    failures.extend(unasked.map(|name| format!("{name} is explained, but not asked")));
    failures
}

fn check_cell(case: &Case, cell: &DrawnCell) -> Option<String> {
    let by = case.by.get(&cell.to_string());
    match (expect(&case.snapshot, &cell.flow), cell.expected) {
        (Expected::Allow(because), Mark::Allow) | (Expected::Deny(because), Mark::Deny) => {
            by.and_then(|by| differs(by, &because))
        }
        (Expected::Unspecified(why), Mark::Unspecified) => {
            reason_differs(case, cell, &format!("{why:?}"))
        }
        (Expected::Allow(because), expected) => {
            Some(format!("expected {expected}, is . ({})", words(&because)))
        }
        (Expected::Deny(because), expected) => {
            Some(format!("expected {expected}, is X ({})", words(&because)))
        }
        (Expected::Unspecified(why), expected) => {
            Some(format!("expected {expected}, is ? ({why:?})"))
        }
    }
}

fn reason_differs(case: &Case, cell: &DrawnCell, reason: &str) -> Option<String> {
    let expected = match &case.reason {
        None => None,
        Some(Reasons::All(reason)) => Some(reason),
        Some(Reasons::Each(reasons)) => reasons.get(&cell.to_string()),
    };
    match expected {
        Some(expected) if expected == reason => None,
        Some(expected) => Some(format!("expected the reason {expected}, is {reason}")),
        None => Some(format!("needs a reason; is {reason}")),
    }
}

fn differs(by: &By, because: &Because) -> Option<String> {
    let is = |expected: &Option<String>, decision| {
        expected.as_ref().is_none_or(|expected| *expected == word(decision))
    };
    let same = is(&by.egress, &because.egress) && is(&by.ingress, &because.ingress);
    (!same).then(|| format!("decided otherwise: {}", words(because)))
}

fn words(Because { egress, ingress }: &Because) -> String {
    format!("egress {}; ingress {}", word(egress), word(ingress))
}

fn word(decision: &Decision) -> String {
    match decision {
        Decision::Exempt => "exempt".to_owned(),
        Decision::NotIsolated => "not isolated".to_owned(),
        Decision::AllowedBy(rules) => format!("allowed by {}", list(rules)),
        Decision::DeniedBy(policies) => format!("denied by {}", list(policies)),
        Decision::Ruled(Ruling::Accept, rule) => format!("accepted by {rule}"),
        Decision::Ruled(Ruling::Deny, rule) => format!("denied by {rule}"),
    }
}

fn list(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn refusals(expected: &[Refusal], rejected: &[Rejected]) -> Vec<String> {
    let meets = |one: &Refusal, rejected: &Rejected| {
        rejected.object.to_string() == one.object
            && rejected.field == one.field
            && rejected.problem.to_string().contains(&one.message)
    };
    let missing = expected
        .iter()
        .filter(|one| !rejected.iter().any(|rejected| meets(one, rejected)))
        .map(|one| format!("{} was not refused for {}: {}", one.object, one.field, one.message));
    let surplus = rejected
        .iter()
        .filter(|rejected| !expected.iter().any(|one| meets(one, rejected)))
        .map(|rejected| format!("refused: {rejected}"));
    missing.chain(surplus).collect()
}
