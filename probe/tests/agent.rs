//! The real agent, over pipes in memory.

use std::time::Duration;

use netproof_probe::{
    agent::Agent,
    challenge::Identity,
    listen::{Limits, ListenPort, Listeners, lack},
    wire::{
        ErrorKind, Fate, Listener, ListenerState, MAX_IN_FLIGHT, MAX_LINE, Op, Outcome, Proof,
        Protocol, Reply, Request, VERSION,
    },
};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex,
        empty, split,
    },
    net::UdpSocket,
    task::{JoinHandle, yield_now},
    time::timeout,
};

/// An agent at work, and the operator's ends of its pipes.
struct Session {
    requests: WriteHalf<DuplexStream>,
    replies: BufReader<ReadHalf<DuplexStream>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Session {
    fn start() -> Self {
        Self::with_ports(&[])
    }

    fn with_ports(ports: &[ListenPort]) -> Self {
        let agent = agent(ports);
        let (operator, probe) = duplex(4096);
        let (reader, writer) = split(probe);
        let serving = tokio::spawn(async move { agent.serve(reader, writer).await });
        let (replies, requests) = split(operator);
        Self { requests, replies: BufReader::new(replies), serving }
    }

    async fn say(&mut self, line: &[u8]) {
        self.requests.write_all(line).await.expect("the agent reads");
        self.requests.write_all(b"\n").await.expect("the agent reads");
    }

    async fn request(&mut self, id: u64, op: Op) {
        self.say(&line(id, op)).await;
    }

    async fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.replies.read_line(&mut line).await.expect("the agent writes");
        serde_json::from_str(&line).expect("a reply")
    }

    /// Checks that the next reply is to a ping sent now.
    async fn expect_alive(&mut self) {
        self.request(99, ping()).await;
        assert_eq!(self.reply().await, pong(99));
    }

    async fn expect_error(&mut self, line: &[u8], expected: (Option<u64>, ErrorKind)) {
        self.say(line).await;
        match self.reply().await {
            Reply::Error { id, kind, message } => assert_eq!((id, kind), expected, "{message}"),
            other => panic!("{other:?}"),
        }
        self.expect_alive().await;
    }
}

fn agent(ports: &[ListenPort]) -> Agent {
    let identity = Identity::new("pod-a").expect("an identity");
    let listeners = Listeners::open(identity.clone(), ports, Limits::default());
    Agent::new(identity, listeners)
}

fn line(id: u64, op: Op) -> Vec<u8> {
    serde_json::to_vec(&Request { v: VERSION, id, op }).expect("plain data")
}

fn ping() -> Op {
    Op::Ping { nonce: "00ff".to_owned() }
}

fn pong(id: u64) -> Reply {
    Reply::Pong { id, nonce: "00ff".to_owned() }
}

/// An attempt that nothing answers unless this socket does.
async fn unanswered() -> (UdpSocket, Op) {
    let far_end = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let target = far_end.local_addr().expect("it is bound");
    let (protocol, proof) = (Protocol::Udp, Proof::Answer);
    (far_end, Op::Attempt { target, protocol, timeout_ms: 60_000, proof, source_port: None })
}

