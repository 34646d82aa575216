//! Attempts one connection and says what happened.

mod errno;
mod tcp;
mod udp;

use std::{fmt, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use crate::{
    challenge::Nonce,
    wire::{Outcome, Protocol},
};

/// Why this probe attempts nothing by SCTP, and does not listen for it.
pub const NO_SCTP: &str = "this version of the probe does not speak SCTP";

/// One connection to attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where to.
    pub target: SocketAddr,
    /// By which protocol.
    pub protocol: Protocol,
    /// The deadline of the whole attempt, proof included, counted from its first system call.
    pub timeout: Duration,
    /// What counts as connected.
    pub proof: Proof,
}

/// What the far end has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// An identity beside this nonce.
    Identity(Nonce),
    /// Any answer.
    Answer,
}

/// What an attempt found, and how long that took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// What happened.
    pub outcome: Outcome,
    /// From the first system call to the outcome.
    pub elapsed: Duration,
}

/// Attempts a connection.
pub async fn dial(attempt: &Attempt) -> Attempted {
    let start = Instant::now();
    let outcome = match attempt.protocol {
        Protocol::Tcp => tcp::dial(attempt, start).await,
        Protocol::Udp => udp::dial(attempt, start).await,
        Protocol::Sctp => failed(format_args!("protocol not supported: {NO_SCTP}")),
    };
    Attempted { outcome, elapsed: start.elapsed() }
}

fn failed(why: fmt::Arguments<'_>) -> Outcome {
    Outcome::Failed { why: why.to_string() }
}
