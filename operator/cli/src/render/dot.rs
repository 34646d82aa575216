//! A graph for Graphviz: which ends may reach which.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use crate::{
    groups::{GroupAnswer, GroupCell, Groups},
    loaded::Loaded,
};

/// Writes the graph: an edge for allowed flows, labelled with the ports; dashed if the API leaves
/// the flows open or they have different answers.
pub fn write(groups: &Groups, _: &Loaded, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "digraph netproof {{\n  rankdir=LR;\n  node [shape=box];")?;
    let mut edges: BTreeMap<(&str, &str, bool), Vec<String>> = BTreeMap::new();
    for (from, sender) in groups.senders.iter().enumerate() {
        for (to, (receiver, port)) in groups.receivers.iter().enumerate() {
            let is_certain = match groups.cell(from, to) {
                GroupCell::All(GroupAnswer::Allow) => true,
                GroupCell::All(GroupAnswer::Unspecified) | GroupCell::Mixed => false,
                GroupCell::All(GroupAnswer::Deny) | GroupCell::Empty => continue,
            };
            let ends = (sender.name.as_str(), receiver.name.as_str(), is_certain);
            edges.entry(ends).or_default().push(port.to_string());
        }
    }
    for ((from, to, is_certain), ports) in edges {
        let style = if is_certain { "" } else { ", style=dashed" };
        writeln!(
            out,
            "  {} -> {} [label={}{style}];",
            quoted(from),
            quoted(to),
            quoted(&ports.join(", "))
        )?;
    }
    writeln!(out, "}}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
