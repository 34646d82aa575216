//! The binary: parses the command line, sets logging up, runs, and maps errors to exit codes.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use netproof::{
    admin,
    args::{Cli, Command, ReportArgs},
    run,
};
use tracing_subscriber::EnvFilter;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Operator(args) => {
            let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
            tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_target(false)
                .with_ansi(std::io::stdout().is_terminal())
                .init();
            run::operator(args).await
        }
        Command::Matrix(args) => report("matrix", args).await,
        Command::Flows(args) => report("flows", args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netproof: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn report(what: &str, args: ReportArgs) -> anyhow::Result<()> {
    let text = admin::ask(&format!("/{what}/{}/{}", args.namespace, args.name)).await?;
    print!("{text}");
    Ok(())
}
