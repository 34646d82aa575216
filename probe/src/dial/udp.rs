//! Attempts an exchange of UDP datagrams.
//!
//! The socket is connected, so the kernel passes on only what comes from the target, its ICMP
//! errors included.

use std::io;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::{Attempt, DialProof, bind, errno, failed};
use crate::{
    challenge::{self, MAX_ANSWER, Nonce},
    source_ports::SourcePorts,
    wire::Outcome,
};

pub(super) async fn dial(
    attempt: &Attempt,
    ports: &SourcePorts,
    start: Instant,
) -> (Outcome, Option<u16>) {
    let (socket, source_port) = match open(attempt, ports) {
        Ok(opened) => opened,
        Err(error) => return (failed(format_args!("no socket: {error}")), None),
    };
    let outcome = match socket.connect(&attempt.target.into()) {
        Ok(()) => match UdpSocket::from_std(socket.into()) {
            Ok(socket) => ask_until_answered(&socket, attempt, start).await,
            Err(error) => failed(format_args!("no socket: {error}")),
        },
        Err(error) => errno::outcome(&error),
    };
    (outcome, Some(source_port))
}

fn open(attempt: &Attempt, ports: &SourcePorts) -> io::Result<(Socket, u16)> {
    let Attempt { target, protocol, source_port, .. } = *attempt;
    let domain = Domain::for_address(target);
    let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), None)?;
    let source_port = bind(&SockRef::from(&socket), protocol, target, source_port, ports)?;
    Ok((socket, source_port))
}

/// Sends the question at the start, after a quarter and after half of the attempt's time, because
/// the loss of one datagram is no evidence.
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

/// The question to send. [`DialProof::Answer`] gets one too, since something has to be sent.
fn question(proof: &DialProof) -> Vec<u8> {
    match proof {
        DialProof::Identity(nonce) => challenge::ask(nonce),
        DialProof::Answer => challenge::ask(&Nonce::fresh()),
    }
}

/// Sends the question once and waits for its answer, without a deadline. Other datagrams are
/// passed over: they may be late answers to a socket that had this port before.
async fn exchange(socket: &UdpSocket, question: &[u8], proof: &DialProof) -> io::Result<Outcome> {
    socket.send(question).await?;
    // One byte more than the longest answer, so that no longer datagram is cut down to an answer.
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
