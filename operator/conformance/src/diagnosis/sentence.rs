//! Tells a diagnosis as a sentence for people.

use std::fmt;

use super::{Candidate, Diagnosis, Explained, Unexplained};

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEvidence => f.write_str("nothing was seen yet"),
            Self::Conforms { observations } => {
                write!(f, "behaves as the policies say in {}", flows(*observations))
            }
            Self::Explained(explained) => explained.fmt(f),
            Self::OfTime(fault) => fault.fmt(f),
            Self::Unexplained(unexplained) => unexplained.fmt(f),
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "behaves as a network that {}", self.chosen)?;
        let alternatives: Vec<&Candidate> = self.alternatives().collect();
        // Naming one more takes no more words than counting it.
        let few = alternatives.len() <= ALTERNATIVES + 1;
        let (named, others) =
            alternatives.split_at(if few { alternatives.len() } else { ALTERNATIVES });
        for other in named {
            write!(f, ", or that {other}")?;
        }
        if !others.is_empty() {
            write!(f, ", or one of {} others", others.len())?;
        }
        if !named.is_empty() {
            f.write_str(" (no flow here would tell)")?;
        }
        write!(f, "; explains {} of {} findings", self.explains, self.findings)?;
        if let [rival, others @ ..] = self.rivals.as_slice() {
            let (flows, would) = (flows(self.next_probes_count), verb(self.next_probes_count));
            write!(f, "; {flows} that {would} not probed would tell it from one that {rival}")?;
            match others.len() {
                0 => {}
                1 => f.write_str(", or from another")?,
                more => write!(f, ", or from {more} others")?,
            }
        }
        if self.capped {
            f.write_str("; not all combinations were tried")?;
        }
        Ok(())
    }
}

/// How many alternatives a sentence names.
const ALTERNATIVES: usize = 2;

impl Explained {
    /// Other candidates that are as simple as the chosen one and the same here. The same fault in
    /// another place, or a fault that takes more words, is no alternative worth naming.
    fn alternatives(&self) -> impl Iterator<Item = &Candidate> {
        let simplicity = self.chosen.simplicity();
        let as_simple = self.equivalents.iter().filter(move |one| one.simplicity() == simplicity);
        as_simple.filter(|one| one.name() != self.chosen.name() || one.faults.len() > 1)
    }
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("behaves like no fault that is known")?;
        if let Some(nearest) = &self.best {
            write!(
                f,
                "; the nearest, a network that {}, explains {} of {} findings and is ruled out by \
                 {}",
                nearest.candidate,
                nearest.explains,
                self.findings,
                flows(nearest.contradicted_by.len())
            )?;
        } else {
            write!(f, "; nothing explains any of {} findings", self.findings)?;
        }
        if self.capped {
            f.write_str("; not all combinations were tried")?;
        }
        Ok(())
    }
}

fn flows(count: usize) -> String {
    if count == 1 { "1 flow".to_owned() } else { format!("{count} flows") }
}

fn verb(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}
