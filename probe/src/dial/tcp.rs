//! Attempts a TCP connection.
//!
//! Once the handshake is complete no outcome may read as "did not connect": a far end that
//! connects and then shows no proof is [`Outcome::Failed`], which is never evidence.

use std::{io, net::SocketAddr, time::Duration};

use socket2::SockRef;
use thiserror::Error;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout, timeout_at},
};

use super::{Attempt, DialProof, Hold, bind, errno, failed};
use crate::{
    challenge::{self, MAX_ANSWER, NoProof, Nonce},
    short_line,
    source_ports::SourcePorts,
    wire::{Fate, Outcome, Protocol},
};

/// Why a connection proved nothing. Completes "connected, but ".
#[derive(Debug, Error)]
enum NotProven {
    #[error("there was no proof of identity before the deadline")]
    TooLate,
    #[error("the far end closed without proof of identity")]
    Closed,
    #[error("{0} came before a proof of identity")]
    Broken(#[from] io::Error),
    #[error(transparent)]
    NoProof(#[from] NoProof),
}

pub(super) async fn dial(
    attempt: &Attempt,
    ports: &SourcePorts,
    start: Instant,
) -> (Outcome, Option<u16>) {
    let asks = matches!(attempt.proof, DialProof::Identity(_));
    let (socket, source_port) = match open(attempt.target, asks, attempt.source_port, ports) {
        Ok(opened) => opened,
        Err(why) => return (why, None),
    };
    let mut connected = false;
    let whole = connect_and_prove(socket, attempt, &mut connected);
    let outcome = match timeout_at(start + attempt.timeout, whole).await {
        Ok(outcome) => outcome,
        Err(_) if connected => unproven(&NotProven::TooLate),
        Err(_) => Outcome::TimedOut,
    };
    (outcome, Some(source_port))
}

pub(super) async fn hold(
    hold: &Hold,
    ports: &SourcePorts,
    start: Instant,
) -> (Outcome, Option<u16>, Option<TcpStream>) {
    let (socket, source_port) = match open(hold.target, true, None, ports) {
        Ok((socket, source_port)) => (socket, Some(source_port)),
        Err(why) => return (why, None, None),
    };
    let mut connected = false;
    let whole = async {
        let mut stream = socket.connect(hold.target).await.map_err(|e| errno::outcome(&e))?;
        connected = true;
        let question = challenge::ask_and_stay(&hold.nonce);
        match prove(&mut stream, &question, &hold.nonce).await {
            Ok(identity) => Ok((Outcome::Connected { identity: Some(identity) }, stream)),
            Err(why) => Err(unproven(&why)),
        }
    };
    match timeout_at(start + hold.timeout, whole).await {
        Ok(Ok((outcome, stream))) => (outcome, source_port, Some(stream)),
        Ok(Err(outcome)) => (outcome, source_port, None),
        Err(_) if connected => (unproven(&NotProven::TooLate), source_port, None),
        Err(_) => (Outcome::TimedOut, source_port, None),
    }
}

pub(super) async fn touch(stream: &mut TcpStream, nonce: &Nonce, patience: Duration) -> Fate {
    let question = challenge::ask_and_stay(nonce);
    match timeout(patience, prove(stream, &question, nonce)).await {
        Err(_) => Fate::Silent,
        Ok(Ok(identity)) => Fate::Alive { identity },
        Ok(Err(NotProven::Closed)) => Fate::Closed { why: "end of stream".to_owned() },
        // ETIMEDOUT: the kernel gave up repeating what nobody acknowledged.
        Ok(Err(NotProven::Broken(error))) if error.kind() == io::ErrorKind::TimedOut => {
            Fate::Silent
        }
        Ok(Err(NotProven::Broken(error))) => Fate::Closed { why: error.to_string() },
        Ok(Err(why @ (NotProven::NoProof(_) | NotProven::TooLate))) => {
            Fate::Failed { why: why.to_string() }
        }
    }
}

/// Makes a socket that is not connected yet, and returns it with its source port. `asks` says that
/// a question follows the handshake at once.
fn open(
    target: SocketAddr,
    asks: bool,
    source_port: Option<u16>,
    ports: &SourcePorts,
) -> Result<(TcpSocket, u16), Outcome> {
    let opened = || -> io::Result<(TcpSocket, u16)> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Closing sends a reset: no TIME_WAIT is left behind, so the ephemeral ports last.
        socket.set_zero_linger()?;
        if asks {
            // The handshake's last packet can carry the question: that saves a packet, and waking
            // the listener once.
            SockRef::from(&socket).set_tcp_quickack(false)?;
        }
        let socket_ref = SockRef::from(&socket);
        let source_port = bind(&socket_ref, Protocol::Tcp, target, source_port, ports)?;
        Ok((socket, source_port))
    };
    opened().map_err(|error| failed(format_args!("no socket: {error}")))
}

async fn connect_and_prove(socket: TcpSocket, attempt: &Attempt, connected: &mut bool) -> Outcome {
    let mut stream = match socket.connect(attempt.target).await {
        Ok(stream) => stream,
        Err(error) => return errno::outcome(&error),
    };
    *connected = true;
    match &attempt.proof {
        DialProof::Answer => Outcome::Connected { identity: None },
        DialProof::Identity(nonce) => match prove(&mut stream, &challenge::ask(nonce), nonce).await
        {
            Ok(identity) => Outcome::Connected { identity: Some(identity) },
            Err(why) => unproven(&why),
        },
    }
}

async fn prove(
    stream: &mut TcpStream,
    question: &[u8],
    nonce: &Nonce,
) -> Result<String, NotProven> {
    stream.write_all(question).await?;
    let mut buffer = [0; MAX_ANSWER];
    let received = short_line::read(stream, &mut buffer).await?;
    if received.is_empty() {
        return Err(NotProven::Closed);
    }
    Ok(challenge::proven(received, nonce)?.to_owned())
}

fn unproven(why: &NotProven) -> Outcome {
    failed(format_args!("connected, but {why}"))
}
