//! Attempts one connection and says what happened.

mod errno;
mod tcp;
mod udp;

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::SockRef;
use tokio::{net::TcpStream, time::Instant};

use crate::{
    challenge::Nonce,
    source_ports::SourcePorts,
    wire::{Fate, Outcome, Protocol},
};

/// Why this probe attempts nothing by SCTP, and does not listen for it.
pub const NO_SCTP: &str = "this version of the probe does not speak SCTP";

/// One connection to attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The far end's address and port.
    pub target: SocketAddr,
    /// The protocol of the attempt.
    pub protocol: Protocol,
    /// The deadline of the whole attempt, proof included, counted from its first system call.
    pub timeout: Duration,
    /// What the far end has to show to count as connected.
    pub proof: DialProof,
    /// The port that the attempt comes from; none for one that [`SourcePorts`] chooses.
    pub source_port: Option<u16>,
}

/// What the far end has to show to count as connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialProof {
    /// An identity beside this nonce.
    Identity(Nonce),
    /// Any answer: over TCP a handshake, over UDP a datagram.
    Answer,
}

/// A connection to open and keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The far end's address and port.
    pub target: SocketAddr,
    /// The deadline of the handshake and the proof together.
    pub timeout: Duration,
    /// What the far end must return beside its identity.
    pub nonce: Nonce,
}

/// What an attempt found, and how long the attempt took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// What the probe saw.
    pub outcome: Outcome,
    /// The port that the attempt came from; none if there was no socket.
    pub source_port: Option<u16>,
    /// From the first system call to the outcome.
    pub elapsed: Duration,
}

/// Attempts a connection, and closes it. Ends at the attempt's deadline. Dropping the future ends
/// the attempt.
pub async fn dial(attempt: &Attempt, ports: &SourcePorts) -> Attempted {
    let start = Instant::now();
    let (outcome, source_port) = match attempt.protocol {
        Protocol::Tcp => tcp::dial(attempt, ports, start).await,
        Protocol::Udp => udp::dial(attempt, ports, start).await,
        Protocol::Sctp => (failed(format_args!("protocol not supported: {NO_SCTP}")), None),
    };
    Attempted { outcome, source_port, elapsed: start.elapsed() }
}

/// Opens a TCP connection to another probe. There is a stream if and only if the outcome is
/// [`Outcome::Connected`]. Ends at the deadline of `hold`.
pub async fn hold(hold: &Hold, ports: &SourcePorts) -> (Attempted, Option<TcpStream>) {
    let start = Instant::now();
    let (outcome, source_port, stream) = tcp::hold(hold, ports, start).await;
    (Attempted { outcome, source_port, elapsed: start.elapsed() }, stream)
}

/// Asks on a connection that [`hold`] opened, and says what became of the connection within
/// `patience`. After any [`Fate`] but [`Fate::Alive`] the stream is of no more use.
pub async fn touch(stream: &mut TcpStream, nonce: &Nonce, patience: Duration) -> Fate {
    tcp::touch(stream, nonce, patience).await
}

/// Binds a socket to the port `asked`, or else to the first port from `ports` that no other socket
/// has, and returns the port.
fn bind(
    socket: &SockRef<'_>,
    protocol: Protocol,
    target: SocketAddr,
    asked: Option<u16>,
    ports: &SourcePorts,
) -> io::Result<u16> {
    let others = asked.is_none().then(|| ports.towards(protocol, target));
    let mut error = io::ErrorKind::AddrNotAvailable.into();
    for port in asked.into_iter().chain(others.into_iter().flatten()) {
        let source = match target {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        };
        match socket.bind(&source.into()) {
            Ok(()) => return Ok(port),
            Err(why) => error = why,
        }
    }
    Err(error)
}

fn failed(why: fmt::Arguments<'_>) -> Outcome {
    Outcome::Failed { why: why.to_string() }
}
