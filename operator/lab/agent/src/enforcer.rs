//! Keeps the rules of one node in step with what is known of the cluster and with the faults that
//! are set.

use std::{error::Error, future::pending, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use crate::{
    apply::Nft,
    memory::{Memory, Outlook},
    render,
    rules::rules,
    setting::Setting,
    watch::{Mirror, Update},
    world::{NodeView, World},
};

/// The pause before a script that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The script that a node runs for this world under this setting. It has no history: a fault of
/// time shows as what it does at the moment when it begins.
pub fn script(world: &World, node: &NodeView, setting: &Setting) -> String {
    render::replacement(&rules(world, node, setting))
}

/// Keeps the rules of one node current.
#[derive(Debug)]
pub struct Enforcer {
    node: NodeView,
    nft: Nft,
    gather: Duration,
}

/// What is in force on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many updates the rules in force take in: every one up to this. Zero while the picture of
    /// the cluster is not complete, and nothing is in force. An update that a fault delays counts
    /// as taken in; `next` says that something waits.
    pub updates: u64,
    /// The setting that is in force.
    pub setting: Setting,
    /// The script in force; `None` while there is none, or while it is not known to be.
    pub script: Option<Arc<str>>,
    /// When time alone will change what is in force, or a failed script is tried again.
    pub next: Option<Instant>,
    /// Why nft did not take the last script; `None` if it did.
    pub failed: Option<Arc<str>>,
}

impl Enforcer {
    /// The enforcer of this node, by this nft. Changes come in bursts; each burst is put in force
    /// once `gather` has passed since its first change.
    pub fn new(node: NodeView, nft: Nft, gather: Duration) -> Self {
        Self { node, nft, gather }
    }

    /// Puts changes in force until there are no more updates, and leaves the last rules in force. A
    /// change of the setting is put in force at once.
    ///
    /// Nothing is enforced before the first complete picture of the cluster: half of one would deny
    /// what it does not know.
    ///
    /// A script that fails is tried again every second, and [`Progress::failed`] says why.
    pub async fn follow(
        self,
        mut updates: impl Stream<Item = Update> + Unpin,
        mut settings: watch::Receiver<Setting>,
        progress: watch::Sender<Progress>,
    ) {
        let mut mirror = Mirror::default();
        let mut memory = Memory::new(self.node.name.clone());
        let mut taken = 0;
        let mut due = None;
        let mut setting = settings.borrow_and_update().clone();
        loop {
            tokio::select! {
                biased;
                new = next(&mut settings) => {
                    let now = Instant::now();
                    if let Some(world) = mirror.world() {
                        // Changes from before the new setting count as seen under the old one.
                        memory.look(world, &setting, now);
                    }
                    setting = new;
                    due = Some(now);
                }
                () = until(due) => {
                    due = None;
                    if let Some(world) = mirror.world() {
                        let outlook = memory.look(world, &setting, Instant::now());
                        due = self.catch_up(&outlook, &setting, taken, &progress).await;
                    }
                }
                update = updates.next() => match update {
                    Some(update) => {
                        mirror.apply(update);
                        taken += 1;
                        let gathered = Instant::now() + self.gather;
                        due = Some(due.map_or(gathered, |due| due.min(gathered)));
                    }
                    None => return,
                },
            }
        }
    }

    /// Puts in force what is asked for now. Returns when to do so again without a change.
    async fn catch_up(
        &self,
        outlook: &Outlook<'_>,
        setting: &Setting,
        updates: u64,
        progress: &watch::Sender<Progress>,
    ) -> Option<Instant> {
        let Outlook { world, setting: failing, next } = outlook;
        let script: Arc<str> = script(world, &self.node, failing).into();
        let before = progress.borrow().script.clone();
        if before.as_ref() != Some(&script) {
            progress.send_modify(|progress| progress.script = None);
            let started = Instant::now();
            let transition = render::transition(before.as_deref(), &script);
            if let Err(error) = self.nft.run(&transition).await {
                let source = error.source().map(|source| format!(": {source}"));
                let failed = format!("{error}{}", source.unwrap_or_default());
                warn!(error = failed, "Rules not in force");
                let next = Some(Instant::now() + RETRY);
                progress.send_modify(|progress| {
                    (progress.next, progress.failed) = (next, Some(failed.into()));
                });
                return next;
            }
            info!(
                policies = world.policies.len(),
                pods = world.pods.len(),
                bytes = script.len(),
                took = ?started.elapsed(),
                faults = %failing,
                "Rules in force"
            );
        }
        let setting = setting.clone();
        let (script, next) = (Some(script), *next);
        progress.send_replace(Progress { updates, setting, script, next, failed: None });
        next
    }
}

/// The next setting; never returns once the sender is gone.
async fn next(settings: &mut watch::Receiver<Setting>) -> Setting {
    match settings.changed().await {
        Ok(()) => settings.borrow_and_update().clone(),
        Err(_) => pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::{watch::Change, world::Table};

    fn listed() -> [Update; 3] {
        [
            Update::Pods(Change::Listed(Table::new())),
            Update::Namespaces(Change::Listed(Table::new())),
            Update::Policies(Change::Listed(Table::new())),
        ]
    }

    /// The first progress for which `is_enough` holds, of an enforcer that has no nft.
    async fn says(updates: &[Update], is_enough: impl FnMut(&Progress) -> bool) -> Progress {
        let node = NodeView { name: "n1".into(), pod_ranges: Vec::new() };
        let enforcer = Enforcer::new(node, Nft::new("/nonexistent".into()), Duration::ZERO);
        let (_setting, settings) = watch::channel(Setting::default());
        let (sender, mut progress) = watch::channel(Progress::default());
        let updates = stream::iter(updates.to_vec()).chain(stream::pending());
        tokio::select! {
            () = enforcer.follow(updates, settings, sender) => panic!("there are more updates"),
            progress = progress.wait_for(is_enough) => progress.expect("it runs").clone(),
        }
    }

    #[tokio::test]
    async fn rules_that_nft_did_not_take_are_not_said_to_be_in_force() {
        let progress = says(&listed(), |progress| progress.next.is_some()).await;
        assert_eq!((progress.updates, progress.script), (0, None));
        let why = progress.failed.expect("it says why");
        assert!(why.starts_with("nft did not run under /nonexistent: "), "{why}");
    }

    #[test]
    fn two_settings_may_come_to_the_same_script() {
        let node = NodeView { name: "n1".into(), pod_ranges: Vec::new() };
        let script = |setting: &str| script(&World::default(), &node, &setting.parse().unwrap());
        assert_eq!(script("ignores-all"), script("slow=2s, reads-and-as-or@pod=x/a"));
    }
}
