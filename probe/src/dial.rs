//! Attempts one connection and says what happened.

mod errno;
mod tcp;
mod udp;

use std::{fmt, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, time::Instant};

use crate::{
    challenge::Nonce,
    wire::{Fate, Outcome, Protocol},
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
    pub proof: DialProof,
}

/// What the far end has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialProof {
    /// An identity beside this nonce.
    Identity(Nonce),
    /// Any answer.
    Answer,
}

/// A connection to open and keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Where to.
    pub target: SocketAddr,
    /// The deadline of the handshake and the proof together.
    pub timeout: Duration,
    /// What the far end must return beside its identity.
    pub nonce: Nonce,
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

/// Opens a TCP connection to another probe, which stays. The outcome says what happened; the
/// connection is there if that is connected.
pub async fn hold(hold: &Hold) -> (Attempted, Option<TcpStream>) {
    let start = Instant::now();
    let (outcome, stream) = tcp::hold(hold, start).await;
    (Attempted { outcome, elapsed: start.elapsed() }, stream)
}

/// Asks on a connection that stays, and says what became of it.
pub async fn touch(stream: &mut TcpStream, nonce: &Nonce, patience: Duration) -> Fate {
    tcp::touch(stream, nonce, patience).await
}

fn failed(why: fmt::Arguments<'_>) -> Outcome {
    Outcome::Failed { why: why.to_string() }
}
