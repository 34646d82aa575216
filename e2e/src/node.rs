//! A probe's process as its node sees it: a kind node is a container of the local Docker engine.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;

use crate::{cluster::run, stand_ins};

/// A process that is stopped for as long as this is held.
pub struct Stopped {
    node: String,
    pid: String,
}

/// Stops the process of a pod's only container: it is there, keeps its sockets, and does nothing.
pub async fn stop(pod: &Pod) -> Result<Stopped> {
    let node = stand_ins::node(pod).to_owned();
    let pid = pid(&node, pod).await?;
    let stopped = Stopped { node, pid };
    stopped.signal("-STOP").await?;
    let status = format!("/proc/{}/status", stopped.pid);
    let status = run("docker", &["exec", &stopped.node, "cat", &status]).await?;
    ensure!(status.contains("State:\tT"), "not stopped: {status}");
    ensure!(status.contains("netproof-probe"), "not the probe: {status}");
    Ok(stopped)
}

/// The process on the node; containerd lists `TASK PID STATUS`.
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

impl Stopped {
    async fn signal(&self, signal: &str) -> Result<()> {
        run("docker", &["exec", &self.node, "kill", signal, &self.pid]).await.map(drop)
    }

    /// Lets it go on.
    pub async fn resume(self) -> Result<()> {
        self.signal("-CONT").await
    }
}

impl Drop for Stopped {
    /// When a test fails in between. The pod would be killed with its namespace all the same.
    fn drop(&mut self) {
        let args = ["exec", &self.node, "kill", "-CONT", &self.pid];
        let spawned = std::process::Command::new("docker").args(args).output();
        drop(spawned);
    }
}
