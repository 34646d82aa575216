//! Finds out which installation of netproof this operator is part of, and counts the stand-ins of
//! others.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tracing::warn;

use crate::{
    backoff::Backoff,
    foreign::{Foreign, foreign},
    shared::Shared,
};
use netproof_rounds::world::World;

/// The least time between two counts.
const PAUSE: Duration = Duration::from_secs(5);

/// The UID of the operator's namespace, which names the installation: other images leave it the
/// same, and a namespace made anew is another installation. Asks until the API server answers, with
/// a backoff and without a deadline.
pub async fn find(client: &Client, namespace: &str) -> String {
    let api = Api::<Namespace>::all(client.clone());
    let mut backoff = Backoff::default();
    loop {
        match api.get(namespace).await.map(|namespace| namespace.uid()) {
            Ok(Some(uid)) => return uid,
            Ok(None) => warn!(namespace, "Own namespace has no UID"),
            Err(error) => warn!(namespace, %error, "Own namespace cannot be looked up"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Counts foreign stand-ins into the metrics, and logs one of each kind when their number changes.
/// Ends when the sender of `world` is gone.
pub async fn census(
    shared: Arc<Shared>,
    installation: String,
    mut world: watch::Receiver<Arc<World>>,
) {
    let mut before = BTreeMap::new();
    while world.changed().await.is_ok() {
        let found = foreign(&Arc::clone(&world.borrow_and_update()), &installation);
        let counts = Foreign::ALL.map(|why| (why, found.get(&why).map_or(0, Vec::len)));
        for (why, count) in counts {
            shared.metrics.foreign(why, count);
            if before.insert(why, count).unwrap_or(0) != count
                && let Some(pod) = found.get(&why).and_then(|pods| pods.first())
            {
                let why = why.word();
                warn!(why, count, %pod, "Pods look like stand-ins and are not ours: left alone");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
