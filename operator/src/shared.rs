//! What all parts of the operator share: the ways to the API server, the picture of the cluster,
//! and what others may ask for.

use std::sync::{Arc, OnceLock};

use kube::Client;
use tokio::sync::watch;

use crate::{lease::Standing, metrics::Metrics};
use netproof_rounds::{reports::Reports, world::World};

/// What all tests share, and what is asked about them from outside.
pub struct Shared {
    /// For requests that end.
    pub client: Client,
    /// For attachments.
    pub streaming: Client,
    /// The picture of the cluster.
    pub world: watch::Receiver<Arc<World>>,
    /// The figures.
    pub metrics: Metrics,
    /// What can be asked about tests.
    pub reports: Reports,
    /// Whether this operator acts, or another one.
    pub standing: watch::Receiver<Standing>,
    /// The installation that it is part of, once that is known.
    pub installation: OnceLock<String>,
}
