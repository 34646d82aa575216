//! Status views, for tests.

use std::collections::BTreeMap;

use netproof_conformance::{
    flow::{Port, Protocol},
    matrix::{Actor, Cell},
};

use super::{Phase, StatusView};
use crate::report::{Detail, Report};

/// A view in which all is well but for the verdicts of these flows.
pub fn view(details: Vec<Detail>) -> StatusView {
    let cell = |number: usize| Cell {
        from: Actor::sole("web"),
        to: Actor::sole("db"),
        port: Port { number: u16::try_from(number).expect("few"), protocol: Protocol::Tcp },
    };
    StatusView {
        generation: 7,
        phase: Phase::Active,
        once: false,
        wanted: 2,
        attached: 2,
        missing: None,
        uncovered: BTreeMap::new(),
        last_round: None,
        stale: None,
        undecided: false,
        report: Report {
            details: details.into_iter().enumerate().map(|(n, d)| (cell(n + 1), d)).collect(),
            ..Report::default()
        },
    }
}

/// The view with this change made to its report.
pub fn with(mut view: StatusView, set: impl FnOnce(&mut Report)) -> StatusView {
    set(&mut view.report);
    view
}
