//! Dials real sockets on loopback, each far end with a fault of its own.

use std::{
    convert::Infallible,
    future::pending,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use netproof_probe::{
    challenge::{Identity, Nonce},
    dial::{Attempt, DialProof, dial},
    listen::{Limits, ListenPort, Listeners},
    source_ports::SourcePorts,
    wire::{Outcome, Protocol},
};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long a far end that answers may take, on a machine that is busy.
const PATIENT: Duration = Duration::from_secs(30);
/// How long to wait for a far end that never answers.
const BRIEF: Duration = Duration::from_millis(200);

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn identity_of(text: &str) -> Identity {
    Identity::new(text).expect("an identity")
}

fn nonce() -> Nonce {
    Nonce::new("00ff".to_owned()).expect("a nonce")
}

async fn outcome(
    target: SocketAddr,
    protocol: Protocol,
    timeout: Duration,
    proof: DialProof,
) -> Outcome {
    let attempt = Attempt { target, protocol, timeout, proof, source_port: None };
    dial(&attempt, &SourcePorts::default()).await.outcome
}

async fn tcp(target: SocketAddr, timeout: Duration) -> Outcome {
    outcome(target, Protocol::Tcp, timeout, DialProof::Identity(nonce())).await
}

async fn udp(target: SocketAddr, timeout: Duration) -> Outcome {
    outcome(target, Protocol::Udp, timeout, DialProof::Identity(nonce())).await
}

fn connected(identity: &str) -> Outcome {
    Outcome::Connected { identity: Some(identity.to_owned()) }
}

fn connected_but(why: &str) -> Outcome {
    Outcome::Failed { why: format!("connected, but {why}") }
}

fn bound(kind: Type) -> Socket {
    let socket = Socket::new(Domain::IPV4, kind, None).expect("a socket");
    socket.bind(&SocketAddr::from(LOOPBACK).into()).expect("a free port");
    socket
}

fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound")
}

/// A listener that takes the question, answers this, and holds the connection open.
async fn tcp_far_end(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the dialler comes");
        stream.write_all(answer).await.expect("the dialler is there");
        let mut all = Vec::new();
        // The dialler ends this with a reset.
        let _ = stream.read_to_end(&mut all).await;
    });
    address
}

#[tokio::test]
async fn a_probe_that_shows_its_identity_is_connected() {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let port = ListenPort { protocol, number: 0 };
        let listeners = Listeners::open(identity_of("pod-b"), &[port], Limits::default());
        let target = (Ipv4Addr::LOCALHOST, listeners.opened()[0].number).into();
        let proof = DialProof::Identity(nonce());
        assert_eq!(outcome(target, protocol, PATIENT, proof).await, connected("pod-b"));
        let connected = Outcome::Connected { identity: None };
        assert_eq!(outcome(target, protocol, PATIENT, DialProof::Answer).await, connected);
    }
}

#[tokio::test]
async fn tcp_to_a_port_where_nobody_listens_is_refused() {
    let socket = bound(Type::STREAM);
    assert_eq!(tcp(address(&socket), PATIENT).await, Outcome::Refused);
}

#[tokio::test]
async fn udp_to_a_port_where_nobody_listens_is_refused() {
    // The socket is bound, so that nobody else gets the port, and connected, so that it takes
    // datagrams from its peer alone.
    let socket = bound(Type::DGRAM);
    let peer = bound(Type::DGRAM);
    socket.connect(&address(&peer).into()).expect("loopback");
    assert_eq!(udp(address(&socket), PATIENT).await, Outcome::Refused);
}

#[tokio::test]
async fn tcp_without_an_answer_to_the_handshake_is_timed_out() {
    let socket = bound(Type::STREAM);
    socket.listen(0).expect("it is bound");
    let target = address(&socket);
    // The kernel answers nobody while the queue of a listener that never accepts is full.
    let mut queue = Vec::new();
    while let Ok(stream) = timeout(BRIEF, TcpStream::connect(target)).await {
        queue.push(stream.expect("it is listening"));
    }
    assert_eq!(tcp(target, BRIEF).await, Outcome::TimedOut);
}

