//! Reads the law, so that cases can be held against it.

use crate::error::Error;

const LAW: &str = include_str!("../LAW.md");

/// The text before the number in a line of the law.
const BULLET: &str = "- **";

/// A line of the law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LawLine {
    /// The number by which cases cite it.
    pub number: u32,
    /// The section that it is in.
    pub about: About,
}

/// What a line of the law is about: the section that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What policies say of a flow. Some case has to show it.
    Policies,
    /// What is observed of a flow, which no case can show.
    Observation,
}

impl About {
    fn of_section(heading: &str) -> Option<Self> {
        match heading {
            "## What policies say" => Some(Self::Policies),
            "## What is observed" => Some(Self::Observation),
            _ => None,
        }
    }
}

/// All lines of the law, sorted by number; an error if a line has none.
pub fn law() -> Result<Vec<LawLine>, Error> {
    lines(LAW)
}

fn lines(text: &str) -> Result<Vec<LawLine>, Error> {
    let (mut lines, mut section) = (vec![], None);
    for written in text.lines() {
        if written.starts_with('#') {
            section = About::of_section(written);
        }
        if let (Some(about), true) = (section, written.starts_with('-')) {
            lines.push(LawLine { number: number(written)?, about });
        }
    }
    lines.sort_by_key(|line| line.number);
    Ok(lines)
}

/// The number of a line such as `- **7** Nothing is allowed ...`.
fn number(written: &str) -> Result<u32, Error> {
    written
        .strip_prefix(BULLET)
        .and_then(|rest| rest.split_once("** "))
        .and_then(|(number, _)| number.parse().ok())
        .ok_or_else(|| Error::Law(written.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::files;

    #[test]
    fn lines_are_numbered_without_gaps() {
        let numbers: Vec<u32> = law().unwrap().iter().map(|line| line.number).collect();
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<u32>>());
        assert!(numbers.len() >= 57, "a line is gone");
    }

    #[test]
    fn cases_cite_lines_that_there_are() {
        let lines: BTreeSet<u32> = law().unwrap().iter().map(|line| line.number).collect();
        for file in files().unwrap() {
            for case in file.cases {
                let unknown: Vec<_> =
                    case.law.iter().filter(|line| !lines.contains(line)).collect();
                assert!(unknown.is_empty(), "{}: {}: {unknown:?}", file.name, case.claim);
            }
        }
    }

    #[test]
    fn a_line_is_about_the_section_that_it_stands_in() {
        let before = "- of none\n## What policies say\n- **2** b\n  - c\n";
        let after = "## What is observed\n- **1** a\n## Else\n- d";
        let expected = [(1, About::Observation), (2, About::Policies)];
        let text = [before, after].concat();
        assert_eq!(
            lines(&text).unwrap(),
            expected.map(|(number, about)| LawLine { number, about })
        );
    }

    #[test]
    fn a_line_without_a_number_is_refused() {
        assert!(lines("## What policies say\n- **one** a").is_err());
    }
}
