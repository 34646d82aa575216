//! `netproof predict`

use std::{
    io::{self, Write as _},
    path::Path,
    time::Instant,
};

use super::{
    flows::{self, Detail},
    outcome::Outcome,
    summary::Summary,
    world::{Notes, World},
};
use crate::args::PredictArgs;

/// Answers what the arguments ask.
pub fn run(args: &PredictArgs) -> anyhow::Result<Outcome> {
    match &args.flows {
        Some(file) => answer_flows(file, args),
        None => todo!(),
    }
}

fn answer_flows(file: &Path, args: &PredictArgs) -> anyhow::Result<Outcome> {
    let stdin = Path::new("-");
    if file == stdin && args.input.files.iter().any(|path| path == stdin) {
        anyhow::bail!("standard input cannot be both the objects (-f -) and the flows (--flows -)");
    }
    let world = World::load(&args.input)?;
    let start = Instant::now();
    let detail = match (args.summary, args.explain) {
        (true, _) => Detail::Count,
        (false, true) => Detail::Explain,
        (false, false) => Detail::Answer,
    };
    let answered = flows::answer(file, detail, &world, Notes::unless(args.input.quiet))?;
    if args.summary {
        Summary::new(&world, answered.counts, start.elapsed()).write(&mut io::stdout().lock())?;
    }
    io::stdout().flush()?;
    Ok(if answered.errors == 0 { Outcome::Fine } else { Outcome::CannotTell })
}
