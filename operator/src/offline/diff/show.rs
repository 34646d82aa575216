//! Shows what changes.

use std::io::{self, Write};

use netproof_conformance::snapshot::ObjectRef;
use serde_json::{Value, json};

use super::changes::{Changes, Group};

/// Text, a block a group.
pub fn table(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", summary(changes))?;
    for (what, pods) in [("added", &changes.added), ("removed", &changes.removed)] {
        if !pods.is_empty() {
            writeln!(out, "pods {what}, and left aside: {}", some(pods))?;
        }
    }
    for group in &changes.groups {
        writeln!(out, "\n{} -> {}: {} pairs of pods", group.old, group.new, group.pairs)?;
        writeln!(out, "  from   {}", some(&group.from))?;
        writeln!(out, "  to     {}", some(&group.to))?;
        writeln!(out, "  ports  {}", ports(group))?;
        writeln!(out, "  by     {}", group.causes.join(", "))?;
    }
    Ok(())
}

/// For a comment on a review.
pub fn markdown(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "**netproof diff:** {}\n", escaped(&summary(changes)))?;
    for (what, pods) in [("added", &changes.added), ("removed", &changes.removed)] {
        if !pods.is_empty() {
            writeln!(out, "Pods {what}, and left aside: {}\n", escaped(&some(pods)))?;
        }
    }
    if changes.groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "| answer | pairs | from | to | ports | by |\n|---|---|---|---|---|---|")?;
    for group in &changes.groups {
        writeln!(
            out,
            "| {} → {} | {} | {} | {} | {} | {} |",
            group.old,
            group.new,
            group.pairs,
            escaped(&some(&group.from)),
            escaped(&some(&group.to)),
            escaped(&ports(group)),
            escaped(&group.causes.join(", "))
        )?;
    }
    Ok(())
}

/// One object with everything.
pub fn json(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    let all = json!({
        "added": names(&changes.added),
        "removed": names(&changes.removed),
        "pairs": changes.pairs,
        "changes": changes.groups.iter().map(object).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// One object a line: each group.
pub fn lines(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    for group in &changes.groups {
        writeln!(out, "{}", object(group))?;
    }
    Ok(())
}

fn object(group: &Group) -> Value {
    json!({
        "from": names(&group.from),
        "to": names(&group.to),
        "ports": group.ports.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "old": group.old,
        "new": group.new,
        "pairs": group.pairs,
        "by": group.causes,
    })
}

fn names(pods: &[ObjectRef]) -> Vec<String> {
    pods.iter().map(ToString::to_string).collect()
}

fn summary(changes: &Changes) -> String {
    if changes.groups.is_empty() {
        let ports: Vec<String> = changes.ports.iter().map(ToString::to_string).collect();
        let pairs = changes.pairs;
        return format!("no answer changes on {}, of {pairs} pairs of pods", ports.join(", "));
    }
    let groups = changes.groups.len();
    format!("{groups} groups of flows change, among {} pairs of pods", changes.pairs)
}

fn ports(group: &Group) -> String {
    let ports: Vec<String> = group.ports.iter().map(ToString::to_string).collect();
    ports.join(", ")
}

/// The first few of them, and how many more.
fn some(pods: &[ObjectRef]) -> String {
    const MOST: usize = 3;
    let names: Vec<String> = pods.iter().take(MOST).map(ToString::to_string).collect();
    match pods.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('`', "\\`")
}
