//! The command `netproof predict`.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
    time::Instant,
};

use netproof_conformance::{compiled::Counts, flow::PodId};

use super::{
    exit_status::ExitStatus,
    flows::{self, AnswerDetail},
    loaded::Loaded,
    pairs::{PairQuery, pods},
    progress::ProgressLine,
    render,
    summary::Summary,
};
use crate::args::{PredictArgs, offline::PredictFormat};
use netproof_manifests::notes::Notes;

/// Answers the flows that the arguments ask about, and writes the answers to standard output.
pub fn run(args: &PredictArgs) -> anyhow::Result<ExitStatus> {
    match &args.flows {
        Some(file) => answer_flows(file, args),
        None => answer_pairs(args),
    }
}

fn answer_flows(file: &Path, args: &PredictArgs) -> anyhow::Result<ExitStatus> {
    let stdin = Path::new("-");
    if file == stdin && args.input.files.iter().any(|path| path == stdin) {
        anyhow::bail!("standard input cannot be both the objects (-f -) and the flows (--flows -)");
    }
    if !matches!(args.output, None | Some(PredictFormat::Jsonl)) {
        anyhow::bail!("answers to --flows are lines of JSON: leave -o out, or give -o jsonl");
    }
    let loaded = Loaded::load(&args.input)?;
    let start = Instant::now();
    let detail = match (args.summary, args.explain) {
        (true, _) => AnswerDetail::Count,
        (false, true) => AnswerDetail::Explain,
        (false, false) => AnswerDetail::Answer,
    };
    let answered = flows::answer(file, detail, &loaded, Notes::unless(args.input.quiet))?;
    if args.summary {
        Summary::new(&loaded, answered.counts, start.elapsed()).write(&mut io::stdout().lock())?;
    }
    io::stdout().flush()?;
    Ok(if answered.errors == 0 { ExitStatus::Fine } else { ExitStatus::CannotTell })
}

fn answer_pairs(args: &PredictArgs) -> anyhow::Result<ExitStatus> {
    let format = args.output.unwrap_or(PredictFormat::Table);
    if args.explain && !matches!(format, PredictFormat::Json | PredictFormat::Jsonl) {
        anyhow::bail!("--explain adds to each flow: give -o jsonl or -o json with it");
    }
    let loaded = Loaded::load(&args.input)?;
    let question = PairQuery::new(args, &loaded)?;
    let start = Instant::now();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    if args.summary {
        let counts = count(&question, &loaded);
        Summary::new(&loaded, counts, start.elapsed()).write(&mut out)?;
    } else {
        render::show(format, args.explain, &question, &loaded, &mut out)?;
    }
    out.flush()?;
    if question.is_single {
        let answers = question.flows().map(|flow| loaded.compiled.answer(&flow));
        return Ok(answers.map(ExitStatus::of).max().unwrap_or(ExitStatus::CannotTell));
    }
    Ok(ExitStatus::Fine)
}

/// How many flows of a query have which answer.
pub fn count(question: &PairQuery, loaded: &Loaded) -> Counts {
    let ports = question.receivers.len() as u64;
    let progress = ProgressLine::towards("Predicting", ports);
    let mut counts = Counts::default();
    if !question.is_of_all {
        for flow in question.flows() {
            counts.add(loaded.compiled.answer(&flow), 1);
        }
        return counts;
    }
    for ((port, receivers), done) in question.receivers.iter().zip(1..) {
        let receivers: Vec<PodId> = pods(receivers).collect();
        counts += loaded.compiled.pairs(*port, &receivers).counts();
        progress.at(done);
    }
    counts
}
