//! Reads a matrix that is drawn as text into the flows that it asks for.

use std::fmt;

use netproof_conformance::{
    flow::{End, Family, Flow, PodId, Port},
    snapshot::Snapshot,
};

use crate::case::port_of;

/// One cell of a drawn matrix that asks for something.
pub struct Cell {
    pub from: String,
    pub to: String,
    pub port: Port,
    pub flow: Flow,
    pub expected: Mark,
}

/// What a cell expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Allow,
    Deny,
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

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} {}", self.from, self.to, self.port)
    }
}

/// All cells of a matrix, once for each port that its heading names.
pub fn cells(heading: &str, drawing: &str, snapshot: &Snapshot) -> Result<Vec<Cell>, String> {
    let (ports, family) = heading_of(heading)?;
    let mut lines = drawing.lines().filter(|line| !line.trim().is_empty());
    let columns = columns(lines.next().unwrap_or_default())?;
    let mut cells = vec![];
    for line in lines {
        let mut words = line.split_whitespace();
        let from = words.next().expect("lines without words are filtered out");
        let marks: Vec<&str> = words.collect();
        if marks.len() != columns.len() {
            return Err(format!("row {from} has {} cells of {}", marks.len(), columns.len()));
        }
        for (&to, mark) in columns.iter().zip(marks) {
            let Some(expected) = mark_of(mark)? else { continue };
            let (sender, receiver) = (end_of(from, snapshot)?, end_of(to, snapshot)?);
            cells.extend(ports.iter().map(|&port| Cell {
                from: from.to_owned(),
                to: to.to_owned(),
                port,
                flow: Flow { from: sender, to: receiver, port, family },
                expected,
            }));
        }
    }
    Ok(cells)
}

fn columns(line: &str) -> Result<Vec<&str>, String> {
    let mut words = line.split_whitespace();
    match words.next() {
        Some(">") => Ok(words.collect()),
        _ => Err("a matrix begins with > and its receivers".to_owned()),
    }
}

fn heading_of(heading: &str) -> Result<(Vec<Port>, Option<Family>), String> {
    let (mut ports, mut family) = (vec![], None);
    for word in heading.split_whitespace() {
        match word {
            "IPv4" => family = Some(Family::IPv4),
            "IPv6" => family = Some(Family::IPv6),
            port => ports.push(port_of(port)?),
        }
    }
    if ports.is_empty() { Err(format!("{heading} names no port")) } else { Ok((ports, family)) }
}

fn mark_of(text: &str) -> Result<Option<Mark>, String> {
    match text {
        "." => Ok(Some(Mark::Allow)),
        "X" => Ok(Some(Mark::Deny)),
        "?" => Ok(Some(Mark::Unspecified)),
        "-" => Ok(None),
        other => Err(format!("{other} is no cell")),
    }
}

fn end_of(name: &str, snapshot: &Snapshot) -> Result<End, String> {
    if let Ok(address) = name.parse() {
        return Ok(End::Address(address));
    }
    let numbered = (0u32..).zip(&snapshot.pods);
    let named = numbered.filter(|(_, pod)| pod.name.name == name || pod.name.to_string() == name);
    match named.map(|(index, _)| PodId(index)).collect::<Vec<_>>()[..] {
        [id] => Ok(End::Pod(id)),
        [] => Err(format!("the cluster has no pod {name}")),
        _ => Err(format!("{name} is more than one pod")),
    }
}
