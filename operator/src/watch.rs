//! Follows the objects of one kind, with a sign of life for each answer of the API server.
//!
//! kube-runtime's watcher swallows bookmarks, so that a store fed by it cannot tell a quiet cluster
//! from a dead stream. Here each bookmark, event and list is a sign of life with a time.

use std::time::Duration;

use futures::StreamExt;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tracing::{debug, warn};

use crate::backoff::{Backoff, LIVED};
use netproof_rounds::change::{Blind, ObjectChange};

/// The age at which the API server is asked to end a watch, in seconds: below the idle limits of
/// load balancers (about 240 s). It sends a bookmark about every minute until then.
const WATCH_SECONDS: u32 = 180;

/// How many objects one page of a list has at most.
const PAGE: u32 = 500;

/// Which objects of a kind are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All objects of the kind.
    All,
    /// The objects that have this label, with any value.
    Labelled(&'static str),
    /// The object of this name, in a kind without namespaces.
    Named(String),
}

impl Which {
    fn labels(&self) -> Option<String> {
        match self {
            Self::Labelled(label) => Some((*label).to_owned()),
            Self::All | Self::Named(_) => None,
        }
    }

    fn fields(&self) -> Option<String> {
        match self {
            Self::Named(name) => Some(format!("metadata.name={name}")),
            Self::All | Self::Labelled(_) => None,
        }
    }
}

/// The task that follows objects, until this is dropped.
pub struct Following {
    changes: mpsc::Receiver<ObjectChange>,
    task: JoinHandle<()>,
}

impl Following {
    /// Begins to follow: the first change is the whole list, or why it could not be had.
    pub fn begin(api: Api<DynamicObject>, which: Which) -> Self {
        let (sender, changes) = mpsc::channel(64);
        Self { changes, task: tokio::spawn(follow(api, which, sender)) }
    }

    /// Waits for the next change; none if the task panicked. Cancel safe: no change is lost.
    pub async fn next(&mut self) -> Option<ObjectChange> {
        self.changes.recv().await
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows these objects of `api` until the receiver of `changes` is gone. After a failure it sends
/// [`ObjectChange::Blind`], and lists anew after a backoff.
pub async fn follow(api: Api<DynamicObject>, which: Which, changes: mpsc::Sender<ObjectChange>) {
    let mut backoff = Backoff::default();
    while let Err(error) = follow_once(&api, &which, &changes, &mut backoff).await {
        if changes.is_closed() {
            return;
        }
        let delay = backoff.next();
        warn!(%error, ?delay, "Watch failed");
        if changes.send(ObjectChange::Blind(error.blind())).await.is_err() {
            return;
        }
        tokio::time::sleep(delay).await;
    }
}

/// Why a watch cannot go on, so that another list is due.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The API server refused a request, or did not answer.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// The watch ended before [`LIVED`]. If that happens again and again, only lists bring news.
    #[error("the watch ended after {} ms", .0.as_millis())]
    Short(Duration),
}

impl Failure {
    /// What is told of this failure to those that wait for the objects.
    fn blind(&self) -> Blind {
        match self {
            Self::Api(kube::Error::Api(status)) if status.code == 403 => {
                Blind::Forbidden(self.to_string())
            }
            Self::Api(_) | Self::Short(_) => Blind::Failed(self.to_string()),
        }
    }
}

/// Lists once, and watches from there on until a watch fails (an error) or the receiver is gone
/// (`Ok`).
async fn follow_once(
    api: &Api<DynamicObject>,
    which: &Which,
    changes: &mpsc::Sender<ObjectChange>,
    backoff: &mut Backoff,
) -> Result<(), Failure> {
    let (objects, mut version) = list(api, which).await?;
    if changes.send(ObjectChange::Reset(objects)).await.is_err() {
        return Ok(());
    }
    loop {
        let began = Instant::now();
        let ended = watch_once(api, which, &mut version, changes).await;
        let lived = began.elapsed();
        if lived >= LIVED {
            // Only a watch that lives ends the backoff; a list may succeed before each failure.
            backoff.reset();
        }
        match ended? {
            Ended::Unheard => return Ok(()),
            Ended::Over if lived < LIVED => return Err(Failure::Short(lived)),
            Ended::Over => debug!(version, "Watch ended, going on"),
        }
    }
}

/// Why a watch that did not fail ended.
enum Ended {
    /// The API server ended the watch, as it was asked to.
    Over,
    /// The receiver of the changes is gone.
    Unheard,
}

/// Watches once, from `version` on, and keeps `version` at the last that was seen.
async fn watch_once(
    api: &Api<DynamicObject>,
    which: &Which,
    version: &mut String,
    changes: &mpsc::Sender<ObjectChange>,
) -> Result<Ended, kube::Error> {
    let mut params = WatchParams::default().timeout(WATCH_SECONDS);
    params.label_selector = which.labels();
    params.field_selector = which.fields();
    let mut events = api.watch(&params, version).await?.boxed();
    while let Some(event) = events.next().await {
        let change = match event? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                *version = object.resource_version().unwrap_or_else(|| version.clone());
                ObjectChange::Applied(Box::new(object))
            }
            WatchEvent::Deleted(object) => {
                *version = object.resource_version().unwrap_or_else(|| version.clone());
                ObjectChange::Deleted(Box::new(object))
            }
            WatchEvent::Bookmark(bookmark) => {
                *version = bookmark.metadata.resource_version;
                ObjectChange::Alive
            }
            // Among these is 410 Gone: the API server has forgotten the history since `version`.
            WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
        };
        if changes.send(change).await.is_err() {
            return Ok(Ended::Unheard);
        }
    }
    Ok(Ended::Over)
}

/// Lists these objects, page by page, and returns them with the version of the list.
pub(crate) async fn list(
    api: &Api<DynamicObject>,
    which: &Which,
) -> Result<(Vec<DynamicObject>, String), kube::Error> {
    let mut objects = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    params.label_selector = which.labels();
    params.field_selector = which.fields();
    loop {
        let page = api.list(&params).await?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok((objects, page.metadata.resource_version.unwrap_or_default())),
        }
    }
}

/// The names of a typed resource, as a client of untyped objects needs them.
pub(crate) fn erased<K>() -> ApiResource
where
    K: kube::Resource,
    K::DynamicType: Default,
{
    ApiResource::erase::<K>(&K::DynamicType::default())
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
