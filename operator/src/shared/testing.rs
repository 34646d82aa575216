//! What tests of parts of the operator share with those parts.

use std::sync::{Arc, OnceLock};

use kube::Client;
use tokio::sync::watch;

use super::Shared;
use crate::{lease::Standing, metrics::Metrics};
use netproof_rounds::{reports::Reports, world::World};

/// What an operator shares that asks with one client for everything, does not know who acts, and
/// has neither metrics nor reports yet.
pub(crate) fn shared(client: Client, world: watch::Receiver<Arc<World>>) -> Arc<Shared> {
    Arc::new(Shared {
        client: client.clone(),
        streaming: client,
        world,
        metrics: Metrics::new(),
        reports: Reports::default(),
        standing: watch::channel(Standing::Unknown(String::new())).1,
        installation: OnceLock::new(),
    })
}
