use netproof_conformance::{
    flow::{Port, Protocol},
    matrix::{Actor, Cell},
};

use super::*;
use crate::engine::{
    round::Receiver,
    testing::{agent, free_port, gate_at, session},
};

fn pace() -> Pace {
    Pace {
        every: Duration::from_millis(10),
        timeout: Duration::from_millis(50),
        quiet: 10,
        quiet_for: Duration::from_millis(150),
        limit: Duration::from_secs(10),
    }
}

/// A newcomer that is attempted through a network in front of it.
struct Bed {
    sender: Arc<Session>,
    /// The port at which the newcomer is attempted.
    front: u16,
    denied: watch::Sender<bool>,
    arrival: watch::Sender<Option<Arc<Session>>>,
}

impl Bed {
    async fn new() -> Self {
        let (sender, _) = session("sender").await;
        Self {
            sender: Arc::new(sender),
            front: free_port(),
            denied: watch::Sender::new(true),
            arrival: watch::Sender::new(None),
        }
    }

    /// A sender of attempts at the newcomer, which is to listen on `port` itself.
    fn sender(&self, port: u16) -> Sender {
        let flow = FlowAttempt {
            patience: None,
            cell: Cell {
                from: Actor::sole("sender"),
                to: Actor::sole("newcomer"),
                port: Port { number: port, protocol: Protocol::Tcp },
            },
            target: ([127, 0, 0, 1], self.front).into(),
            receiver: Receiver::Probe { identity: "newcomer".into() },
        };
        let session = Arc::clone(&self.sender);
        Sender { flow, session, denied: self.denied.subscribe() }
    }

    async fn arrive(&self, port: u16) {
        let newcomer = agent_on(port);
        let session = Session::open(newcomer.link, "newcomer").await.expect("it greets");
        self.arrival.send_replace(Some(Arc::new(session)));
    }

    async fn search(&self, port: u16, meanwhile: impl Future<Output = ()>) -> Found {
        let searching = search(vec![self.sender(port)], self.arrival.subscribe(), pace());
        let (mut found, ()) = tokio::join!(searching, meanwhile);
        found.remove(0)
    }
}

fn agent_on(port: u16) -> crate::engine::testing::InMemory {
    crate::engine::testing::agent_on("newcomer", port)
}

