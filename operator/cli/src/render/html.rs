//! A page for browsers that needs no other file.

use std::io::{self, Write};

use crate::{
    groups::{Group, GroupAnswer, GroupCell, Groups},
    loaded::Loaded,
};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>netproof: what the policies say</title>
<style>
:root { color-scheme: light dark; }
:root { --line: #8884; --allow: #2a7d4f; --deny: #b3261e; --open: #8a6d00; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; }
th, td { text-align: left; font-weight: normal; }
thead th { position: sticky; top: 0; background: Canvas; vertical-align: bottom; }
tbody th { position: sticky; left: 0; background: Canvas; }
td { text-align: center; font-weight: bold; }
td.allow { color: var(--allow); } td.deny { color: var(--deny); }
td.open, td.mixed { color: var(--open); }
details { font-size: .9em; } label { margin-right: 1rem; }
input[type=search] { font: inherit; padding: .2rem .4rem; }
.scroll { overflow: auto; max-height: 85vh; }
</style>
</head>
<body>
<h1>What the policies say</h1>
"#;

const TAIL: &str = r#"<script>
const table = document.querySelector("table");
const filter = (id, cells, hide) => document.getElementById(id).addEventListener("input", event => {
  const words = event.target.value.toLowerCase();
  cells().forEach((cell, index) => hide(index, !cell.textContent.toLowerCase().includes(words)));
});
filter("from", () => [...table.tBodies[0].rows].map(row => row.cells[0]),
  (index, hidden) => { table.tBodies[0].rows[index].hidden = hidden; });
filter("to", () => [...table.tHead.rows[0].cells].slice(1),
  (index, hidden) => { for (const row of table.rows) row.cells[index + 1].hidden = hidden; });
</script>
</body>
</html>
"#;

/// Writes the page, with everything escaped that comes from objects.
pub fn write(groups: &Groups, loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    let counts = groups.counts;
    out.write_all(HEAD.as_bytes())?;
    writeln!(
        out,
        "<p>{} pods, {} policies; {} flows: {} allowed, {} denied, {} left open by the API. Rows send, columns receive; what behaves alike is one of them.</p>",
        loaded.snapshot().pods.len(),
        loaded.snapshot().policies.len() + loaded.snapshot().cluster_policies.len(),
        counts.total(),
        counts.allow,
        counts.deny,
        counts.unspecified
    )?;
    out.write_all(
        b"<p><label>From <input type=\"search\" id=\"from\"></label> <label>To <input type=\"search\" id=\"to\"></label></p>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">from \\ to</th>",
    )?;
    for (group, port) in &groups.receivers {
        write!(out, "<th scope=\"col\">{port}<br>")?;
        name(group, loaded, out)?;
        out.write_all(b"</th>")?;
    }
    out.write_all(b"</tr></thead>\n<tbody>\n")?;
    for (row, sender) in groups.senders.iter().enumerate() {
        out.write_all(b"<tr><th scope=\"row\">")?;
        name(sender, loaded, out)?;
        out.write_all(b"</th>")?;
        for (column, (receiver, port)) in groups.receivers.iter().enumerate() {
            let cell = groups.cell(row, column);
            let class = match cell {
                GroupCell::All(GroupAnswer::Allow) => "allow",
                GroupCell::All(GroupAnswer::Deny) => "deny",
                GroupCell::All(GroupAnswer::Unspecified) => "open",
                GroupCell::Mixed => "mixed",
                GroupCell::Empty => "empty",
            };
            let counts = groups.cells[row][column];
            write!(
                out,
                "<td class=\"{class}\" title=\"{} to {} on {port}: {} allowed, {} denied, {} left open\">{}</td>",
                escaped(&sender.name),
                escaped(&receiver.name),
                counts.allow,
                counts.deny,
                counts.unspecified,
                cell.word()
            )?;
        }
        out.write_all(b"</tr>\n")?;
    }
    out.write_all(b"</tbody>\n</table></div>\n")?;
    out.write_all(TAIL.as_bytes())
}

fn name(group: &Group, loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    if group.members.len() == 1 {
        return out.write_all(escaped(&group.name).as_bytes());
    }
    write!(out, "<details><summary>{}</summary>", escaped(&group.name))?;
    for member in &group.members {
        write!(out, "{}<br>", escaped(&loaded.name(*member)))?;
    }
    out.write_all(b"</details>")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}
