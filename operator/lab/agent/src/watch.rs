//! Follows the cluster: every change to a pod, namespace or policy, as the small types that decide.

mod setting;
#[cfg(test)]
mod tests;

pub use self::setting::settings;

use std::{fmt::Debug, future::ready, time::Duration};

use futures::{Stream, StreamExt, stream::BoxStream};
use k8s_openapi::api::{core::v1, networking::v1::NetworkPolicy};
use kube::{
    Api, Client, Resource,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        utils::Backoff,
        watcher::{self, DefaultBackoff, Event},
    },
};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::{
    error::Invalid,
    policy::Policy,
    world::{Namespace, ObjectName, Pod, Table, World},
};

/// How long a watch lasts, in seconds, before the API server ends it and a new one takes over. A
/// watch that died silently is noticed a few seconds later.
const WATCH_SECONDS: u32 = 30;

/// The longest pause after errors, for which the network is wrong if it misses a change.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A change to the objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// The complete list: an object that is not in it is gone.
    Listed(Table<T>),
    /// An object that is new, or different.
    Put(ObjectName, T),
    /// An object that is gone, or of no more concern to policies.
    Removed(ObjectName),
}

/// A change to the world.
#[derive(Clone, Debug)]
pub enum Update {
    /// A change to its pods.
    Pods(Change<Pod>),
    /// A change to its namespaces.
    Namespaces(Change<Namespace>),
    /// A change to its policies.
    Policies(Change<Policy>),
}

/// All changes, starting with a complete list of each kind; the stream never ends. Errors are
/// logged, and requests are tried again after at most 2 s.
pub fn updates(client: &Client) -> BoxStream<'static, Update> {
    let pods = follow(client, Pod::parse).map(Update::Pods);
    let namespaces = follow(client, |object: v1::Namespace| Namespace::parse(object).map(Some));
    let policies = follow(client, |object: NetworkPolicy| Policy::parse(object).map(Some));
    futures::stream::select_all([
        pods.boxed(),
        namespaces.map(Update::Namespaces).boxed(),
        policies.map(Update::Policies).boxed(),
    ])
    .boxed()
}

fn follow<K, T>(
    client: &Client,
    parse: impl Fn(K) -> Result<Option<T>, Invalid> + Send + 'static,
) -> impl Stream<Item = Change<T>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    T: Send + 'static,
{
    // Guarded: one object that does not decode must not hide all the others.
    let api = Api::<DeserializeGuard<K>>::all(client.clone());
    let mut listing = Table::new();
    watcher::watcher(api, watcher::Config::default().timeout(WATCH_SECONDS))
        .backoff(Pause::default())
        .filter_map(move |event| {
            ready(match event {
                Ok(event) => change(&mut listing, event, &parse),
                Err(error) => {
                    warn!(kind = %K::kind(&()), %error, "Watch failed");
                    None
                }
            })
        })
}

/// The change that an event means, given the part of a list that came before it.
fn change<K: Resource<DynamicType = ()>, T>(
    listing: &mut Table<T>,
    event: Event<DeserializeGuard<K>>,
    parse: impl Fn(K) -> Result<Option<T>, Invalid>,
) -> Option<Change<T>> {
    match event {
        Event::Init => {
            listing.clear();
            None
        }
        Event::InitApply(object) => {
            let (name, parsed) = read(object, parse);
            listing.extend(parsed.map(|parsed| (name, parsed)));
            None
        }
        Event::InitDone => Some(Change::Listed(std::mem::take(listing))),
        Event::Apply(object) => Some(match read(object, parse) {
            (name, Some(parsed)) => Change::Put(name, parsed),
            (name, None) => Change::Removed(name),
        }),
        Event::Delete(object) => Some(Change::Removed(ObjectName::of(object.meta()))),
    }
}

fn read<K: Resource<DynamicType = ()>, T>(
    object: DeserializeGuard<K>,
    parse: impl Fn(K) -> Result<Option<T>, Invalid>,
) -> (ObjectName, Option<T>) {
    let name = ObjectName::of(object.meta());
    let parsed = object.0.map_err(|error| error.to_string());
    let parsed = parsed.and_then(|object| parse(object).map_err(|error| error.to_string()));
    let parsed = parsed.unwrap_or_else(|error| {
        warn!(kind = %K::kind(&()), ?name, error, "Object skipped");
        None
    });
    (name, parsed)
}

/// kube's pauses between attempts, shortened to [`LONGEST_PAUSE`].
#[derive(Default)]
struct Pause(DefaultBackoff);

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// The world as far as updates have told it, withheld until it is complete.
#[derive(Debug, Default)]
pub struct Mirror {
    world: World,
    listed: Listed,
}

/// The kinds that have been listed once.
#[derive(Debug, Default)]
struct Listed {
    pods: bool,
    namespaces: bool,
    policies: bool,
}

impl Mirror {
    /// Takes an update in.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::Pods(change) => self.listed.pods |= change.apply(&mut self.world.pods),
            Update::Namespaces(change) => {
                self.listed.namespaces |= change.apply(&mut self.world.namespaces);
            }
            Update::Policies(change) => {
                self.listed.policies |= change.apply(&mut self.world.policies);
            }
        }
    }

    /// The world, once every kind has been listed.
    pub fn world(&self) -> Option<&World> {
        let Listed { pods, namespaces, policies } = self.listed;
        (pods && namespaces && policies).then_some(&self.world)
    }
}

impl<T> Change<T> {
    /// Applies the change to a table. Returns whether it made the table complete.
    fn apply(self, table: &mut Table<T>) -> bool {
        match self {
            Self::Listed(rows) => {
                *table = rows;
                true
            }
            Self::Put(name, row) => {
                table.insert(name, row);
                false
            }
            Self::Removed(name) => {
                table.remove(&name);
                false
            }
        }
    }
}
