//! Keeps one node in step with the cluster, from its start to its SIGTERM.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, Config};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, sleep_until},
};
use tracing::{info, warn};

use crate::{
    apply::Nft,
    render,
    rules::rules,
    watch::{self, Mirror, Update},
    world::{NodeView, World},
};

/// Changes come in bursts, a `kubectl apply` of many objects say. Waiting this long for the rest
/// of one is far below what anyone notices as a delay of enforcement.
const GATHER: Duration = Duration::from_millis(20);

/// Between attempts that failed.
const RETRY: Duration = Duration::from_secs(1);

/// How long the API server may stay silent in any answer; above the life of a watch.
const SILENCE: Duration = Duration::from_secs(60);

/// Enforces `NetworkPolicies` on this node with nftables.
#[derive(Debug, Parser)]
#[command(about = "Enforces NetworkPolicies on this node with nftables")]
pub struct Args {
    /// The node that this agent runs on
    #[arg(long, env = "NODE_NAME")]
    node: String,
    /// Where the node's root directory is mounted
    #[arg(long, default_value = "/host")]
    host_root: PathBuf,
}

/// Enforces until SIGTERM, and then no more: deleting the `DaemonSet` gives the plain network back.
/// An agent that dies in another way leaves its rules in place for the next one to replace.
pub async fn run(args: Args) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let nft = Nft::new(args.host_root);
    let client = client().await?;
    let node = tokio::select! {
        node = node_view(&client, &args.node) => Some(node),
        _ = terminated.recv() => None,
    };
    if let Some(node) = node {
        info!(node = node.name, pod_ranges = ?node.pod_ranges, "Started");
        // The signal ends the stream rather than the work on it: no nft is cut off half-way, to
        // finish after the removal.
        let updates = watch::updates(&client).take_until(Box::pin(terminated.recv()));
        Enforcer { node, nft: nft.clone(), in_force: None }.follow(updates).await;
    }
    nft.run(&render::removal()).await.context("removing the rules")?;
    info!("Rules removed");
    Ok(())
}

async fn client() -> Result<Client> {
    let mut config = Config::infer().await.context("finding the API server")?;
    config.read_timeout = Some(SILENCE);
    // Without it, a connection that was idle for a while dies right after the next request.
    config.reset_reader_on_write = true;
    Client::try_from(config).context("building the client")
}

/// The node, waited for until the cluster has given it a range for its pods.
async fn node_view(client: &Client, name: &str) -> NodeView {
    loop {
        match Api::<Node>::all(client.clone()).get(name).await.map(NodeView::parse) {
            Ok(Ok(Some(node))) => return node,
            Ok(Ok(None)) => warn!(name, "Node has no podCIDRs yet"),
            Ok(Err(error)) => warn!(name, %error, "Node is not readable"),
            Err(error) => warn!(name, %error, "Node is not to be had"),
        }
        sleep(RETRY).await;
    }
}

/// What keeps the node's rules current.
struct Enforcer {
    node: NodeView,
    nft: Nft,
    /// The script last run, while nothing speaks against its being in force.
    in_force: Option<String>,
}

impl Enforcer {
    /// Puts changes in force until there are no more. Nothing is enforced before the first complete
    /// picture of the cluster: half of one would deny what it does not know.
    async fn follow(mut self, mut updates: impl Stream<Item = Update> + Unpin) {
        let mut mirror = Mirror::default();
        let mut due = None;
        loop {
            tokio::select! {
                update = updates.next() => match update {
                    Some(update) => {
                        mirror.apply(update);
                        due.get_or_insert_with(|| Instant::now() + GATHER);
                    }
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = match mirror.world() {
                        Some(world) => self.catch_up(world).await,
                        None => None,
                    };
                }
            }
        }
    }

    /// Puts in force what the world asks for now; where that fails, says when to try again.
    async fn catch_up(&mut self, world: &World) -> Option<Instant> {
        let started = Instant::now();
        let script = render::replacement(&rules(world, &self.node));
        if self.in_force.as_ref() == Some(&script) {
            return None;
        }
        self.in_force = None;
        if let Err(error) = self.nft.run(&script).await {
            warn!(%error, "Rules not in force");
            return Some(Instant::now() + RETRY);
        }
        info!(
            policies = world.policies.len(),
            pods = world.pods.len(),
            bytes = script.len(),
            took = ?started.elapsed(),
            "Rules in force"
        );
        self.in_force = Some(script);
        None
    }
}
