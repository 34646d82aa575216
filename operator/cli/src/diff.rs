//! The command `netproof diff`.

mod causes;
mod changes;
mod show;

use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::{bail, ensure};

use super::{
    exit_status::ExitStatus,
    loaded::{Loaded, load_files},
    port::PortSpec,
};
use crate::args::{DiffArgs, offline::DiffFormat};
use changes::Changes;
use netproof_conformance::spans::{self, Span};
use netproof_manifests::notes::Notes;

/// Compares the two inputs that the arguments name, and writes the changes to standard output.
pub fn run(args: &DiffArgs) -> anyhow::Result<ExitStatus> {
    let [before, after] = &args.files[..] else {
        bail!("give two inputs, -f OLD -f NEW; here are {}", args.files.len());
    };
    let stdin = Path::new("-");
    ensure!(before != stdin || after != stdin, "standard input cannot be both OLD and NEW");
    let notes = Notes::unless(args.quiet);
    let load = |path: &std::path::PathBuf| -> anyhow::Result<Loaded> {
        let cluster = load_files(std::slice::from_ref(path), &args.namespace, notes)?;
        Ok(Loaded::of(cluster, &args.namespace))
    };
    let (old, new) = (load(before)?, load(after)?);
    let (spans, only) = match &args.port {
        Some(PortSpec::Number(port)) => (vec![Span::one(*port)], Some(*port)),
        Some(PortSpec::Name(name, _)) => bail!("--port {name}: give a number"),
        None => (spans::spans(&[old.snapshot(), new.snapshot()]), None),
    };
    let changes = Changes::between(&old, &new, &spans, only);
    let mut out = io::stdout().lock();
    match args.output {
        DiffFormat::Table => show::table(&changes, &mut out)?,
        DiffFormat::Markdown => show::markdown(&changes, &mut out)?,
        DiffFormat::Json => show::json(&changes, &mut out)?,
        DiffFormat::Jsonl => show::lines(&changes, &mut out)?,
    }
    out.flush()?;
    Ok(if changes.is_empty() { ExitStatus::Fine } else { ExitStatus::No })
}
