use super::*;
use crate::engine::testing::{agent, gate, session};

const TIMEOUT: Duration = Duration::from_millis(500);

fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

async fn hold(sender: &Arc<Session>, port: u16) -> HeldConnection {
    let target = ([127, 0, 0, 1], port).into();
    HeldConnection::open(Arc::clone(sender), target, "b", Duration::from_secs(5))
        .await
        .expect("it connects")
}

#[tokio::test]
async fn a_connection_that_still_answers_survives() {
    let ((a, _), (b, port)) = (session("a").await, session("b").await);
    let held = hold(&Arc::new(a), port).await;
    let held = held.refresh(TIMEOUT).await.expect("it is alive");
    assert_eq!(held.fate(&b, tcp(port), TIMEOUT).await, Fate::Survives);
}

#[tokio::test]
async fn one_that_was_ended_on_the_way_is_cut_if_the_receiver_listens() {
    let ((a, _), (b, port)) = (session("a").await, session("b").await);
    let gate = gate(port).await;
    let held = hold(&Arc::new(a), gate.port).await;
    gate.close();
    let fate = held.fate(&b, tcp(port), TIMEOUT).await;
    assert!(matches!(fate, Fate::Cut(_)), "{fate:?}");
}

#[tokio::test]
async fn the_end_of_its_receiver_says_nothing_of_the_network() {
    let (a, _) = session("a").await;
    let doomed = agent("b");
    let b = Session::open(doomed.link, "b").await.expect("it greets");
    let held = hold(&Arc::new(a), doomed.port).await;
    doomed.task.abort();
    b.ended().await;
    let fate = held.fate(&b, tcp(doomed.port), TIMEOUT).await;
    assert!(matches!(fate, Fate::Unknown(_)), "{fate:?}");
}

#[tokio::test]
async fn one_that_its_probe_does_not_hold_is_unknown() {
    let ((a, _), (b, port)) = (session("a").await, session("b").await);
    let a = Arc::new(a);
    let held = hold(&a, port).await;
    let same =
        HeldConnection { sender: a, name: held.name, identity: "b".into(), alive: held.alive };
    same.release().await;
    let fate = held.fate(&b, tcp(port), TIMEOUT).await;
    assert!(matches!(fate, Fate::Unknown(_)), "{fate:?}");
}

#[tokio::test]
async fn a_stranger_is_not_held() {
    let ((a, _), (_b, port)) = (session("a").await, session("b").await);
    let target = ([127, 0, 0, 1], port).into();
    let opened = HeldConnection::open(Arc::new(a), target, "c", Duration::from_secs(5)).await;
    assert_eq!(opened.err().as_deref(), Some("connected to b instead of c"));
}

#[test]
fn the_fact_is_what_became_of_those_that_are_known() {
    let fact = |fates: &[Fate]| {
        let mut all = Fates::default();
        for fate in fates {
            all.count(fate);
        }
        all.fact()
    };
    let cut = || Fate::Cut("reset".into());
    let unknown = || Fate::Unknown("lost".into());
    assert_eq!(fact(&[unknown()]), None);
    assert_eq!(fact(&[Fate::Survives, unknown()]), Some(ExistingConnections::Survive));
    assert_eq!(fact(&[cut(), cut()]), Some(ExistingConnections::Cut));
    assert_eq!(fact(&[cut(), Fate::Survives]), Some(ExistingConnections::Mixed));
}
