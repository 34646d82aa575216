//! A node's policy agent: the one of the test cluster, on a thread in the node's network namespace.

use std::{thread, time::Duration};

use anyhow::{Context, anyhow, bail};
use futures::stream;
use netproof_policy_agent::{
    apply::Nft,
    enforcer::{Enforcer, Progress},
    setting::Setting,
    watch::Update,
    world::NodeView,
};
use tokio::{
    runtime,
    sync::{mpsc, watch},
    time::timeout,
};

use super::netns::Netns;

/// How long changes are gathered, to be put in force together.
const GATHER: Duration = Duration::from_millis(2);

/// How long the rules of a node may take to be in force.
const IN_FORCE: Duration = Duration::from_secs(20);

/// The advice to see whether nft works.
const TRY: &str = "Try: unshare -rn nft list ruleset";

/// The agent of a node at work. Dropping it ends the agent.
pub struct NodeAgent {
    name: String,
    updates: mpsc::UnboundedSender<Update>,
    sent: u64,
    progress: watch::Receiver<Progress>,
}

impl NodeAgent {
    /// Starts the agent of a node, on a thread of its own.
    pub fn start(netns: Netns, node: NodeView, settings: watch::Receiver<Setting>) -> Self {
        let name = node.name.clone();
        let (updates, received) = mpsc::unbounded_channel();
        let (told, progress) = watch::channel(Progress::default());
        thread::spawn(move || {
            let enforcer = Enforcer::new(node, Nft::new("/".into()), GATHER);
            let updates = stream::unfold(received, |mut received| async move {
                received.recv().await.map(|update| (update, received))
            });
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            // If one of these fails, nothing is ever in force, and `in_force` returns an error.
            if let (Ok(()), Ok(runtime)) = (netns.enter(), runtime) {
                runtime.block_on(enforcer.follow(Box::pin(updates), settings, told));
            }
        });
        Self { name, updates, sent: 0, progress }
    }

    /// Tells the agent of a change; an error if it has ended.
    pub fn tell(&mut self, update: Update) -> anyhow::Result<()> {
        self.sent += 1;
        let gone = || anyhow!("the policy agent of {} is gone", self.name);
        self.updates.send(update).map_err(|_| gone())
    }

    /// Waits until all that the agent was told is in force, under this setting. An error if nft
    /// fails, and after 20 s.
    pub async fn in_force(&mut self, setting: &Setting) -> anyhow::Result<()> {
        let (sent, name) = (self.sent, &self.name);
        let is_there = |progress: &Progress| {
            progress.updates >= sent && progress.setting == *setting && progress.script.is_some()
        };
        let is_known = |progress: &Progress| is_there(progress) || progress.failed.is_some();
        let Ok(progress) = timeout(IN_FORCE, self.progress.wait_for(is_known)).await else {
            let waited = IN_FORCE.as_secs();
            bail!(
                "the rules of {name} are not in force after {waited} s; does nft work here? {TRY}"
            );
        };
        let progress =
            progress.with_context(|| format!("the policy agent of {name} could not be started"))?;
        match &progress.failed {
            Some(why) => bail!(
                "the rules of {name} cannot be put in force: {why}\n\
                 The lab needs nft: install the package nftables. {TRY}"
            ),
            None => Ok(()),
        }
    }

    /// The script in force; none if none is, or if it is not known.
    pub fn script(&self) -> Option<std::sync::Arc<str>> {
        self.progress.borrow().script.clone()
    }
}
