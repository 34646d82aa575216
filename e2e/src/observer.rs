//! Watches objects all the time, so that a test can say what was never seen, and when something was
//! seen first.

use std::{fmt::Debug, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use netproof_crds::ConnectivityTest;
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{stand_ins, status, test_namespace::TestNamespace};

/// How many of the last sights a failure shows.
const SHOWN: usize = 40;

/// One version of one object.
#[derive(Clone, Debug)]
pub struct Observed<K> {
    /// When it was seen.
    pub at: Instant,
    /// The object in this version.
    pub object: Arc<K>,
    /// Whether this is the object's deletion.
    pub gone: bool,
}

struct Log<K> {
    complete: bool,
    sights: Vec<Observed<K>>,
}

/// Sees every version of some objects for as long as it is held.
pub struct Observer<K> {
    log: watch::Receiver<Log<K>>,
    text: fn(&K) -> String,
    began: Instant,
    task: JoinHandle<()>,
}

impl<K> Drop for Observer<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K> Observer<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Begins to watch the objects that match `fields`, and returns when it has seen all that are
    /// there. An error after 20 s. `text` shows an object in failures.
    pub async fn start(api: Api<K>, fields: Option<&str>, text: fn(&K) -> String) -> Result<Self> {
        let mut config = watcher::Config::default();
        if let Some(fields) = fields {
            config = config.fields(fields);
        }
        let (sender, mut log) = watch::channel(Log { complete: false, sights: vec![] });
        let task = tokio::spawn(async move {
            let events = watcher(api, config).default_backoff();
            pin_mut!(events);
            while let Some(event) = events.next().await {
                // A watch that broke is taken up again where it ended: nothing is missed.
                let Ok(event) = event else { continue };
                sender.send_modify(|log| log.note(event));
            }
        });
        let complete = timeout(Duration::from_secs(20), log.wait_for(|log| log.complete)).await;
        drop(complete.context("no list of what is watched")?.context("the watch ended")?);
        Ok(Self { log, text, began: Instant::now(), task })
    }

    /// All sights so far, in their order.
    pub fn sights(&self) -> Vec<Observed<K>> {
        self.log.borrow().sights.clone()
    }

    /// Waits for the first sight at `since` or later of an object for which `is` holds. The error
    /// after `patience` shows the last sights.
    pub async fn first(
        &self,
        since: Instant,
        what: &str,
        patience: Duration,
        is: impl Fn(&K) -> bool,
    ) -> Result<Observed<K>> {
        let wanted = |sight: &&Observed<K>| sight.at >= since && !sight.gone && is(&sight.object);
        let mut log = self.log.clone();
        let seen =
            timeout(patience, log.wait_for(|log| log.sights.iter().any(|s| wanted(&s)))).await;
        match seen {
            Ok(Ok(log)) => Ok(log.sights.iter().find(wanted).expect("it was just there").clone()),
            Ok(Err(_)) => Err(anyhow!("the watch ended")),
            Err(_) => {
                Err(anyhow!("not within {} s: {what}; {}", patience.as_secs_f32(), self.timeline()))
            }
        }
    }

    /// An error if any sight so far is one for which `is` holds.
    pub fn never(&self, what: &str, is: impl Fn(&Observed<K>) -> bool) -> Result<()> {
        let found = self.sights().into_iter().filter(|sight| is(sight)).count();
        ensure!(found == 0, "seen {found} times: {what}; {}", self.timeline());
        Ok(())
    }

    /// The last sights, for people.
    pub fn timeline(&self) -> String {
        let sights = self.sights();
        let hidden = sights.len().saturating_sub(SHOWN);
        let lines: Vec<String> = sights[hidden..]
            .iter()
            .map(|sight| {
                let after = sight.at.saturating_duration_since(self.began).as_secs_f32();
                let gone = if sight.gone { " GONE" } else { "" };
                format!("\n      {after:7.2} s{gone} {}", (self.text)(&sight.object))
            })
            .collect();
        format!("of {} sights the last ones:{}", sights.len(), lines.concat())
    }
}

impl Observer<ConnectivityTest> {
    /// An error if the test ever said that the network is wrong.
    pub fn accuses_nobody(&self) -> Result<()> {
        self.never("a Leak or Blocked", |sight| status::accuses(&sight.object))
    }
}

impl Observer<Pod> {
    /// Watches the pods of a namespace.
    pub async fn of_pods(home: &TestNamespace) -> Result<Self> {
        Self::start(home.api(), None, stand_ins::text).await
    }
}

impl<K> Log<K> {
    fn note(&mut self, event: Event<K>) {
        let (object, gone) = match event {
            Event::Init => return,
            Event::InitDone => {
                self.complete = true;
                return;
            }
            Event::Apply(object) | Event::InitApply(object) => (object, false),
            Event::Delete(object) => (object, true),
        };
        self.sights.push(Observed { at: Instant::now(), object: Arc::new(object), gone });
    }
}
