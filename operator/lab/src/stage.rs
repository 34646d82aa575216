//! What is known of the lab at a moment: the objects as an operator would know them, and the
//! sessions.

use std::sync::Arc;

use tokio::sync::watch;

use super::scene::Scene;
use netproof_rounds::engine::round::Sessions;

/// What is known of the lab at a moment.
#[derive(Clone)]
pub struct Stage {
    /// What was put onto the network, and what is asked of it.
    pub scene: Arc<Scene>,
    /// The sessions of the pods' probes.
    pub sessions: Sessions,
}

/// Follows the stages of a lab.
pub type Stages = watch::Receiver<Arc<Stage>>;