#[tokio::test]
async fn hello_says_who_it_is_what_it_lacks_and_how_its_listeners_fare() {
    let mut session = Session::with_ports(&[ListenPort { protocol: Protocol::Tcp, number: 0 }]);
    session.request(1, Op::Hello { nonce: "any text".to_owned() }).await;
    match session.reply().await {
        Reply::Hello { id, nonce, version, identity, unsupported, listeners } => {
            assert_eq!(
                (id, nonce.as_str(), version, identity.as_str()),
                (1, "any text", VERSION, "pod-a")
            );
            assert_eq!(
                unsupported.iter().map(|lack| lack.protocol).collect::<Vec<_>>(),
                Protocol::ALL.into_iter().filter(|one| lack(*one).is_some()).collect::<Vec<_>>()
            );
            assert!(matches!(
                &listeners[..],
                [Listener { protocol: Protocol::Tcp, port: 1.., state: ListenerState::Answering }]
            ));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_check_names_every_listener() {
    let mut session = Session::with_ports(&[
        ListenPort { protocol: Protocol::Udp, number: 0 },
        ListenPort { protocol: Protocol::Sctp, number: 9 },
    ]);
    session.request(1, Op::CheckListeners).await;
    match session.reply().await {
        Reply::Listeners { id: 1, listeners, .. } => assert!(matches!(
            &listeners[..],
            [
                Listener { protocol: Protocol::Udp, state: ListenerState::Answering, .. },
                Listener { protocol: Protocol::Sctp, port: 9, state: ListenerState::Silent { .. } },
            ]
        )),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_attempt_reports_what_the_far_end_showed() {
    let identity = Identity::new("pod-b").expect("an identity");
    let port = ListenPort { protocol: Protocol::Tcp, number: 0 };
    let far_end = Listeners::open(identity, &[port], Limits::default());
    let mut session = Session::start();
    let op = Op::Attempt {
        target: ([127, 0, 0, 1], far_end.opened()[0].number).into(),
        protocol: Protocol::Tcp,
        timeout_ms: 30_000,
        proof: Proof::Identity { nonce: "00ff".to_owned() },
        source_port: None,
    };
    session.request(1, op).await;
    match session.reply().await {
        Reply::Attempted { id: 1, outcome, source_port: Some(_), elapsed_us: 1.. } => {
            assert_eq!(outcome, Outcome::Connected { identity: Some("pod-b".to_owned()) });
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_bad_line_gets_an_error_and_ends_nothing() {
    let mut session = Session::start();
    session.expect_error(b"hello", (None, ErrorKind::NotUnderstood)).await;
    session.expect_error(b"\xff\xfe", (None, ErrorKind::NotUnderstood)).await;
    let line = br#"{"v":1,"id":7,"op":"reboot"}"#;
    session.expect_error(line, (Some(7), ErrorKind::NotUnderstood)).await;
    let line = br#"{"v":2,"id":7,"op":"reboot"}"#;
    session.expect_error(line, (Some(7), ErrorKind::UnsupportedVersion)).await;
    let line = br#"{"v":1,"id":7,"op":"attempt","target":"10.0.0.1:80","protocol":"TCP","timeoutMs":0,"proof":{"kind":"answer"}}"#;
    session.expect_error(line, (Some(7), ErrorKind::OutOfRange)).await;
    session.expect_error(&vec![b' '; MAX_LINE + 1], (None, ErrorKind::LineTooLong)).await;
}

#[tokio::test]
async fn a_blank_line_gets_no_reply() {
    let mut session = Session::start();
    session.say(b"\n \r\n").await;
    session.expect_alive().await;
}

#[tokio::test]
async fn what_was_asked_before_the_end_is_still_answered() {
    let mut session = Session::start();
    let (far_end, attempt) = unanswered().await;
    session.request(1, attempt).await;
    // The last line needs no newline.
    session.requests.write_all(&line(2, ping())).await.expect("the agent reads");
    session.requests.shutdown().await.expect("the agent reads");
    assert_eq!(session.reply().await, pong(2));
    let (_, asker) = far_end.recv_from(&mut [0; 100]).await.expect("loopback");
    far_end.send_to(b"here", asker).await.expect("loopback");
    assert!(matches!(session.reply().await, Reply::Attempted { id: 1, .. }));
    session.serving.await.expect("it did not panic").expect("the reader ended, and did not fail");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_nobody_takes_the_replies() {
    let mut session = Session::start();
    let mut sent = 0;
    // The paused clock goes on only while all tasks wait.
    while timeout(Duration::from_secs(1), session.request(sent, ping())).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "it reads on and on");
    }
    // Half of the line that did not get through was written.
    let replies = async {
        let mut ids = Vec::new();
        for _ in 0..sent {
            ids.extend(session.reply().await.id());
        }
        ids
    };
    let mut ids = timeout(Duration::from_secs(1), replies).await.expect("all are answered");
    ids.sort_unstable();
    assert_eq!(ids, (0..sent).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_beyond_the_limit_waits_for_a_place() {
    let mut session = Session::start();
    let (_silent, attempt) = unanswered().await;
    for id in 1..MAX_IN_FLIGHT as u64 {
        session.request(id, attempt.clone()).await;
    }
    // One place of MAX_IN_FLIGHT is left for the ping.
    session.expect_alive().await;

    let (far_end, attempt) = unanswered().await;
    session.request(0, attempt).await;
    session.request(99, ping()).await;
    // All tasks share this thread, so this is time enough for a reply.
    for _ in 0..1000 {
        yield_now().await;
    }
    let (_, asker) = far_end.recv_from(&mut [0; 100]).await.expect("loopback");
    far_end.send_to(b"here", asker).await.expect("loopback");
    assert!(matches!(session.reply().await, Reply::Attempted { id: 0, .. }));
    assert_eq!(session.reply().await, pong(99));
}

#[tokio::test]
async fn replies_that_cannot_be_written_end_nothing() {
    let (broken, other_end) = duplex(1);
    drop(other_end);
    let (mut requests, reader) = duplex(4096);
    let agent = agent(&[]);
    let serving = tokio::spawn(async move { agent.serve(reader, broken).await });
    for id in 0..1000 {
        requests.write_all(&line(id, ping())).await.expect("the agent reads");
        requests.write_all(b"\n").await.expect("the agent reads");
    }
    drop(requests);
    serving.await.expect("it did not panic").expect("the reader ended, and did not fail");
}

#[tokio::test]
async fn nothing_to_read_is_an_end() {
    agent(&[]).serve(empty(), Vec::new()).await.expect("the reader ended, and did not fail");
}

#[tokio::test]
async fn a_connection_is_held_touched_and_released() {
    let mut session = Session::with_ports(&[ListenPort { protocol: Protocol::Tcp, number: 0 }]);
    session.request(1, Op::CheckListeners).await;
    let Reply::Listeners { listeners, open_us: Some(_), .. } = session.reply().await else {
        panic!("it says which listeners it has, and for how long");
    };
    let target = ([127, 0, 0, 1], listeners[0].port).into();
    let nonce = || "00ff".to_owned();
    session.request(2, Op::Hold { target, timeout_ms: 30_000, nonce: nonce() }).await;
    let Reply::Held { id: 2, held: Some(held), .. } = session.reply().await else {
        panic!("it is held");
    };
    session.request(3, Op::Touch { held, nonce: nonce(), timeout_ms: 30_000 }).await;
    let fate = Fate::Alive { identity: "pod-a".to_owned() };
    assert_eq!(session.reply().await, Reply::Touched { id: 3, fate });
    session.request(4, Op::Release { held }).await;
    assert_eq!(session.reply().await, Reply::Released { id: 4 });
    session.request(5, Op::Touch { held, nonce: nonce(), timeout_ms: 30_000 }).await;
    assert_eq!(session.reply().await, Reply::Touched { id: 5, fate: Fate::NotHeld });
}
