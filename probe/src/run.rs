//! Puts the parts of the probe together, and keeps them until the process is told to end.

use std::io;

use tokio::{
    io::{stdin, stdout},
    runtime,
};

use crate::{
    agent::Agent,
    args::Args,
    listen::{Limits, Listeners},
    log,
    pid1::Signals,
};

/// One thread makes some 17,000 attempts a second on the machine where this was measured; two
/// make over 20,000, and cost nothing that can be measured at rest.
const WORKERS: usize = 2;

/// Runs the probe until SIGTERM or SIGINT. An error says that it could not start; whatever becomes
/// of stdin and stdout, its listeners answer until the end.
pub fn run(args: Args) -> io::Result<()> {
    let runtime =
        runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let ran = runtime.block_on(until_told_to_end(args));
    // A thread may wait in a read of stdin for ever; the process ends without it.
    runtime.shutdown_background();
    ran
}

async fn until_told_to_end(Args { identity, listen }: Args) -> io::Result<()> {
    let signals = Signals::attend()?;
    let listeners = Listeners::open(identity.clone(), &listen, Limits::default());
    let agent = Agent::new(identity, listeners);
    let serving = tokio::spawn(serve(agent.clone()));
    signals.until_told_to_end().await;
    serving.abort();
    // The agent has the listeners: they answer until here, whatever became of stdin and stdout.
    drop(agent);
    Ok(())
}

async fn serve(agent: Agent) {
    if let Err(error) = agent.serve(stdin(), stdout()).await {
        log::say(format_args!("Cannot read requests any more: {error}"));
    }
}
