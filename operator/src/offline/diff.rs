//! `netproof diff`

use super::outcome::Outcome;

pub fn run(_: &crate::args::DiffArgs) -> anyhow::Result<Outcome> {
    todo!()
}