#[tokio::test]
async fn udp_without_an_answer_is_timed_out_and_was_asked_three_times() {
    let silent = UdpSocket::bind(LOOPBACK).expect("a free port");
    let target = silent.local_addr().expect("it is bound");
    assert_eq!(udp(target, BRIEF).await, Outcome::TimedOut);
    silent.set_nonblocking(true).expect("a socket");
    let asked = std::iter::from_fn(|| {
        let mut buffer = [0; 100];
        let count = silent.recv(&mut buffer).ok()?;
        Some(buffer[..count].to_vec())
    });
    assert_eq!(asked.collect::<Vec<_>>(), [b"netproof-ask/1 00ff\n"; 3]);
}

#[tokio::test]
async fn a_lost_datagram_is_sent_again() {
    let far_end = tokio::net::UdpSocket::bind(LOOPBACK).await.expect("a free port");
    let target = far_end.local_addr().expect("it is bound");
    let answer_the_second = async {
        let mut buffer = [0; 100];
        far_end.recv_from(&mut buffer).await.expect("loopback");
        let (_, asker) = far_end.recv_from(&mut buffer).await.expect("loopback");
        far_end.send_to(b"netproof-answer/1 00ff pod-b\n", asker).await.expect("loopback");
        pending::<Infallible>().await
    };
    let outcome = tokio::select! {
        outcome = udp(target, Duration::from_secs(2)) => outcome,
        never = answer_the_second => match never {},
    };
    assert_eq!(outcome, connected("pod-b"));
}

#[tokio::test]
async fn a_datagram_that_is_no_answer_is_passed_over() {
    let far_end = tokio::net::UdpSocket::bind(LOOPBACK).await.expect("a free port");
    let target = far_end.local_addr().expect("it is bound");
    let answer = async {
        let mut buffer = [0; 100];
        let (_, asker) = far_end.recv_from(&mut buffer).await.expect("loopback");
        for datagram in [
            &b""[..],
            b"netproof-answer/1 00fe pod-c\n",
            b"netproof-answer/1 00ff pod-b\nand more than an answer has",
            b"netproof-answer/1 00ff pod-b\n",
        ] {
            far_end.send_to(datagram, asker).await.expect("loopback");
        }
    };
    let (outcome, ()) = tokio::join!(udp(target, PATIENT), answer);
    assert_eq!(outcome, connected("pod-b"));
}

#[tokio::test]
async fn a_far_end_that_accepts_and_says_nothing_has_no_proof() {
    let target = tcp_far_end(b"").await;
    let expected = connected_but("there was no proof of identity before the deadline");
    assert_eq!(tcp(target, BRIEF).await, expected);
}

#[tokio::test]
async fn a_handshake_that_nobody_accepts_is_not_timed_out() {
    let socket = bound(Type::STREAM);
    socket.listen(8).expect("it is bound");
    let expected = connected_but("there was no proof of identity before the deadline");
    assert_eq!(tcp(address(&socket), BRIEF).await, expected);
}

#[tokio::test]
async fn another_nonce_is_no_proof() {
    let target = tcp_far_end(b"netproof-answer/1 00fe pod-b\n").await;
    let expected = connected_but("a probe's answer came back with another nonce");
    assert_eq!(tcp(target, PATIENT).await, expected);
}

#[tokio::test]
async fn another_protocol_is_no_proof() {
    for answer in [&b"HTTP/1.1 400 Bad Request\n\n"[..], &[b'x'; 10_000]] {
        let target = tcp_far_end(answer).await;
        let expected = connected_but("what came back is not a probe's answer");
        assert_eq!(tcp(target, PATIENT).await, expected);
    }
}

