//! Carries out what the command line says, and turns the outcome into an exit code.

use std::{
    ffi::{OsStr, OsString},
    io::{self, ErrorKind, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

use crate::{
    args::{Cli, Command, OperatorArgs, ReportArgs},
    diff,
    exit_status::ExitStatus,
    explain, lint, predict,
};
#[cfg(feature = "lab")]
use netproof_lab as lab;
use netproof_manifests::notes::tell;
use netproof_operator::{admin, run};

/// The name of the file of a plugin that is called as `kubectl netproof`.
const PLUGIN: &str = "kubectl-netproof";

/// Runs the program with these arguments, the first of which is its own name. A wrong command line,
/// `--help` and `--version` end the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = command(arguments.first().map(OsString::as_os_str));
    let matches = match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.format(&mut command).exit(),
    };
    match perform(cli.command) {
        Ok(outcome) => outcome.into(),
        Err(error) if is_broken_pipe(&error) => ExitStatus::Fine.into(),
        Err(error) => {
            tell(format_args!("error: {error:#}"));
            ExitStatus::CannotTell.into()
        }
    }
}

/// The command line, under the name that the program was called by.
fn command(own_name: Option<&OsStr>) -> clap::Command {
    let file = own_name.and_then(|name| Path::new(name).file_stem());
    if file == Some(OsStr::new(PLUGIN)) {
        Cli::command().name("kubectl netproof").bin_name("kubectl netproof")
    } else {
        Cli::command()
    }
}

fn perform(command: Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Predict(args) => predict::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Lint(args) => lint::run(&args),
        #[cfg(feature = "lab")]
        Command::Lab(args) if args.list_faults => {
            lab::run::list_faults()?;
            Ok(ExitStatus::Fine)
        }
        #[cfg(feature = "lab")]
        Command::Lab(args) => Ok(lab::run::run(&args.into())?.into()),
        #[cfg(feature = "lab")]
        Command::LabProbe { arguments } => {
            lab::process::probe(arguments)?;
            Ok(ExitStatus::Fine)
        }
        Command::Operator(args) => operator(args),
        Command::Matrix(args) => report("matrix", &args),
        Command::Flows(args) => report("flows", &args),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "netproof", &mut text);
            print(&text)
        }
        Command::Man => {
            let mut text = Vec::new();
            manual(Cli::command(), &mut text)?;
            print(&text)
        }
    }
}

/// One page with all commands, so that there is one file to install.
fn manual(mut command: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    command.build();
    clap_mangen::Man::new(command.clone()).render(page)?;
    for subcommand in command.get_subcommands().filter(|one| one.get_name() != "help") {
        writeln!(page, ".SH \"NETPROOF {}\"", subcommand.get_name().to_uppercase())?;
        let part = clap_mangen::Man::new(subcommand.clone());
        part.render_synopsis_section(page)?;
        part.render_description_section(page)?;
        part.render_options_section(page)?;
        part.render_extra_section(page)?;
    }
    Ok(())
}

fn print(text: &[u8]) -> anyhow::Result<ExitStatus> {
    io::stdout().lock().write_all(text)?;
    Ok(ExitStatus::Fine)
}

#[tokio::main(worker_threads = 2)]
async fn operator(args: OperatorArgs) -> anyhow::Result<ExitStatus> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stdout().is_terminal())
        .init();
    run::operator(args.into()).await?;
    Ok(ExitStatus::Fine)
}

#[tokio::main(flavor = "current_thread")]
async fn report(what: &str, args: &ReportArgs) -> anyhow::Result<ExitStatus> {
    let text = admin::ask(&format!("/{what}/{}/{}", args.namespace, args.name)).await?;
    print(text.as_bytes())
}

/// Whether the reader of standard output has gone, as `head` does when it has enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
