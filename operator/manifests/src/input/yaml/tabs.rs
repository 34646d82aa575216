//! Tabs at the beginning of a line inside of brackets. The YAML reader of Kubernetes takes them for
//! spaces, as indentation means nothing there; anywhere else it refuses them, and so does the
//! parser.

use std::{borrow::Cow, collections::BTreeSet};

use granit_parser::{Event, StructureStyle};

/// The text with spaces for such tabs, as many bytes in as many lines.
pub(super) fn without(text: &str) -> Cow<'_, str> {
    if !text.lines().any(begins_with_tab) {
        return Cow::Borrowed(text);
    }
    let all = replaced(text, |_| true);
    let inside = inside_of_brackets(&all);
    Cow::Owned(replaced(text, |line| inside.contains(&line)))
}

/// Whether a line begins with white space that has a tab in it.
fn begins_with_tab(line: &str) -> bool {
    line.trim_start_matches(' ').starts_with('\t')
}

/// The text with spaces for the tabs at the beginning of the meant lines, which are counted from 1.
fn replaced(text: &str, is_meant: impl Fn(usize) -> bool) -> String {
    let lines = text.split_inclusive('\n').zip(1..).map(|(line, number)| {
        if !begins_with_tab(line) || !is_meant(number) {
            return Cow::Borrowed(line);
        }
        let rest = line.trim_start_matches([' ', '\t']);
        Cow::Owned(" ".repeat(line.len() - rest.len()) + rest)
    });
    lines.collect()
}

/// The lines that begin inside of brackets, as far as the text is YAML.
fn inside_of_brackets(text: &str) -> BTreeSet<usize> {
    let mut parser = super::parser(text);
    let (mut open, mut inside, mut last) = (Vec::new(), BTreeSet::new(), 0);
    while let Some(Ok((event, span))) = parser.next_event() {
        let line = span.start.line();
        if line > last && open.last() == Some(&StructureStyle::Flow) {
            inside.insert(line);
        }
        last = line.max(last);
        match event {
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => open.push(style),
            Event::SequenceEnd | Event::MappingEnd => drop(open.pop()),
            _ => {}
        }
    }
    inside
}
