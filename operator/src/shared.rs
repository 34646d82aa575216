//! What all parts of the operator share: clients of the API server, the World, metrics and reports.

#[cfg(test)]
pub(crate) mod testing;

use std::sync::{Arc, OnceLock};

use kube::Client;
use tokio::sync::watch;

use crate::{lease::Standing, metrics::Metrics};
use netproof_rounds::{reports::Reports, world::World};

/// What all tests share, and what is served about them.
pub struct Shared {
    /// The client for requests that are no streams.
    pub client: Client,
    /// The client for attachments and the controller's watches, without a deadline for the whole.
    pub streaming: Client,
    /// What is known of the cluster, as it was last published.
    pub world: watch::Receiver<Arc<World>>,
    /// The metrics that `/metrics` serves.
    pub metrics: Metrics,
    /// The last view of each test, which `/matrix` and `/flows` serve.
    pub reports: Reports,
    /// How this operator stands to the Lease.
    pub standing: watch::Receiver<Standing>,
    /// The installation that this operator is part of, once that is known.
    pub installation: OnceLock<String>,
}
