//! A page of text for a terminal.

use std::io::{self, Write};

use crate::{groups::Groups, loaded::Loaded};

/// The most rows of a page, and the most columns; the largest groups come first.
const ROWS: usize = 40;
const COLUMNS: usize = 26;

/// Writes the matrix, with ends that behave alike as one row or column.
pub fn write(groups: &Groups, loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    let counts = groups.counts;
    let pods = loaded.snapshot().pods.len();
    let policies = loaded.snapshot().policies.len() + loaded.snapshot().cluster_policies.len();
    writeln!(
        out,
        "{pods} pods, {policies} policies; {} flows: {} allowed, {} denied, {} left open by the API",
        counts.total(),
        counts.allow,
        counts.deny,
        counts.unspecified
    )?;
    if groups.receivers.is_empty() {
        return writeln!(out, "No receiver declares a port: give one with --port.");
    }
    let columns = groups.receivers.len().min(COLUMNS);
    let rows = groups.senders.len().min(ROWS);
    let width = groups.senders[..rows].iter().map(|group| group.name.chars().count()).max();
    let width = width.unwrap_or_default().max("from".len());
    let cell = columns.to_string().len();
    write!(out, "\n{:width$} ", "from")?;
    for column in 1..=columns {
        write!(out, " {column:>cell$}")?;
    }
    writeln!(out)?;
    for (row, group) in groups.senders[..rows].iter().enumerate() {
        write!(out, "{:width$} ", group.name)?;
        for column in 0..columns {
            write!(out, " {:>cell$}", groups.cell(row, column).mark())?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    for (number, (group, port)) in (1..).zip(&groups.receivers[..columns]) {
        writeln!(out, "{number:>cell$}  {} {port}", group.name)?;
    }
    let (more_rows, more_columns) = (groups.senders.len() - rows, groups.receivers.len() - columns);
    if more_rows > 0 || more_columns > 0 {
        writeln!(
            out,
            "\n{more_rows} more groups of senders and {more_columns} of receivers: -o html shows all groups, -o jsonl all flows"
        )?;
    }
    writeln!(out, "\n. allowed, X denied, ? left open by the API, ~ not the same for all of these")
}
