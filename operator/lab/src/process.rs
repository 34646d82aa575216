//! The probes of the lab: processes, each in the network namespace of its pod, with pipes for
//! streams.

use std::{
    env,
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::Context;
use futures::FutureExt;
use netproof_conformance::flow::Port;
use netproof_probe::{
    args::{Args, USAGE},
    run,
};
use nix::sys::{prctl, signal::Signal};
use tokio::{
    process::{ChildStdin, ChildStdout},
    sync::oneshot,
};

use super::netns::Netns;
use netproof_rounds::engine::session::Link;

/// The argument by which this program is told to be a probe.
pub const SUBCOMMAND: &str = "lab-probe";

/// Runs as the probe of a pod, with the code of the probe's own binary, so that the lab needs no
/// second file. The kernel ends it with the lab, however the lab ends.
pub fn probe(arguments: Vec<OsString>) -> anyhow::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("asking to end with the lab")?;
    let args = Args::parse(arguments, None).with_context(|| USAGE)?;
    run::run(args).context("starting the probe")
}

/// Runs as a probe if this program was started as one, and returns its exit code; none if it was
/// not. A program that starts a lab from its own file calls this before anything else.
pub fn probe_if_told() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != SUBCOMMAND {
        return None;
    }
    Some(match probe(arguments.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    })
}

/// The file of this program, which is the file of its probes too.
pub fn this_program() -> anyhow::Result<PathBuf> {
    env::current_exe().context("finding this program's own file")
}

/// A probe at work. Dropping it kills the process and waits for its end.
pub struct Process {
    child: Child,
}

impl Process {
    /// The process id, which is not reused as long as this value is there.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a probe is told when it starts.
#[derive(Clone, Debug)]
pub struct Order {
    /// The identity that it shows.
    pub identity: String,
    /// The ports that it answers on; those of SCTP are left out.
    pub listen: Vec<Port>,
}

/// Starts processes in namespaces, by one thread: the kernel ends a probe when the thread that
/// started it ends, which is when this value is dropped.
pub struct Starter {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    netns: Netns,
    command: Command,
    done: oneshot::Sender<io::Result<Child>>,
}

impl Starter {
    /// Starts the thread that starts processes.
    pub fn begin() -> Self {
        let (jobs, waiting) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for Job { netns, mut command, done } in waiting {
                let started = netns.enter().and_then(|()| command.spawn());
                // Nothing waits for the process any more: it is ended at once.
                if let Err(Ok(child)) = done.send(started) {
                    drop(Process { child });
                }
            }
        });
        Self { jobs }
    }

    /// Starts a probe in a namespace, from this program's file, and returns its pipes.
    pub async fn start(
        &self,
        program: PathBuf,
        netns: &Netns,
        order: &Order,
    ) -> anyhow::Result<(Process, Link)> {
        let mut command = Command::new(program);
        command.arg0("netproof-probe").arg(SUBCOMMAND).args(["--identity", &order.identity]);
        for port in &order.listen {
            let protocol = port.protocol.to_string().to_ascii_lowercase();
            command.arg(format!("--listen={protocol}/{}", port.number));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (done, started) = oneshot::channel();
        let job = Job { netns: netns.clone(), command, done };
        let gone = "the thread that starts processes is gone";
        self.jobs.send(job).ok().context(gone)?;
        let mut child = started.await.context(gone)?.context("starting a probe")?;
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        let process = Process { child };
        let link = Link {
            reader: Box::new(ChildStdout::from_std(stdout)?),
            writer: Box::new(ChildStdin::from_std(stdin)?),
            // The pipes end with the process.
            ended: std::future::pending().boxed(),
        };
        Ok((process, link))
    }
}
