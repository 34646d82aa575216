//! `netproof lint`

use super::outcome::Outcome;

pub fn run(_: &crate::args::LintArgs) -> anyhow::Result<Outcome> {
    todo!()
}
