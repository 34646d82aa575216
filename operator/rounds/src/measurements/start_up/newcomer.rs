//! A newcomer: a new stand-in that is being attempted.

use std::sync::Arc;

use netproof_conformance::matrix::Cell;
use tokio::sync::watch;

use super::Sender;
use crate::engine::{round::FlowAttempt, session::Session};

/// The near end of a [`search`](super::search), which passes on what becomes known of the newcomer.
pub struct Newcomer {
    arrival: watch::Sender<Option<Arc<Session>>>,
    /// The flows by which it is attempted, and whether the policies still deny each.
    flows: Vec<(Cell, watch::Sender<bool>)>,
}

/// What a [`search`](super::search) takes: the senders, and the channel by which the newcomer's
/// session arrives.
pub type Searching = (Vec<Sender>, watch::Receiver<Option<Arc<Session>>>);

impl Newcomer {
    /// A newcomer that is about to start, attempted by those of these flows for which `sender`
    /// returns a probe. What the search finds is in the order of [`cells`](Self::cells). None if no
    /// flow has a sender.
    pub fn greet(
        cells: Vec<Cell>,
        sender: impl Fn(&Cell) -> Option<(FlowAttempt, Arc<Session>)>,
    ) -> Option<(Self, Searching)> {
        let (mut flows, mut senders) = (Vec::new(), Vec::new());
        for cell in cells {
            let Some((flow, session)) = sender(&cell) else { continue };
            let (tell, denied) = watch::channel(true);
            senders.push(Sender { flow, session, denied });
            flows.push((cell, tell));
        }
        if flows.is_empty() {
            return None;
        }
        let arrival = watch::Sender::new(None);
        let arriving = arrival.subscribe();
        Some((Self { arrival, flows }, (senders, arriving)))
    }

    /// The flows by which it is attempted, in the order of the search's results.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &Cell> {
        self.flows.iter().map(|(cell, _)| cell)
    }

    /// Takes note of what the policies deny now: the search ends for a flow that they deny no
    /// longer.
    pub fn expect(&self, is_denied: impl Fn(&Cell) -> bool) {
        for (cell, denied) in &self.flows {
            if !is_denied(cell) {
                denied.send_replace(false);
            }
        }
    }

    /// Whether the newcomer's own probe has spoken.
    pub fn has_arrived(&self) -> bool {
        self.arrival.borrow().is_some()
    }

    /// Hands over the session of the newcomer's own probe.
    pub fn arrived(&self, session: Arc<Session>) {
        self.arrival.send_replace(Some(session));
    }
}
