//! Writes changes in the forms that users and scripts read.

use std::io::{self, Write};

use netproof_conformance::spans::Span;
use serde_json::{Value, json};

use super::changes::{ChangeGroup, Changes, StrangerFlows};

/// Words for flows with an end that is not among the objects.
const ELSEWHERE: &str = "for those who are not among the objects";

/// Words for a policy that differs and for which no changed flow was found.
const DOUBTFUL: &str = "what it means may have changed for somebody who is not among the objects: \
                        not all who may be concerned could be tried";

/// Writes text, a block for each group.
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
        writeln!(out, "  ports  {}", ports(&group.ports))?;
        writeln!(out, "  by     {}", group.causes.join(", "))?;
    }
    for one in &changes.elsewhere {
        writeln!(out, "\n{} -> {}: {}, {ELSEWHERE}", one.old, one.new, one.effect())?;
        writeln!(out, "  from   {}", some(&one.from))?;
        writeln!(out, "  to     {}", some(&one.to))?;
        writeln!(out, "  ports  {}", one.ports.join(", "))?;
        writeln!(out, "  by     {}", one.causes.join(", "))?;
    }
    for cause in &changes.doubtful {
        writeln!(out, "\n{cause}: {DOUBTFUL}")?;
    }
    Ok(())
}

/// Writes Markdown for a comment on a review.
pub fn markdown(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "**netproof diff:** {}\n", escaped(&summary(changes)))?;
    for (what, pods) in [("added", &changes.added), ("removed", &changes.removed)] {
        if !pods.is_empty() {
            writeln!(out, "Pods {what}, and left aside: {}\n", escaped(&some(pods)))?;
        }
    }
    if !changes.groups.is_empty() {
        writeln!(out, "| answer | pairs | from | to | ports | by |\n|---|---|---|---|---|---|")?;
    }
    for group in &changes.groups {
        writeln!(
            out,
            "| {} → {} | {} | {} | {} | {} | {} |",
            group.old,
            group.new,
            group.pairs,
            escaped(&some(&group.from)),
            escaped(&some(&group.to)),
            escaped(&ports(&group.ports)),
            escaped(&group.causes.join(", "))
        )?;
    }
    if !changes.elsewhere.is_empty() {
        let gap = if changes.groups.is_empty() { "" } else { "\n" };
        writeln!(out, "{gap}And {ELSEWHERE}:\n")?;
        writeln!(out, "| answer | effect | from | to | ports | by |\n|---|---|---|---|---|---|")?;
    }
    for one in &changes.elsewhere {
        writeln!(
            out,
            "| {} → {} | {} | {} | {} | {} | {} |",
            one.old,
            one.new,
            one.effect(),
            escaped(&some(&one.from)),
            escaped(&some(&one.to)),
            escaped(&one.ports.join(", ")),
            escaped(&one.causes.join(", "))
        )?;
    }
    for cause in &changes.doubtful {
        writeln!(out, "\n{}: {DOUBTFUL}", escaped(cause))?;
    }
    Ok(())
}

/// Writes one object with everything.
pub fn json(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    let all = json!({
        "added": names(&changes.added),
        "removed": names(&changes.removed),
        "pairs": changes.pairs,
        "changes": changes.groups.iter().map(object).collect::<Vec<_>>(),
        "elsewhere": changes.elsewhere.iter().map(object_elsewhere).collect::<Vec<_>>(),
        "doubtful": changes.doubtful,
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// Writes one object a line: each group, and each change elsewhere.
pub fn lines(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    for group in &changes.groups {
        writeln!(out, "{}", object(group))?;
    }
    for one in &changes.elsewhere {
        writeln!(out, "{}", object_elsewhere(one))?;
    }
    for cause in &changes.doubtful {
        writeln!(out, "{}", json!({"doubtful": true, "by": [cause]}))?;
    }
    Ok(())
}

fn object(group: &ChangeGroup) -> Value {
    json!({
        "from": names(&group.from),
        "to": names(&group.to),
        "ports": names(&group.ports),
        "old": group.old,
        "new": group.new,
        "pairs": group.pairs,
        "by": group.causes,
    })
}

fn object_elsewhere(one: &StrangerFlows) -> Value {
    json!({
        "elsewhere": true,
        "effect": one.effect(),
        "from": one.from,
        "to": one.to,
        "ports": one.ports,
        "old": one.old,
        "new": one.new,
        "by": one.causes,
    })
}

fn names(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn summary(changes: &Changes) -> String {
    let Changes { groups, pairs, elsewhere, doubtful, .. } = changes;
    let elsewhere = match (elsewhere.len(), doubtful.len()) {
        (0, 0) => None,
        (0, _) => Some(format!("what policies mean {ELSEWHERE} may have changed")),
        (count, _) => Some(format!("{count} groups of flows change {ELSEWHERE}")),
    };
    match (groups.len(), elsewhere) {
        (0, None) => {
            let ports = ports(&changes.ports);
            format!("no answer changes on {ports}, of {pairs} pairs of pods")
        }
        (0, Some(elsewhere)) => {
            format!("{elsewhere}; none changes among the {pairs} pairs of pods that are")
        }
        (groups, None) => format!("{groups} groups of flows change, among {pairs} pairs of pods"),
        (groups, Some(elsewhere)) => {
            format!("{groups} groups of flows change, among {pairs} pairs of pods; {elsewhere}")
        }
    }
}

fn ports(spans: &[Span]) -> String {
    names(spans).join(", ")
}

/// The first three names, and how many more there are.
fn some(all: &[impl ToString]) -> String {
    const MOST: usize = 3;
    let names: Vec<String> = all.iter().take(MOST).map(ToString::to_string).collect();
    match all.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('`', "\\`")
}