#[tokio::test]
async fn a_far_end_that_closes_has_no_proof() {
    let listener = TcpListener::bind(LOOPBACK).await.expect("a free port");
    let target = listener.local_addr().expect("it is bound");
    let take_the_question_and_close = async {
        let (mut stream, _) = listener.accept().await.expect("the dialler comes");
        stream.read_exact(&mut [0; 20]).await.expect("the dialler asks");
    };
    let (outcome, ()) = tokio::join!(tcp(target, PATIENT), take_the_question_and_close);
    assert_eq!(outcome, connected_but("the far end closed without proof of identity"));
}

#[tokio::test]
async fn a_reset_after_the_handshake_is_not_refused() {
    let listener = TcpListener::bind(LOOPBACK).await.expect("a free port");
    let target = listener.local_addr().expect("it is bound");
    let reset = async {
        let (mut stream, _) = listener.accept().await.expect("the dialler comes");
        stream.read_exact(&mut [0; 20]).await.expect("the dialler asks");
        stream.set_zero_linger().expect("a socket");
    };
    let (outcome, ()) = tokio::join!(tcp(target, PATIENT), reset);
    let expected = "Connection reset by peer (os error 104) came before a proof of identity";
    assert_eq!(outcome, connected_but(expected));
}

#[tokio::test]
async fn a_protocol_that_is_not_spoken_has_failed_and_only_such_a_one() {
    let target = (Ipv4Addr::LOCALHOST, 9).into();
    for protocol in Protocol::ALL {
        let outcome = outcome(target, protocol, BRIEF, DialProof::Answer).await;
        let is_refused = matches!(&outcome, Outcome::Failed { why }
            if why.starts_with("protocol not supported: this version of the probe does not speak"));
        assert_eq!(is_refused, !protocol.is_spoken(), "{outcome:?}");
    }
}

#[tokio::test]
async fn the_time_that_an_attempt_took_is_its_own() {
    let silent = UdpSocket::bind(LOOPBACK).expect("a free port");
    let attempt = Attempt {
        target: silent.local_addr().expect("it is bound"),
        protocol: Protocol::Udp,
        timeout: BRIEF,
        proof: DialProof::Answer,
        source_port: None,
    };
    assert!(dial(&attempt, &SourcePorts::default()).await.elapsed >= BRIEF);
}

#[tokio::test]
async fn an_attempt_comes_from_the_port_that_was_asked_for_and_says_so() {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let port = ListenPort { protocol, number: 0 };
        let listeners = Listeners::open(identity_of("pod-b"), &[port], Limits::default());
        let target = (Ipv4Addr::LOCALHOST, listeners.opened()[0].number).into();
        let attempt = |source_port| Attempt {
            target,
            protocol,
            timeout: PATIENT,
            proof: DialProof::Identity(nonce()),
            source_port,
        };
        let ports = SourcePorts::default();
        let first = dial(&attempt(None), &ports).await;
        assert_eq!(first.outcome, connected("pod-b"));
        let same = dial(&attempt(first.source_port), &ports).await;
        assert_eq!((same.outcome, same.source_port), (connected("pod-b"), first.source_port));
        let other = dial(&attempt(None), &ports).await;
        assert_ne!(other.source_port, first.source_port);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_no_evidence() {
    let taken = UdpSocket::bind(LOOPBACK).expect("a free port");
    let source_port = taken.local_addr().expect("it is bound").port();
    let attempt = Attempt {
        target: (Ipv4Addr::LOCALHOST, 9).into(),
        protocol: Protocol::Udp,
        timeout: PATIENT,
        proof: DialProof::Answer,
        source_port: Some(source_port),
    };
    let attempted = dial(&attempt, &SourcePorts::default()).await;
    assert!(matches!(attempted.outcome, Outcome::Failed { .. }), "{attempted:?}");
    assert_eq!(attempted.source_port, None);
}
