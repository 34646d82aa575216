//! Processes and connections as a node sees them. A kind node is a container of the local Docker
//! engine.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use tokio::process::{Child, Command};

use crate::{cluster::run, stand_ins};

/// A process that is stopped (SIGSTOP) for as long as this is held.
pub struct Stopped {
    node: String,
    pid: String,
}

/// Stops the process of a probe's pod: it stays, keeps its sockets, and does nothing.
pub async fn stop(pod: &Pod) -> Result<Stopped> {
    stop_process(pod, "netproof-probe").await
}

/// Stops the process of this name in a pod's only container.
pub async fn stop_process(pod: &Pod, name: &str) -> Result<Stopped> {
    let node = stand_ins::node(pod).to_owned();
    let pid = pid(&node, pod).await?;
    let stopped = Stopped { node, pid };
    stopped.signal("-STOP").await?;
    let status = format!("/proc/{}/status", stopped.pid);
    let status = run("docker", &["exec", &stopped.node, "cat", &status]).await?;
    ensure!(status.contains("State:\tT"), "not stopped: {status}");
    ensure!(status.contains(&format!("Name:\t{name}\n")), "not {name}: {status}");
    Ok(stopped)
}

/// The process id on the node of a pod's first container; containerd lists `TASK PID STATUS`.
async fn pid(node: &str, pod: &Pod) -> Result<String> {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let id = containers
        .and_then(|containers| containers.first()?.container_id.as_ref())
        .and_then(|id| id.strip_prefix("containerd://"))
        .with_context(|| format!("no container of containerd in {}", stand_ins::text(pod)))?;
    let tasks = run("docker", &["exec", node, "ctr", "-n", "k8s.io", "tasks", "list"]).await?;
    let mut lines = tasks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = lines.find(|words| words.first() == Some(&id));
    let pid = found.and_then(|words| words.get(1).map(ToString::to_string));
    pid.with_context(|| format!("no task {id} on {node}:\n{tasks}"))
}

/// The most memory that the process of a pod's only container has had at a time, in bytes.
pub async fn peak_memory(pod: &Pod) -> Result<u64> {
    let node = stand_ins::node(pod);
    let status = format!("/proc/{}/status", pid(node, pod).await?);
    let status = run("docker", &["exec", node, "cat", &status]).await?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|words| words.split_whitespace().next()?.parse::<u64>().ok());
    Ok(1024 * kib.with_context(|| format!("no VmHWM in {status}"))?)
}

/// Connections from a node on which nothing is sent, for as long as this is held. Each is opened
/// anew a second after it was closed.
pub struct Silence(Child);

impl Silence {
    /// Keeps this many connections open to this address and port.
    pub fn keep(node: &str, connections: u32, address: &str, port: u16) -> Result<Self> {
        // A second is what it takes to read nothing from a descriptor that nothing writes to.
        let one = format!(
            "while ! read -r -t 1 -u 9; do exec 3<>/dev/tcp/{address}/{port} && read -r -t 60 <&3; exec 3>&-; done"
        );
        let all = format!(
            "exec 9<> <(sleep infinity); for i in $(seq {connections}); do ({one}) & done; cat; kill 0"
        );
        let mut command = Command::new("docker");
        // The script ends when its standard input does.
        command.args(["exec", "-i", node, "setsid", "bash", "-c", &all]).stdin(Stdio::piped());
        Ok(Self(command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?))
    }

    /// Ends all connections, and waits for it.
    pub async fn end(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        self.0.wait().await?;
        Ok(())
    }
}

impl Stopped {
    async fn signal(&self, signal: &str) -> Result<()> {
        run("docker", &["exec", &self.node, "kill", signal, &self.pid]).await.map(drop)
    }

    /// Lets the process go on.
    pub async fn resume(self) -> Result<()> {
        self.signal("-CONT").await
    }
}

impl Drop for Stopped {
    /// Lets the process go on when a test fails in between. The pod would be killed with its
    /// namespace all the same.
    fn drop(&mut self) {
        let args = ["exec", &self.node, "kill", "-CONT", &self.pid];
        let spawned = std::process::Command::new("docker").args(args).output();
        drop(spawned);
    }
}

/// A change of a node, which is undone when this is dropped.
#[must_use]
pub struct Changed {
    program: &'static str,
    undo: Vec<String>,
}

impl Changed {
    async fn by(
        program: &'static str,
        change: &[&str],
        undo: impl IntoIterator<Item = String>,
    ) -> Result<Self> {
        // What undoes the change is noted first: the change may have been made even if the command
        // fails.
        let changed = Self { program, undo: undo.into_iter().collect() };
        run(program, change).await?;
        Ok(changed)
    }

    async fn undo(self) -> Result<()> {
        let args: Vec<&str> = self.undo.iter().map(String::as_str).collect();
        run(self.program, &args).await.map(drop)
    }

    /// Lets the node's processes go on.
    pub async fn resume(self) -> Result<()> {
        self.undo().await
    }

    /// Opens the node to new pods again.
    pub async fn uncordon(self) -> Result<()> {
        self.undo().await
    }

    /// Takes the taint away.
    pub async fn remove(self) -> Result<()> {
        self.undo().await
    }
}

impl Drop for Changed {
    /// Undoes the change when a test fails in between. Undoing it twice changes nothing.
    fn drop(&mut self) {
        let kubeconfig = crate::cluster::kubeconfig();
        let mut command = std::process::Command::new(self.program);
        drop(command.args(&self.undo).env("KUBECONFIG", kubeconfig).output());
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Closes a node to new pods, until the value is dropped or [`Changed::uncordon`] is called.
pub async fn cordon(node: &str) -> Result<Changed> {
    Changed::by("kubectl", &["cordon", node], words(&["uncordon", node])).await
}

/// Gives a node a taint, as `KEY=VALUE:EFFECT`, until the value is dropped.
pub async fn taint(node: &str, taint: &str) -> Result<Changed> {
    let undo = words(&["taint", "node", node, &format!("{taint}-")]);
    Changed::by("kubectl", &["taint", "node", node, taint], undo).await
}

/// Stops everything on a node: it stays, and does nothing.
pub async fn pause(node: &str) -> Result<Changed> {
    Changed::by("docker", &["pause", node], words(&["unpause", node])).await
}
