//! Real listeners on loopback, with the clients that they have to bear.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use netproof_probe::{
    challenge::{Identity, Nonce},
    dial::{Attempt, DialProof, dial},
    listen::{Limits, ListenPort, Listeners},
    source_ports::SourcePorts,
    wire::{Listener, ListenerState, Outcome, Protocol},
};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// How long a listener may take to answer, on a machine that is busy.
const PATIENT: Duration = Duration::from_secs(30);

const TCP: ListenPort = ListenPort { protocol: Protocol::Tcp, number: 0 };
const UDP: ListenPort = ListenPort { protocol: Protocol::Udp, number: 0 };

fn open(ports: &[ListenPort], limits: Limits) -> Listeners {
    Listeners::open(Identity::new("pod-b").expect("an identity"), ports, limits)
}

async fn ask(address: IpAddr, port: ListenPort) -> Outcome {
    let target = SocketAddr::new(address, port.number);
    let proof = DialProof::Identity(Nonce::fresh());
    let attempt =
        Attempt { target, protocol: port.protocol, timeout: PATIENT, proof, source_port: None };
    dial(&attempt, &SourcePorts::default()).await.outcome
}

fn pod_b() -> Outcome {
    Outcome::Connected { identity: Some("pod-b".to_owned()) }
}

fn has(address: Ipv6Addr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

async fn connect(port: ListenPort) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port.number)).await.expect("it is listening")
}

#[tokio::test]
async fn what_was_asked_over_udp_is_remembered() {
    let listeners = open(&[UDP], Limits::default());
    let nonces = [Nonce::fresh(), Nonce::fresh()];
    let attempt = Attempt {
        target: (Ipv4Addr::LOCALHOST, listeners.opened()[0].number).into(),
        protocol: Protocol::Udp,
        timeout: PATIENT,
        proof: DialProof::Identity(nonces[0].clone()),
        source_port: None,
    };
    assert_eq!(dial(&attempt, &SourcePorts::default()).await.outcome, pod_b());
    assert_eq!(listeners.heard(nonces.to_vec()), nonces[..1]);
}

#[tokio::test]
async fn one_listener_answers_both_families() {
    let listeners = open(&[TCP, UDP], Limits::default());
    for port in listeners.opened() {
        assert_eq!(ask(Ipv4Addr::LOCALHOST.into(), port).await, pod_b());
        if has(Ipv6Addr::LOCALHOST) {
            assert_eq!(ask(Ipv6Addr::LOCALHOST.into(), port).await, pod_b());
        }
    }
}

#[tokio::test]
async fn listeners_that_answer_are_reported_in_the_order_given() {
    let listeners = open(&[UDP, TCP, UDP], Limits::default());
    let expected = listeners.opened().into_iter().map(|ListenPort { protocol, number }| Listener {
        protocol,
        port: number,
        state: ListenerState::Answering,
    });
    assert_eq!(listeners.check().await, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_port_that_another_holds_is_silent_until_it_is_free() {
    let holder = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    holder.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).expect("a free port");
    holder.listen(1).expect("it is bound");
    let number = holder.local_addr().ok().and_then(|a| a.as_socket()).expect("it is bound").port();
    let listeners = open(&[ListenPort { number, ..TCP }], Limits::default());
    let why = "could not be opened: Address already in use (os error 98)".to_owned();
    let listener = |state| Listener { protocol: Protocol::Tcp, port: number, state };
    assert_eq!(listeners.check().await, [listener(ListenerState::Silent { why })]);

    drop(holder);
    let answering = [listener(ListenerState::Answering)];
    let deadline = Instant::now() + PATIENT;
    while listeners.check().await != answering {
        assert!(Instant::now() < deadline, "the port is free, and still not opened");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_spoken_is_listened_for_and_what_is_not_says_why() {
    for protocol in Protocol::ALL {
        let port = ListenPort { protocol, number: 0 };
        let found = open(&[port], Limits::default()).check().await;
        let [Listener { state, .. }] = &found[..] else { panic!("{found:?}") };
        // A kernel may lack what the probe speaks, and then says so in words of its own.
        let is_refused = matches!(state, ListenerState::Silent { why }
            if why.starts_with("could not be opened: this version of the probe does not speak"));
        assert_eq!(is_refused, !protocol.is_spoken(), "{state:?}");
    }
}

#[tokio::test]
async fn a_slow_client_does_not_keep_others_waiting() {
    let listeners = open(&[TCP], Limits::default());
    let port = listeners.opened()[0];
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut client = connect(port).await;
        client.write_all(b"netproof-ask/1 00").await.expect("it is listening");
        slow.push(client);
    }
    let limit = Limits::default().patience;
    let answered = timeout(limit, ask(Ipv4Addr::LOCALHOST.into(), port)).await;
    assert_eq!(answered, Ok(pod_b()));
}

#[tokio::test]
async fn clients_that_never_ask_hold_their_places_for_a_limited_time() {
    let limits =
        Limits { connections: 2, patience: Duration::from_millis(100), ..Limits::default() };
    let listeners = open(&[TCP], limits);
    let port = listeners.opened()[0];
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.push(connect(port).await);
    }
    assert_eq!(ask(Ipv4Addr::LOCALHOST.into(), port).await, pod_b());
}

#[tokio::test]
async fn what_is_no_question_gets_no_answer() {
    let listeners = open(&[TCP], Limits::default());
    let port = listeners.opened()[0];
    for line in [&b"GET / HTTP/1.1\r\n"[..], b"netproof-ask/1 00fg\n", &[b'x'; 1000]] {
        let mut client = connect(port).await;
        client.write_all(line).await.expect("it is listening");
        let mut answer = Vec::new();
        // The listener closes or resets the connection, according to how much it left unread.
        let _ = client.read_to_end(&mut answer).await;
        assert_eq!(answer, b"", "{}", line.escape_ascii());
    }
}

#[tokio::test]
async fn a_datagram_that_is_no_question_gets_no_answer() {
    let listeners = open(&[UDP], Limits::default());
    let client = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let number = listeners.opened()[0].number;
    client.connect((Ipv4Addr::LOCALHOST, number)).await.expect("loopback");
    for datagram in [
        &b""[..],
        b"netproof-answer/1 00ff pod-c\n",
        b"netproof-ask/1 00ff\nand more than a question has",
        b"netproof-ask/1 00ff\n",
    ] {
        client.send(datagram).await.expect("it is listening");
    }
    let mut buffer = [0; 100];
    let count = timeout(PATIENT, client.recv(&mut buffer)).await.expect("the last is a question");
    assert_eq!(&buffer[..count.expect("loopback")], b"netproof-answer/1 00ff pod-b\n");
}
