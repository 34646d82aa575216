//! What is known of the lab at a moment: the objects as an operator would know them, and who
//! speaks.

use std::sync::Arc;

use tokio::sync::watch;

use super::scene::Scene;
use netproof_rounds::engine::round::Sessions;

/// What is known at a moment.
#[derive(Clone)]
pub struct Stage {
    /// What is there, and what is asked of it.
    pub scene: Arc<Scene>,
    /// The probes that speak.
    pub sessions: Sessions,
}

/// Follows it.
pub type Stages = watch::Receiver<Arc<Stage>>;
