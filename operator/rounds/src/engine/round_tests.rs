use super::*;
use crate::engine::testing::{agent, agent_by, free_port, session};
use tokio::net::UdpSocket;

const TIMEOUT: Duration = Duration::from_millis(1500);

/// Flows among real agents on the loopback.
struct Bed {
    sessions: Sessions,
    ports: BTreeMap<Actor, u16>,
}

impl Bed {
    async fn of(names: &[&str]) -> Self {
        let mut bed = Self { sessions: Sessions::new(), ports: BTreeMap::new() };
        for name in names {
            let (session, port) = session(name).await;
            bed.sessions.insert(Actor::sole(*name), Ok(Arc::new(session)));
            bed.ports.insert(Actor::sole(*name), port);
        }
        bed
    }

    fn flow(&self, from: &str, to: &str) -> FlowAttempt {
        let number = self.ports[&Actor::sole(to)];
        let port = Port { number, protocol: Protocol::Tcp };
        FlowAttempt {
            cell: Cell { from: Actor::sole(from), to: Actor::sole(to), port },
            target: ([127, 0, 0, 1], number).into(),
            receiver: Receiver::Probe { identity: to.into() },
            patience: None,
        }
    }

    async fn see(&self, flow: FlowAttempt) -> AttemptResult {
        let mut pass = run(&[flow], &self.sessions, TIMEOUT, &mut Reached::new()).await;
        pass.seen.remove(0)
    }
}

#[tokio::test]
async fn a_probe_that_proves_itself_is_connected() {
    let bed = Bed::of(&["a", "b"]).await;
    let seen = bed.see(bed.flow("a", "b")).await;
    assert_eq!(seen.outcome, Ok(Outcome::Connected));
    assert_eq!(seen.control, Control::Listening);
}

#[tokio::test]
async fn another_probe_at_the_address_is_no_connection() {
    let bed = Bed::of(&["a", "b"]).await;
    let mut flow = bed.flow("a", "b");
    flow.receiver = Receiver::Probe { identity: "the pod that had this address before".into() };
    let seen = bed.see(flow).await;
    assert!(matches!(seen.outcome, Ok(Outcome::Failed(_))), "{:?}", seen.outcome);
}

#[tokio::test]
async fn a_closed_port_is_refused_and_proves_nothing() {
    let bed = Bed::of(&["a", "b"]).await;
    let mut flow = bed.flow("a", "b");
    let closed = free_port();
    flow.cell.port.number = closed;
    flow.target.set_port(closed);
    let seen = bed.see(flow).await;
    assert_eq!(seen.outcome, Ok(Outcome::Refused));
    assert!(matches!(seen.control, Control::Unproven(_)), "it was not told to listen there");
}

#[tokio::test]
async fn a_receiver_without_a_session_cannot_vouch() {
    let mut bed = Bed::of(&["a", "b"]).await;
    let silenced = bed.sessions.insert(Actor::sole("b"), Err("its stream was cut".into()));
    let seen = bed.see(bed.flow("a", "b")).await;
    assert_eq!(seen.outcome, Ok(Outcome::Connected), "its listener is there all the same");
    drop(silenced);
    assert_eq!(seen.control, Control::Unproven("its stream was cut".into()));
}

/// A flow over UDP from a to b, through a socket of the test's own in front of b.
async fn over_udp(bed: &mut Bed) -> (FlowAttempt, UdpSocket) {
    let port = free_port();
    let receiver = agent_by(wire::Protocol::Udp, "b", port);
    let session = Session::open(receiver.link, "b").await.expect("it greets");
    bed.sessions.insert(Actor::sole("b"), Ok(Arc::new(session)));
    let front = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has ports");
    let flow = FlowAttempt {
        patience: None,
        cell: Cell {
            from: Actor::sole("a"),
            to: Actor::sole("b"),
            port: Port { number: port, protocol: Protocol::Udp },
        },
        target: front.local_addr().expect("it is bound"),
        receiver: Receiver::Probe { identity: "b".into() },
    };
    (flow, front)
}

#[tokio::test]
async fn a_datagram_that_arrived_is_no_silence_though_no_answer_came() {
    let mut bed = Bed::of(&["a"]).await;
    let (flow, front) = over_udp(&mut bed).await;
    let to = flow.cell.port.number;
    // Forwards datagrams to b, and no answer back.
    let there = tokio::spawn(async move {
        let mut buffer = [0; 200];
        loop {
            let count = front.recv(&mut buffer).await.expect("loopback");
            front.send_to(&buffer[..count], ("127.0.0.1", to)).await.expect("loopback");
        }
    });
    let seen = bed.see(flow).await;
    there.abort();
    assert_eq!(seen.control, Control::Listening);
    assert_eq!(seen.outcome, Ok(Outcome::Arrived));
}

#[tokio::test]
async fn a_datagram_that_did_not_arrive_is_silence() {
    let mut bed = Bed::of(&["a"]).await;
    let (flow, _nobody_reads) = over_udp(&mut bed).await;
    let seen = bed.see(flow).await;
    assert_eq!((seen.outcome, seen.control), (Ok(Outcome::TimedOut), Control::Listening));
}

#[tokio::test]
async fn a_sender_without_a_session_sees_nothing() {
    let mut bed = Bed::of(&["a", "b"]).await;
    bed.sessions.insert(Actor::sole("a"), Err("its stream was cut".into()));
    let seen = bed.see(bed.flow("a", "b")).await;
    assert_eq!(seen.outcome, Err("its stream was cut".into()));
}

#[tokio::test]
async fn a_stream_cut_in_mid_round_is_a_failure_and_no_silence() {
    let doomed = agent("a");
    let session = Session::open(doomed.link, "a").await.expect("it greets");
    let mut bed = Bed::of(&["b"]).await;
    bed.sessions.insert(Actor::sole("a"), Ok(Arc::new(session)));
    doomed.task.abort();
    let seen = bed.see(bed.flow("a", "b")).await;
    assert!(matches!(seen.outcome, Ok(Outcome::Failed(_))), "{:?}", seen.outcome);
}

#[tokio::test]
async fn silence_of_an_address_outside_counts_once_somebody_reached_it() {
    let bed = Bed::of(&["a", "b"]).await;
    let outside = |from: &str, port: u16| FlowAttempt {
        patience: None,
        receiver: Receiver::External,
        cell: Cell {
            from: Actor::sole(from),
            to: Actor::sole("outside"),
            port: Port { number: port, protocol: Protocol::Tcp },
        },
        target: ([127, 0, 0, 1], port).into(),
    };
    let closed = free_port();
    let seen = bed.see(outside("a", closed)).await;
    assert!(matches!(seen.control, Control::Unproven(_)), "nobody reached it");
    let open = bed.ports[&Actor::sole("b")];
    let mut reached = Reached::new();
    let pass = run(&[outside("a", open)], &bed.sessions, TIMEOUT, &mut reached).await;
    assert_eq!(pass.seen[0].control, Control::Listening);
    assert!(pass.mute.is_empty());
    assert_eq!(reached.len(), 1);
}

#[tokio::test]
async fn who_did_not_speak_is_named_whichever_end_it_is() {
    let mut bed = Bed::of(&["a", "b"]).await;
    let silenced = bed.sessions.insert(Actor::sole("b"), Err("its stream was cut".into()));
    for flow in [bed.flow("a", "b"), bed.flow("b", "a")] {
        let pass = run(&[flow], &bed.sessions, TIMEOUT, &mut Reached::new()).await;
        assert_eq!(pass.mute, [Actor::sole("b")].into());
    }
    drop(silenced);
}
