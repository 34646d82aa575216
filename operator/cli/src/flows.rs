//! Answers a file of flows, line by line, in memory that does not grow with the file.

mod line;
mod lines;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    net::IpAddr,
    path::Path,
};

use anyhow::Context as _;
use netproof_conformance::{
    compiled::{Answer, Counts},
    flow::{End, Flow, PodId},
};

use super::{decided_by::DecidedBy, loaded::Loaded, progress::ProgressLine, render::json};
use line::{Line, Wrong};
use lines::{InputLines, Next};
use netproof_manifests::notes::Notes;

/// What is written for each answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerDetail {
    /// Nothing: answers are counted.
    Count,
    /// The flow and its answer.
    Answer,
    /// The flow, its answer, and what decides it.
    Explain,
}

/// What came of a file of flows.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowsTally {
    /// How many flows got which answer.
    pub counts: Counts,
    /// How many lines could not be answered.
    pub errors: u64,
}

/// Answers all flows of a file, or of standard input if it is called `-`, on standard output and in
/// their order. A line that cannot be answered is an error on standard error, with its number; the
/// others are answered.
pub fn answer(
    file: &Path,
    detail: AnswerDetail,
    loaded: &Loaded,
    notes: Notes,
) -> anyhow::Result<FlowsTally> {
    let cannot_read = || format!("{}: cannot be read", file.display());
    let input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(1 << 16, File::open(file).with_context(cannot_read)?))
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut lines = InputLines::new(input);
    let answerer = Answerer { loaded, ends: NamedEnds::new(loaded), detail };
    let mut answered = FlowsTally::default();
    let mut told = notes == Notes::Hidden;
    let progress = ProgressLine::start("Answering");
    loop {
        let number = lines.number() + 1;
        progress.at(number);
        let outcome = match lines.next().with_context(cannot_read)? {
            Next::End => break,
            Next::TooLong => Err(Wrong::TooLong),
            Next::Line(text) => answerer.line(text, &mut out, &mut answered.counts)?,
        };
        match outcome {
            Ok(Some(flow)) if !told => told = answerer.tell_addresses(&flow, number, notes),
            Ok(Some(_) | None) => {}
            Err(wrong) => {
                answered.errors += 1;
                let _ = writeln!(io::stderr(), "error: {}:{number}: {wrong}", name(file));
            }
        }
    }
    out.flush()?;
    Ok(answered)
}

fn name(file: &Path) -> std::path::Display<'_> {
    if file == Path::new("-") { Path::new("stdin").display() } else { file.display() }
}

struct Answerer<'a> {
    loaded: &'a Loaded,
    ends: NamedEnds,
    detail: AnswerDetail,
}

/// The ends that names and addresses stand for.
struct NamedEnds {
    pods: HashMap<String, PodId>,
    taken: HashMap<IpAddr, String>,
}

impl NamedEnds {
    fn new(loaded: &Loaded) -> Self {
        let pods = loaded.pods().map(|(id, pod)| (pod.name.to_string(), id)).collect();
        Self { pods, taken: loaded.addresses() }
    }

    fn end(&self, field: &'static str, text: &str) -> Result<End, Wrong> {
        if let Some(pod) = self.pods.get(text) {
            return Ok(End::Pod(*pod));
        }
        match text.parse() {
            Ok(address) => Ok(End::Address(address)),
            Err(_) if text.contains('/') => Err(Wrong::NoPod(field, text.to_owned())),
            Err(_) => Err(Wrong::NoEnd(field, text.to_owned())),
        }
    }
}

impl Answerer<'_> {
    /// Answers a line; none if it is blank.
    fn line(
        &self,
        text: &[u8],
        out: &mut impl Write,
        counts: &mut Counts,
    ) -> io::Result<Result<Option<Flow>, Wrong>> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(Ok(None));
        }
        let flow = match Line::parse(text).and_then(|line| self.flow(&line)) {
            Ok(flow) => flow,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let compiled = &self.loaded.compiled;
        let answer = match self.detail {
            AnswerDetail::Count => compiled.answer(&flow),
            AnswerDetail::Answer => {
                let answer = compiled.answer(&flow);
                begin(text, out)?;
                json::answer(out, answer)?;
                out.write_all(b"}\n")?;
                answer
            }
            AnswerDetail::Explain => {
                let expected = compiled.expect(&flow);
                let answer = Answer::from(&expected);
                begin(text, out)?;
                json::answer(out, answer)?;
                out.write_all(b",\"by\":")?;
                serde_json::to_writer(
                    &mut *out,
                    &DecidedBy::of(&flow, &expected, self.loaded.snapshot()),
                )?;
                out.write_all(b"}\n")?;
                answer
            }
        };
        counts.add(answer, 1);
        Ok(Ok(Some(flow)))
    }

    fn flow(&self, line: &Line<'_>) -> Result<Flow, Wrong> {
        Ok(Flow {
            from: self.ends.end("from", &line.from)?,
            to: self.ends.end("to", &line.to)?,
            port: line.port()?,
            family: line.family,
        })
    }

    /// Notes once that an address is no pod, if a pod or Service has it. Returns whether it was
    /// noted.
    fn tell_addresses(&self, flow: &Flow, line: u64, notes: Notes) -> bool {
        let taken = [flow.from, flow.to].into_iter().find_map(|end| match end {
            End::Pod(_) => None,
            End::Address(address) => Some((address, self.ends.taken.get(&address.to_canonical())?)),
        });
        if let Some((address, who)) = taken {
            notes.tell(format_args!(
                "line {line}: {address} is also an address of {who}; what is written as an address is one, and no selector matches it"
            ));
        }
        taken.is_some()
    }
}

/// Writes the fields of a flow as they were written, and leaves the object open for more.
fn begin(object: &[u8], out: &mut impl Write) -> io::Result<()> {
    let fields = object.strip_suffix(b"}").unwrap_or(object);
    out.write_all(fields.trim_ascii_end())?;
    out.write_all(b",")
}
