//! Flows and their answers, one by one: JSON and CSV.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use netproof_conformance::{
    compiled::Answer,
    flow::{End, Flow, Port},
};

use crate::{decided_by::DecidedBy, loaded::Loaded, pairs::PairQuery, progress::ProgressLine};

/// Writes the fields of an answer, inside of an object that is open.
pub fn answer(out: &mut impl Write, answer: Answer) -> io::Result<()> {
    match answer {
        Answer::Allow | Answer::Deny => {
            write!(out, "\"expected\":\"{answer}\"")
        }
        Answer::Unspecified(why) => {
            write!(out, "\"expected\":\"Unspecified\",\"reason\":\"{}\"", why.reason())
        }
    }
}

/// Writes one object a line, one for each flow.
pub fn lines(
    question: &PairQuery,
    loaded: &Loaded,
    explain: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut writer = Flows::new(loaded, explain);
    for flow in question.flows() {
        writer.object(&flow, out)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes one array of all flows, an element a line.
pub fn array(
    question: &PairQuery,
    loaded: &Loaded,
    explain: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut writer = Flows::new(loaded, explain);
    let mut before: &[u8] = b"[\n";
    for flow in question.flows() {
        out.write_all(before)?;
        writer.object(&flow, out)?;
        before = b",\n";
    }
    out.write_all(if before == b"[\n" { b"[]\n" } else { b"\n]\n" })
}

/// Writes one line for each flow, under a line of field names.
pub fn csv(question: &PairQuery, loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    let progress = ProgressLine::start("Writing");
    out.write_all(b"from,to,port,protocol,expected,reason\n")?;
    let mut names = EndNames::default();
    for (flow, number) in question.flows().zip(1..) {
        progress.at(number);
        let answer = loaded.compiled.answer(&flow);
        let reason = match answer {
            Answer::Allow | Answer::Deny => "",
            Answer::Unspecified(why) => why.reason(),
        };
        // Names of pods and addresses have neither commas nor quotes.
        let Port { number, protocol } = flow.port;
        let from = names.of(flow.from, loaded).to_owned();
        let to = names.of(flow.to, loaded);
        writeln!(out, "{from},{to},{number},{protocol},{answer},{reason}")?;
    }
    Ok(())
}

/// The names of ends, each looked up once.
#[derive(Default)]
struct EndNames(HashMap<End, String>);

impl EndNames {
    fn of(&mut self, end: End, loaded: &Loaded) -> &str {
        self.0.entry(end).or_insert_with(|| loaded.name(end))
    }
}

struct Flows<'a> {
    loaded: &'a Loaded,
    explain: bool,
    names: EndNames,
    progress: ProgressLine,
    written: u64,
}

impl<'a> Flows<'a> {
    fn new(loaded: &'a Loaded, explain: bool) -> Self {
        let progress = ProgressLine::start("Writing");
        Self { loaded, explain, names: EndNames::default(), progress, written: 0 }
    }

    fn object(&mut self, flow: &Flow, out: &mut impl Write) -> io::Result<()> {
        self.written += 1;
        self.progress.at(self.written);
        // Names of pods and addresses need no escapes.
        let Port { number, protocol } = flow.port;
        write!(out, "{{\"from\":\"{}\"", self.names.of(flow.from, self.loaded))?;
        write!(out, ",\"to\":\"{}\"", self.names.of(flow.to, self.loaded))?;
        write!(out, ",\"port\":{number},\"protocol\":\"{protocol}\",")?;
        if self.explain {
            let expected = self.loaded.compiled.expect(flow);
            answer(out, Answer::from(&expected))?;
            out.write_all(b",\"by\":")?;
            serde_json::to_writer(
                &mut *out,
                &DecidedBy::of(flow, &expected, self.loaded.snapshot()),
            )?;
        } else {
            answer(out, self.loaded.compiled.answer(flow))?;
        }
        out.write_all(b"}")
    }
}
