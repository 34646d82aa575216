//! `netproof explain`

use super::outcome::Outcome;

pub fn run(_: &crate::args::ExplainArgs) -> anyhow::Result<Outcome> {
    todo!()
}
