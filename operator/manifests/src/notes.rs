//! Tells notes and errors about an input, and decides whether it is good enough to answer from.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, Write},
};

use netproof_conformance::manifest::{self, Cluster};
use thiserror::Error;

use super::input::Input;

/// An input that is not good enough to answer from, and how many parts of it are wrong: half of the
/// objects would give other answers than all of them.
#[derive(Debug, Error)]
#[error("nothing is answered from a part of the input: {0} of it cannot be taken as they are")]
pub struct BadInput(usize);

/// Writes a line to standard error. An error is ignored: then there is no reader.
pub fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether notes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// Notes go to standard error, a line each.
    Told,
    /// Notes are dropped; errors are told all the same.
    Hidden,
}

impl Notes {
    /// The choice that the flag `--quiet` makes.
    pub fn unless(quiet: bool) -> Self {
        if quiet { Self::Hidden } else { Self::Told }
    }

    /// Tells a note, unless notes are hidden.
    pub fn tell(self, note: impl Display) {
        match self {
            Self::Told => tell(format_args!("note: {note}")),
            Self::Hidden => {}
        }
    }
}

/// Tells the errors and notes of an input, and returns its objects; [`BadInput`] if there is any
/// error.
pub fn accept(input: Input, notes: Notes) -> anyhow::Result<Cluster> {
    let Input { cluster, unreadable, notes: of_input } = input;
    for error in &unreadable {
        tell(format_args!("error: {error}"));
    }
    for rejection in &cluster.rejected {
        tell(format_args!("error: {rejection}"));
    }
    for note in of_input {
        notes.tell(note);
    }
    tell_assumptions(&cluster, notes);
    match unreadable.len() + cluster.rejected.len() {
        0 => Ok(cluster),
        bad => Err(BadInput(bad).into()),
    }
}

fn tell_assumptions(cluster: &Cluster, notes: Notes) {
    if !cluster.assumed_namespaces.is_empty() {
        let names = cluster.assumed_namespaces.join(", ");
        notes.tell(format_args!(
            "not among the objects, and taken to have no label but kubernetes.io/metadata.name: namespace {names}"
        ));
    }
    let long_gone = cluster.skipped.keys().filter(|kind| manifest::was_once_read(kind));
    for kind in long_gone {
        notes.tell(format_args!(
            "{kind} is served by no API server any more and is not read, so that its pods are in no answer: write apps/v1"
        ));
    }
    if !cluster.skipped.is_empty() {
        notes.tell(format_args!("decide nothing and were skipped: {}", counted(&cluster.skipped)));
    }
    if !cluster.ignored_policies.is_empty() {
        notes.tell(format_args!(
            "policies that are not evaluated, and that may decide otherwise where the network knows them: {}",
            counted(&cluster.ignored_policies)
        ));
    }
    match cluster.assumed_addresses() {
        0 => {}
        count => notes.tell(format_args!(
            "pods without an address, for which one was assumed that no block of a policy tells from others: {count}"
        )),
    }
}

fn counted(kinds: &BTreeMap<String, usize>) -> String {
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    kinds.join(", ")
}
