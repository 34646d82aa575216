//! What the agent takes for the world, which the faults of time make lag behind the truth.
//!
//! The truth is kept elsewhere and never touched, so that the end of a fault gives it back at once.
//! The caller says what time it is.

mod ages;
mod news;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use self::news::{News, news};
use crate::{
    fault::Fault,
    setting::{Failing, Setting},
    world::{ObjectName, Pod, World},
};

/// What is remembered from one look at the truth to the next.
#[derive(Debug)]
pub struct Memory {
    /// The agent's own node, which a scope may name.
    node: String,
    /// The truth at the last look; `None` before the first.
    seen: Option<World>,
    /// The world that is acted on.
    believed: World,
    /// Changes that are not yet acted on, and when they will be; those of one object in their
    /// order.
    waiting: Vec<(Instant, News)>,
    /// When each pod was first heard of that came after the first look.
    heard: BTreeMap<ObjectName, Instant>,
    /// When each fault began, on which some faults depend.
    since: Vec<(Failing, Instant)>,
}

/// What to act on now.
#[derive(Debug)]
pub struct Outlook<'a> {
    /// The world, as it is taken to be.
    pub world: &'a World,
    /// The setting, with the faults that time adds to it.
    pub setting: Setting,
    /// When time alone changes the world or the setting; `None` if it will not.
    pub next: Option<Instant>,
}

impl Memory {
    /// The empty memory of the agent on this node.
    pub fn new(node: String) -> Self {
        Self {
            node,
            seen: None,
            believed: World::default(),
            waiting: Vec::new(),
            heard: BTreeMap::new(),
            since: Vec::new(),
        }
    }

