//! Reads a matrix that is drawn as text into the flows that it asks for.

use std::fmt;

use netproof_conformance::{
    flow::{End, Family, Flow, PodId, Port},
    snapshot::Snapshot,
};

use crate::{error::CaseProblem, port::port};

/// One cell of a drawn matrix that asks for something, on one port.
#[derive(Clone, Debug)]
pub struct DrawnCell {
    /// The sender, as it is drawn.
    pub from: String,
    /// The receiver, as it is drawn.
    pub to: String,
    /// The flow in the case's snapshot.
    pub flow: Flow,
    /// The answer that the case expects.
    pub expected: Mark,
}

/// The answer that a cell expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The policies admit the flow: `.`.
    Allow,
    /// The policies do not admit the flow: `X`.
    Deny,
    /// The API leaves the flow open: `?`.
    Unspecified,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => ".",
            Self::Deny => "X",
            Self::Unspecified => "?",
        })
    }
}

impl fmt::Display for DrawnCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} {}", self.from, self.to, self.flow.port)
    }
}

/// All cells of a matrix, once for each port that its heading names.
pub(crate) fn cells(
    heading: &str,
    drawing: &str,
    snapshot: &Snapshot,
) -> Result<Vec<DrawnCell>, CaseProblem> {
    let (ports, family) = heading_of(heading)?;
    let mut lines = drawing.lines().filter(|line| !line.trim().is_empty());
    let columns = columns(lines.next().unwrap_or_default())?;
    let mut cells = vec![];
    for line in lines {
        let mut words = line.split_whitespace();
        let from = words.next().expect("lines without words are filtered out");
        let marks: Vec<&str> = words.collect();
        if marks.len() != columns.len() {
            let (sender, found, wanted) = (from.to_owned(), marks.len(), columns.len());
            return Err(CaseProblem::Row { sender, found, wanted });
        }
        for (&to, mark) in columns.iter().zip(marks) {
            let Some(expected) = mark_of(mark)? else { continue };
            let (sender, receiver) = (end_of(from, snapshot)?, end_of(to, snapshot)?);
            cells.extend(ports.iter().map(|&port| DrawnCell {
                from: from.to_owned(),
                to: to.to_owned(),
                flow: Flow { from: sender, to: receiver, port, family },
                expected,
            }));
        }
    }
    Ok(cells)
}

fn columns(line: &str) -> Result<Vec<&str>, CaseProblem> {
    let mut words = line.split_whitespace();
    match words.next() {
        Some(">") => Ok(words.collect()),
        _ => Err(CaseProblem::NoReceivers),
    }
}

fn heading_of(heading: &str) -> Result<(Vec<Port>, Option<Family>), CaseProblem> {
    let (mut ports, mut family) = (vec![], None);
    for word in heading.split_whitespace() {
        match word {
            "IPv4" => family = Some(Family::IPv4),
            "IPv6" => family = Some(Family::IPv6),
            text => ports.push(port(text)?),
        }
    }
    if ports.is_empty() {
        Err(CaseProblem::NoPort(heading.to_owned()))
    } else {
        Ok((ports, family))
    }
}

fn mark_of(text: &str) -> Result<Option<Mark>, CaseProblem> {
    match text {
        "." => Ok(Some(Mark::Allow)),
        "X" => Ok(Some(Mark::Deny)),
        "?" => Ok(Some(Mark::Unspecified)),
        "-" => Ok(None),
        other => Err(CaseProblem::Mark(other.to_owned())),
    }
}

fn end_of(name: &str, snapshot: &Snapshot) -> Result<End, CaseProblem> {
    if let Ok(address) = name.parse() {
        return Ok(End::Address(address));
    }
    let numbered = (0u32..).zip(&snapshot.pods);
    let named = numbered.filter(|(_, pod)| pod.name.name == name || pod.name.to_string() == name);
    match named.map(|(index, _)| PodId(index)).collect::<Vec<_>>()[..] {
        [id] => Ok(End::Pod(id)),
        [] => Err(CaseProblem::UnknownPod(name.to_owned())),
        _ => Err(CaseProblem::AmbiguousPod(name.to_owned())),
    }
}
