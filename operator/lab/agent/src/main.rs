//! `netproof-policy-agent`: enforces `NetworkPolicies` on the node that it runs on.

use std::process::ExitCode;

use clap::Parser;
use netproof_policy_agent::agent::{Args, run};
use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env();
    match filter {
        Ok(filter) => tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).init(),
        Err(error) => {
            eprintln!("RUST_LOG: {error}");
            return ExitCode::FAILURE;
        }
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = format!("{error:#}"), "Gave up");
            ExitCode::FAILURE
        }
    }
}
