//! Attempts an exchange of UDP datagrams.
//!
//! The socket is connected, so the kernel passes on only what comes from the target, its ICMP
//! errors included.

use std::{io, net::SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::{Attempt, DialProof, errno, failed};
use crate::{
    challenge::{self, MAX_ANSWER, Nonce},
    wire::Outcome,
};

pub(super) async fn dial(attempt: &Attempt, start: Instant) -> Outcome {
    let socket = match open(attempt.target) {
        Ok(socket) => socket,
        Err(error) => return failed(format_args!("no socket: {error}")),
    };
    if let Err(error) = socket.connect(&attempt.target.into()) {
        return errno::outcome(&error);
    }
    match UdpSocket::from_std(socket.into()) {
        Ok(socket) => ask_until_answered(&socket, attempt, start).await,
        Err(error) => failed(format_args!("no socket: {error}")),
    }
}

fn open(target: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(target), Type::DGRAM.nonblocking().cloexec(), None)
}

/// Sends the question at the start and after a quarter and a half of the time: the loss of one
/// datagram is no evidence.
async fn ask_until_answered(socket: &UdpSocket, attempt: &Attempt, start: Instant) -> Outcome {
    let question = question(&attempt.proof);
    let whole = attempt.timeout;
    for until in [whole / 4, whole / 2, whole] {
        let exchange = exchange(socket, &question, &attempt.proof);
        match timeout_at(start + until, exchange).await {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(error)) => return errno::outcome(&error),
            Err(_) => {}
        }
    }
    Outcome::TimedOut
}

/// A stranger is sent a question too, since something has to be; it may answer what it likes.
fn question(proof: &DialProof) -> Vec<u8> {
    match proof {
        DialProof::Identity(nonce) => challenge::ask(nonce),
        DialProof::Answer => challenge::ask(&Nonce::fresh()),
    }
}

/// Sends the question once and waits for what answers it. Anything else is passed over: over UDP
/// it may be the late answer to somebody who had this port before.
async fn exchange(socket: &UdpSocket, question: &[u8], proof: &DialProof) -> io::Result<Outcome> {
    socket.send(question).await?;
    // One byte more than an answer has, so that a longer datagram is not cut into one.
    let mut buffer = [0; MAX_ANSWER + 1];
    loop {
        let count = socket.recv(&mut buffer).await?;
        match proof {
            DialProof::Answer => return Ok(Outcome::Connected { identity: None }),
            DialProof::Identity(nonce) => {
                if let Ok(identity) = challenge::proven(&buffer[..count], nonce) {
                    return Ok(Outcome::Connected { identity: Some(identity.to_owned()) });
                }
            }
        }
    }
}
