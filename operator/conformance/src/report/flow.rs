//! The form of one flow in every report for programs.

use std::fmt;

use serde::Serialize;

use super::{Line, Place, references};
use crate::{
    flow::{Family, Protocol},
    matrix::{Actor, Cell},
};

/// One flow, as every report for programs tells it: the lab's matrix and findings, and the lines of
/// the operator. What is not known is `null`; words are stable.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     evaluate::expect,
///     matrix::{Actor, Cell},
///     report::{FlowReport, Line, Place},
///     verdict::{Outcome, Verdict},
/// };
///
/// let flow = flow("web", "db");
/// let line = Line {
///     expected: expect(&shop(), &flow),
///     outcome: Some(Outcome::Connected),
///     verdict: Verdict::Conforms,
/// };
/// let cell = Cell { from: Actor::sole("web"), to: Actor::sole("db"), port: flow.port };
/// let places = ["shop/web", "shop/db"].map(|at| Place { at: at.to_owned(), node: None });
/// let report = FlowReport::new(&cell, &line, &places, None, "as it should be");
/// assert_eq!(report.to_string(), "web db 5432/TCP Allow conforms");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FlowReport {
    /// The end that sends.
    pub from: EndReport,
    /// The end that receives.
    pub to: EndReport,
    /// The number of the receiver's port.
    pub port: u16,
    /// The protocol of the receiver's port.
    pub protocol: Protocol,
    /// The family of addresses, where flows are told apart by it.
    pub family: Option<Family>,
    /// What the policies say: `Allow`, `Deny` or `Unspecified`.
    pub expected: &'static str,
    /// What decides, as short [`references`].
    pub by: Vec<String>,
    /// What was seen last, in words; none if nothing was.
    pub outcome: Option<String>,
    /// What all attempts together say: the word of a [`VerdictKind`](crate::verdict::VerdictKind).
    pub verdict: &'static str,
    /// The finding, or what conforms, as a sentence for people.
    pub message: String,
}

/// One end of a flow in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndReport {
    /// The endpoint of the test, with its node where it is on several.
    pub endpoint: String,
    /// `namespace/pod`, or an address outside.
    pub at: String,
    /// The node of the pod.
    pub node: Option<String>,
}

impl FlowReport {
    /// Tells what is known of a flow, with a sentence for people.
    pub fn new(
        cell: &Cell,
        line: &Line,
        [from, to]: &[Place; 2],
        family: Option<Family>,
        message: &str,
    ) -> Self {
        Self {
            from: EndReport::new(&cell.from, from),
            to: EndReport::new(&cell.to, to),
            port: cell.port.number,
            protocol: cell.port.protocol,
            family,
            expected: line.expected.word(),
            by: references(&line.expected),
            outcome: line.outcome.as_ref().map(ToString::to_string),
            verdict: line.verdict.kind().word(),
            message: message.to_owned(),
        }
    }

    /// The same flow under a word of its own for what was measured otherwise than by its verdict.
    #[must_use]
    pub fn called(self, verdict: &'static str) -> Self {
        Self { verdict, ..self }
    }
}

impl EndReport {
    fn new(actor: &Actor, place: &Place) -> Self {
        let Place { at, node } = place.clone();
        Self { endpoint: actor.to_string(), at, node }
    }
}

/// `from to port/protocol expected verdict`, for scripts.
impl fmt::Display for FlowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, port, protocol, expected, verdict, .. } = self;
        let (from, to) = (&from.endpoint, &to.endpoint);
        write!(f, "{from} {to} {port}/{protocol} {expected} {verdict}")
    }
}