async fn a_while(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

#[tokio::test]
async fn a_newcomer_that_never_accepts_is_isolated() {
    let bed = Bed::new().await;
    let port = free_port();
    let found = bed.search(port, async {
        a_while(100).await;
        bed.arrive(port).await;
    });
    match found.await {
        Found::Isolated { attempts, resolution } => {
            assert!(attempts >= 10, "{attempts}");
            assert!(resolution < Duration::from_millis(500), "{resolution:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_that_accepts_for_a_while_leaks_for_that_long() {
    let bed = Bed::new().await;
    let port = free_port();
    let (mut opened, mut closed) = (Instant::now(), Instant::now());
    let found = bed.search(port, async {
        a_while(100).await;
        bed.arrive(port).await;
        opened = Instant::now();
        let gate = gate_at(bed.front, port).await;
        a_while(200).await;
        gate.close();
        closed = Instant::now();
    });
    let found = found.await;
    let Found::Leaked(window) = found else { panic!("{found:?}") };
    let truth = closed - opened;
    let at_most = window.at_most.expect("it was denied before and after");
    let tolerance = Duration::from_millis(20);
    assert!(window.at_least <= truth + tolerance, "{window:?}, {truth:?}");
    assert!(at_most + tolerance >= truth, "{window:?}, {truth:?}");
    assert!(window.accepted() >= window.at_least, "{window:?}");
    assert!(window.resolution().is_some_and(|r| r < Duration::from_millis(300)), "{window:?}");
}

#[tokio::test]
async fn one_that_accepts_by_turns_is_not_isolated_late() {
    let bed = Bed::new().await;
    let port = free_port();
    let found = bed.search(port, async {
        bed.arrive(port).await;
        for _ in 0..2 {
            let gate = gate_at(bed.front, port).await;
            a_while(250).await;
            gate.close();
            // Longer than a newcomer that never accepted has to be quiet.
            a_while(200).await;
        }
    });
    let found = found.await;
    let Found::Leaked(window) = found else { panic!("{found:?}") };
    assert!(window.by_turns && window.closed.is_some(), "{window:?}");
    assert_eq!(window.isolated_after(), None);
}

#[tokio::test]
async fn one_that_accepts_to_the_end_has_no_upper_bound() {
    let bed = Bed::new().await;
    let port = free_port();
    let searching = search(
        vec![bed.sender(port)],
        bed.arrival.subscribe(),
        Pace { limit: Duration::from_millis(400), ..pace() },
    );
    let arriving = async {
        a_while(50).await;
        bed.arrive(port).await;
        let gate = gate_at(bed.front, port).await;
        a_while(500).await;
        drop(gate);
    };
    let (found, ()) = tokio::join!(searching, arriving);
    let Found::Leaked(window) = &found[0] else { panic!("{found:?}") };
    assert_eq!((window.closed, window.at_most), (None, None));
    assert!(window.at_least > Duration::ZERO);
}

#[tokio::test]
async fn one_that_answered_before_the_first_attempt_is_no_proof_of_isolation() {
    let bed = Bed::new().await;
    let port = free_port();
    bed.arrive(port).await;
    a_while(50).await;
    let found = bed.search(port, async {}).await;
    let Found::Inconclusive(StartUpDoubt::BeganLate(by)) = found else { panic!("{found:?}") };
    assert!(by >= Duration::from_millis(50), "{by:?}");
}

#[tokio::test]
async fn one_that_never_speaks_proves_nothing() {
    let bed = Bed::new().await;
    let pace = Pace { limit: Duration::from_millis(200), ..pace() };
    let found = search(vec![bed.sender(1)], bed.arrival.subscribe(), pace).await;
    let why = "its probe did not speak in time".to_owned();
    assert_eq!(found, [Found::Inconclusive(StartUpDoubt::NotListening(why))]);
}

#[tokio::test]
async fn a_sender_that_is_cut_proves_nothing() {
    let mut bed = Bed::new().await;
    let doomed = agent("sender");
    bed.sender = Arc::new(Session::open(doomed.link, "sender").await.expect("it greets"));
    let port = free_port();
    let found = bed.search(port, async {
        bed.arrive(port).await;
        doomed.task.abort();
    });
    let found = found.await;
    assert!(matches!(found, Found::Inconclusive(StartUpDoubt::SenderLost(_))), "{found:?}");
}

#[tokio::test]
async fn a_flow_that_the_policies_admit_meanwhile_is_not_judged() {
    let bed = Bed::new().await;
    let port = free_port();
    let found = bed.search(port, async {
        a_while(50).await;
        bed.arrive(port).await;
        bed.denied.send_replace(false);
    });
    assert_eq!(found.await, Found::Inconclusive(StartUpDoubt::Moved));
}

#[tokio::test]
async fn another_pod_at_the_address_is_not_the_newcomer() {
    let bed = Bed::new().await;
    let (_other, behind) = session("predecessor").await;
    let _gate = gate_at(bed.front, behind).await;
    let port = free_port();
    let searching = search(
        vec![bed.sender(port)],
        bed.arrival.subscribe(),
        Pace { limit: Duration::from_millis(300), ..pace() },
    );
    let (found, ()) = tokio::join!(searching, async {
        a_while(50).await;
        bed.arrive(port).await;
    });
    assert!(matches!(found[0], Found::Inconclusive(StartUpDoubt::TooFew(_))), "{found:?}");
}

#[test]
fn the_window_is_said_with_its_resolution() {
    let ms = Duration::from_millis;
    let window = Window {
        first_accepted: ms(1000),
        last_accepted: ms(1110),
        closed: Some(ms(1120)),
        by_turns: false,
        attempts: 200,
        at_least: ms(109),
        at_most: Some(ms(121)),
    };
    assert_eq!(window.in_words(), "for 120 ms (resolution 12 ms) after it began to answer");
    let to_the_end = Window { closed: None, at_most: None, ..window };
    assert_eq!(to_the_end.in_words(), "for 110 ms and to the end of the search");
    let by_turns = Window { by_turns: true, ..window };
    assert_eq!(by_turns.in_words(), "by turns, within 120 ms");
    assert_eq!((window.isolated_after(), by_turns.isolated_after()), (Some(ms(120)), None));
}
