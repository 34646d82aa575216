//! Holds a connection that the policies allow, and says what becomes of it when they deny it.
//!
//! The API leaves open whether a new deny ends connections that exist: the result is a fact, and no
//! verdict.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use netproof_conformance::{
    expected::Expected,
    flow::{Port, Protocol},
    matrix::Cell,
};
use netproof_crds::ExistingConnections;
use netproof_probe::wire::{self, Op, Outcome, Reply};
use tokio::time::Instant;

use crate::engine::{
    round::silence,
    session::{Session, unexpected},
};

/// What a probe and its stream may add to the time of one request.
const SLACK: Duration = Duration::from_secs(2);

/// How long an answer on a held connection is waited for at least. Linux repeats a segment that
/// nobody acknowledged after 0.2, 0.6 and 1.4 s (RFC 6298, with its own shortest time): what was
/// lost once, or an end that was not scheduled for a moment, is made good by then.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection that a probe holds to another. Dropping it releases nothing: the probe gives the
/// connection up after [`wire::HOLD_S`].
pub struct HeldConnection {
    sender: Arc<Session>,
    name: u64,
    identity: String,
    /// When it last carried an answer: at the opening, or at the last [`refresh`](Self::refresh).
    pub alive: Instant,
}

/// What became of a connection when the policies began to deny it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It still carries questions and answers.
    Survives,
    /// It carries nothing any more, although both probes speak and the receiver listens; and how
    /// that shows.
    Cut(String),
    /// There is no evidence either way, and why.
    Unknown(String),
}

/// How many connections met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// How many still carried questions and answers.
    pub survived: u32,
    /// How many carried nothing any more.
    pub cut: u32,
}

impl Fates {
    /// Counts a fate; [`Fate::Unknown`] is not counted.
    pub fn count(&mut self, fate: &Fate) {
        match fate {
            Fate::Survives => self.survived += 1,
            Fate::Cut(_) => self.cut += 1,
            Fate::Unknown(_) => {}
        }
    }

    /// What the counts say of the network; none if nothing was counted.
    pub fn fact(self) -> Option<ExistingConnections> {
        match (self.survived, self.cut) {
            (0, 0) => None,
            (1.., 0) => Some(ExistingConnections::Survive),
            (0, 1..) => Some(ExistingConnections::Cut),
            (1.., 1..) => Some(ExistingConnections::Mixed),
        }
    }
}

/// Whether a connection of a flow can be held: over TCP, and where the policies allow it.
pub fn is_holdable(cell: &Cell, expected: &Expected) -> bool {
    cell.port.protocol == Protocol::Tcp && matches!(expected, Expected::Allow(_))
}

impl HeldConnection {
    /// Has a probe open a TCP connection to the probe with this identity, and hold it. An error
    /// says why there is none; a connection to another identity is released first. Ends by
    /// `timeout` and 4 s at the latest.
    pub async fn open(
        sender: Arc<Session>,
        target: SocketAddr,
        identity: &str,
        timeout: Duration,
    ) -> Result<Self, String> {
        let op = Op::Hold { target, timeout_ms: millis(timeout), nonce: crate::clock::nonce() };
        let reply = sender.request(op, Instant::now() + timeout + SLACK).await;
        match reply.map_err(|error| error.to_string())? {
            Reply::Held {
                held: Some(name),
                outcome: Outcome::Connected { identity: found },
                ..
            } => {
                let held = Self { sender, name, identity: identity.into(), alive: Instant::now() };
                if found.as_deref() == Some(identity) {
                    return Ok(held);
                }
                held.release().await;
                Err(format!("connected to {} instead of {identity}", found.unwrap_or_default()))
            }
            Reply::Held { outcome, .. } => Err(format!("not connected: {outcome:?}")),
            other => Err(unexpected(&other).to_string()),
        }
    }

    /// Asks once on the connection, while the policies allow it, which also keeps the probe from
    /// giving it up. Returns the connection if it is alive: one that has ended already says nothing
    /// of a later deny.
    pub async fn refresh(mut self, timeout: Duration) -> Option<Self> {
        let alive = matches!(self.touch(timeout.max(PATIENCE)).await, Ok(wire::Fate::Alive { .. }));
        self.alive = Instant::now();
        alive.then_some(self)
    }

    /// What became of the connection. To be asked once the policies deny it and new attempts are
    /// seen to be denied. A cut is believed only if the receiver's listener still answers. A
    /// connection that survives is released.
    pub async fn fate(self, receiver: &Session, port: Port, timeout: Duration) -> Fate {
        let timeout = timeout.max(PATIENCE);
        let touched = self.touch(timeout).await;
        let how = match touched {
            Ok(wire::Fate::Alive { identity }) if identity == self.identity => {
                self.release().await;
                return Fate::Survives;
            }
            Ok(wire::Fate::Alive { identity }) => {
                return Fate::Unknown(format!("{identity} answered instead of {}", self.identity));
            }
            Ok(wire::Fate::Silent) => format!("nothing came back within {timeout:?}"),
            Ok(wire::Fate::Closed { why }) => why,
            Ok(wire::Fate::NotHeld) => return Fate::Unknown("its probe gave it up".into()),
            Ok(wire::Fate::Failed { why }) | Err(why) => return Fate::Unknown(why),
        };
        let listeners = receiver.listeners().await;
        let listeners = listeners.map_err(|error| error.to_string());
        match silence(Some(&listeners), port) {
            None => Fate::Cut(how),
            Some(why) => Fate::Unknown(why),
        }
    }

    /// Has the probe close the connection. An error is ignored, since the probe gives it up by
    /// itself.
    pub async fn release(self) {
        let op = Op::Release { held: self.name };
        // A probe that cannot be asked gives the connection up by itself.
        drop(self.sender.request(op, Instant::now() + SLACK).await);
    }

    async fn touch(&self, timeout: Duration) -> Result<wire::Fate, String> {
        let op = Op::Touch {
            held: self.name,
            nonce: crate::clock::nonce(),
            timeout_ms: millis(timeout),
        };
        let reply = self.sender.request(op, Instant::now() + timeout + SLACK).await;
        match reply.map_err(|error| error.to_string())? {
            Reply::Touched { fate, .. } => Ok(fate),
            other => Err(unexpected(&other).to_string()),
        }
    }
}

fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).clamp(1, wire::MAX_TIMEOUT_MS)
}

#[cfg(test)]
#[path = "existing_tests.rs"]
mod tests;
