//! The forms in which `predict` shows answers.

pub mod dot;
pub mod html;
pub mod json;
pub mod table;

use std::io::Write;

use crate::{args::offline::PredictFormat, groups::Groups, loaded::Loaded, pairs::PairQuery};

/// Writes all answers to a question in a format.
pub fn show(
    format: PredictFormat,
    explain: bool,
    question: &PairQuery,
    loaded: &Loaded,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        PredictFormat::Table => table::write(&Groups::new(question, loaded), loaded, out)?,
        PredictFormat::Dot => dot::write(&Groups::new(question, loaded), loaded, out)?,
        PredictFormat::Html => html::write(&Groups::new(question, loaded), loaded, out)?,
        PredictFormat::Jsonl => json::lines(question, loaded, explain, out)?,
        PredictFormat::Json => json::array(question, loaded, explain, out)?,
        PredictFormat::Csv => json::csv(question, loaded, out)?,
    }
    Ok(())
}