    /// What to act on, given the truth and the setting. A change counts from the look that first
    /// shows it: before a new setting, look once more under the old one.
    pub fn look(&mut self, truth: &World, setting: &Setting, now: Instant) -> Outlook<'_> {
        self.notice(truth, setting, now);
        self.bury(setting);
        self.believe_what_is_due(setting, now);
        self.believe_the_rest(truth, setting);
        self.age(setting, now);
        let (failing, changes) = ages::failing(&self.heard, &self.since, setting, &self.node, now);
        let waits = self.waiting.iter().map(|(due, _)| *due);
        Outlook {
            world: &self.believed,
            next: waits.chain(changes).min(),
            setting: Setting(setting.0.iter().cloned().chain(failing).collect()),
        }
    }

    /// Notes what is new in the truth, and when it came.
    fn notice(&mut self, truth: &World, setting: &Setting, now: Instant) {
        let Some(seen) = self.seen.replace(truth.clone()) else {
            // Nothing in the first picture is new.
            self.believed = truth.clone();
            return;
        };
        for news in news(&seen, truth) {
            if let News::Pod(name, pod) = &news {
                self.hear(name, seen.pods.get(name), pod.as_ref(), now);
            }
            if let Some(delay) = self.delay(&news, setting) {
                self.waiting.push((now + delay, news));
            }
        }
    }

    fn hear(&mut self, name: &ObjectName, before: Option<&Pod>, pod: Option<&Pod>, now: Instant) {
        match (before, pod) {
            (_, None) => drop(self.heard.remove(name)),
            (Some(before), Some(pod)) if is_same(before, pod) => {}
            (_, Some(_)) => drop(self.heard.insert(name.clone(), now)),
        }
    }

    /// Forgets the dead pods that no fault keeps.
    fn bury(&mut self, setting: &Setting) {
        self.believed.dead.retain(|(name, _)| {
            setting.of_pod(&self.node, name).contains(&Fault::KeepsDeadAddresses)
        });
    }

    /// Acts on what has waited long enough. News that no fault delays any more is dropped: the
    /// truth has it.
    fn believe_what_is_due(&mut self, setting: &Setting, now: Instant) {
        let waiting = std::mem::take(&mut self.waiting);
        let slow = waiting.into_iter().filter(|(_, news)| self.delay(news, setting).is_some());
        let (due, waiting): (Vec<_>, _) = slow.partition(|(due, _)| *due <= now);
        self.waiting = waiting;
        for (_, news) in due {
            self.believe(news, setting);
        }
    }

    fn believe_the_rest(&mut self, truth: &World, setting: &Setting) {
        let mut rest = news(&self.believed, truth);
        let waits = |news: &News| self.waiting.iter().any(|(_, one)| one.object() == news.object());
        rest.retain(|news| !waits(news));
        for news in rest {
            self.believe(news, setting);
        }
    }

    /// Acts on news as far as the faults let it.
    fn believe(&mut self, news: News, setting: &Setting) {
        let faults = self.faults(&news, setting);
        let fails = |fault| faults.contains(&fault);
        let World { pods, namespaces, policies, dead } = &mut self.believed;
        match news {
            News::Pod(name, new) => {
                let old = pods.remove(&name);
                let lost = old.as_ref().filter(|_| fails(Fault::KeepsDeadAddresses));
                let lost = lost.and_then(|old| left_behind(old, new.as_ref()));
                dead.extend(lost.map(|pod| (name.clone(), pod)));
                if let Some(mut new) = new {
                    let known = old.filter(|old| is_same(old, &new));
                    if let Some(known) = known.filter(|_| fails(Fault::StalePodLabels)) {
                        new.labels = known.labels;
                    }
                    pods.insert(name, new);
                }
            }
            News::Namespace(name, Some(new)) => {
                if !(fails(Fault::StaleNamespaceLabels) && namespaces.contains_key(&name)) {
                    namespaces.insert(name, new);
                }
            }
            News::Namespace(name, None) => {
                // Dead pods are peers by their namespace's labels too, so that it is kept for them.
                if !dead.iter().any(|(_, pod)| pod.namespace == name.name) {
                    namespaces.remove(&name);
                }
            }
            News::Policy(name, Some(new)) => drop(policies.insert(name, new)),
            News::Policy(name, None) => {
                if !fails(Fault::KeepsDeletedPolicies) {
                    policies.remove(&name);
                }
            }
        }
    }

    /// Remembers since when each fault has been set, for as long as it is.
    fn age(&mut self, setting: &Setting, now: Instant) {
        self.since.retain(|(failing, _)| setting.0.contains(failing));
        for failing in &setting.0 {
            if !self.since.iter().any(|(known, _)| known == failing) {
                self.since.push((failing.clone(), now));
            }
        }
    }

    /// How much later a fault has news acted on; none if none does.
    fn delay(&self, news: &News, setting: &Setting) -> Option<Duration> {
        let delay = |fault| if let Fault::Slow(delay) = fault { Some(delay) } else { None };
        self.faults(news, setting).into_iter().filter_map(delay).max()
    }

    /// The faults that concern the object of some news.
    fn faults(&self, news: &News, setting: &Setting) -> Vec<Fault> {
        match news {
            News::Pod(name, _) => setting.of_pod(&self.node, name),
            News::Namespace(name, _) => setting.of_namespace(&self.node, Some(&name.name)),
            News::Policy(name, _) => setting.of_namespace(&self.node, name.namespace.as_deref()),
        }
    }
}

/// Whether two pods of one name are the same pod: it may have been replaced between two looks.
fn is_same(one: &Pod, other: &Pod) -> bool {
    one.claim.created() == other.claim.created()
}

/// The old pod at the addresses that the new one has no more; none if it has them all.
fn left_behind(old: &Pod, new: Option<&Pod>) -> Option<Pod> {
    let kept = new.map(|new| &new.addresses);
    let lost =
        old.addresses.iter().filter(|address| kept.is_none_or(|kept| !kept.contains(address)));
    let addresses: BTreeSet<_> = lost.copied().collect();
    (!addresses.is_empty()).then(|| Pod { addresses, ..old.clone() })
}
