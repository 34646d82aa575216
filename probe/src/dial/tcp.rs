//! Attempts a TCP connection.
//!
//! Once the handshake is complete nothing that follows may read as "did not connect": a far end
//! that connects and then shows no proof is [`Outcome::Failed`], which is never evidence.

use std::io;

use socket2::SockRef;
use thiserror::Error;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout_at},
};

use super::{Attempt, Proof, errno, failed};
use crate::{
    challenge::{self, MAX_ANSWER, NoProof, Nonce},
    short_line,
    wire::Outcome,
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

pub(super) async fn dial(attempt: &Attempt, start: Instant) -> Outcome {
    let socket = match open(attempt) {
        Ok(socket) => socket,
        Err(error) => return failed(format_args!("no socket: {error}")),
    };
    let mut connected = false;
    let whole = connect_and_prove(socket, attempt, &mut connected);
    match timeout_at(start + attempt.timeout, whole).await {
        Ok(outcome) => outcome,
        Err(_) if connected => unproven(&NotProven::TooLate),
        Err(_) => Outcome::TimedOut,
    }
}

fn open(attempt: &Attempt) -> io::Result<TcpSocket> {
    let socket = if attempt.target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Closing sends a reset: no TIME_WAIT is left behind, so the ephemeral ports last.
    socket.set_zero_linger()?;
    if let Proof::Identity(_) = attempt.proof {
        // The question follows the handshake at once, so its last packet can carry the question:
        // one packet and one waking of the listener less.
        SockRef::from(&socket).set_tcp_quickack(false)?;
    }
    Ok(socket)
}

async fn connect_and_prove(socket: TcpSocket, attempt: &Attempt, connected: &mut bool) -> Outcome {
    let mut stream = match socket.connect(attempt.target).await {
        Ok(stream) => stream,
        Err(error) => return errno::outcome(&error),
    };
    *connected = true;
    match &attempt.proof {
        Proof::Answer => Outcome::Connected { identity: None },
        Proof::Identity(nonce) => match prove(&mut stream, nonce).await {
            Ok(identity) => Outcome::Connected { identity: Some(identity) },
            Err(why) => unproven(&why),
        },
    }
}

async fn prove(stream: &mut TcpStream, nonce: &Nonce) -> Result<String, NotProven> {
    stream.write_all(&challenge::ask(nonce)).await?;
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
