//! Keeps one node in step with the cluster, from the agent's start to its SIGTERM.

use std::{path::PathBuf, pin::pin, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, Config};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};
use tracing::{info, warn};

use crate::{
    apply::Nft,
    enforcer::{Enforcer, Progress},
    render,
    setting::Setting,
    watch::{settings, updates},
    world::NodeView,
};

/// How long the agent waits for the rest of a burst of changes, such as a `kubectl apply` of many
/// objects. Enforcement is not noticeably delayed by it.
const GATHER: Duration = Duration::from_millis(20);

/// The pause between attempts that failed.
const RETRY: Duration = Duration::from_secs(1);

/// How long the API server may stay silent in any answer; above the life of a watch.
const SILENCE: Duration = Duration::from_secs(60);

/// The arguments of the agent's binary.
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

/// Enforces until SIGTERM, and removes the rules then: deleting the `DaemonSet` gives the plain
/// network back. An agent that dies in another way leaves its rules in place, for the next one to
/// replace.
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
        let updates = updates(&client).take_until(Box::pin(terminated.recv()));
        let (setting, settings) = watch::channel(Setting::default());
        let (progress, _) = watch::channel(Progress::default());
        let enforcer = Enforcer::new(node, nft.clone(), GATHER);
        tokio::select! {
            () = enforcer.follow(updates, settings, progress) => {}
            () = forward(&client, &setting) => {}
        }
    }
    nft.run(&render::removal()).await.context("removing the rules")?;
    info!("Rules removed");
    Ok(())
}

/// Passes on every setting, without end.
async fn forward(client: &Client, setting: &watch::Sender<Setting>) {
    let mut settings = pin!(settings(client));
    while let Some(new) = settings.next().await {
        setting.send_if_modified(|old| {
            let is_new = *old != new;
            *old = new;
            is_new
        });
    }
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
