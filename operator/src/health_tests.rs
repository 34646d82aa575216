use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
};

use super::*;
use tokio::sync::watch;

use netproof_rounds::{kind::Kind, world::World};

fn known() -> World {
    World::of([])
}

fn begun(pulse: Pulse, world: World) -> (SocketAddr, watch::Sender<Arc<World>>) {
    let (pictures, world) = watch::channel(Arc::new(world));
    let any = "127.0.0.1:0".parse().expect("an address");
    let readiness = move |now| world.borrow().blindness(now).map_or(Ok("ok".into()), Err);
    (begin(any, pulse, readiness).expect("loopback has ports"), pictures)
}

/// Asks for a page, and returns the first line of the answer.
fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("it can be set");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    text.lines().next().unwrap_or_default().to_owned()
}

const FINE: &str = "HTTP/1.1 200 OK";
const NOT_FINE: &str = "HTTP/1.1 503 Service Unavailable";

/// A pulse with its last beat so long ago.
fn stopped(age: Duration) -> Pulse {
    let age = u64::try_from(age.as_millis()).expect("short");
    Pulse(Arc::new(AtomicU64::new(now() - age)))
}

#[test]
fn it_answers_beside_three_hundred_connections_that_say_nothing() {
    let (address, _pictures) = begun(stopped(Duration::ZERO), known());
    let slow: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    for mut stream in slow.iter().take(100) {
        stream.write_all(b"GET /livez HTTP/1.1\r\n").expect("it reads");
    }
    assert_eq!(ask(address, "/livez"), FINE);
    assert_eq!(ask(address, "/readyz"), FINE);
    drop(slow);
}

#[test]
fn it_answers_while_every_thread_of_the_operators_runtime_is_busy() {
    let operator = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let operator = operator.expect("a runtime");
    let (release, busy) = mpsc::channel::<()>();
    let busy = Arc::new(std::sync::Mutex::new(busy));
    let pulse = operator.block_on(async { Pulse::begin() });
    for _ in 0..2 {
        let busy = Arc::clone(&busy);
        operator.spawn(async move { busy.lock().expect("nobody panics").recv().is_ok() });
    }
    let (address, _pictures) = begun(pulse, known());
    assert_eq!(ask(address, "/livez"), FINE);
    drop(release);
}

#[test]
fn a_runtime_that_is_stuck_does_not_live() {
    let (address, _pictures) = begun(stopped(STUCK + Duration::from_secs(1)), known());
    assert_eq!(ask(address, "/livez"), NOT_FINE);
    let (address, _pictures) = begun(stopped(STUCK / 2), known());
    assert_eq!(ask(address, "/livez"), FINE);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_works_beats() {
    let pulse = Pulse::begin();
    pulse.0.store(0, Ordering::Relaxed);
    tokio::time::sleep(2 * BEAT).await;
    assert!(pulse.age() < STUCK);
}

#[test]
fn it_is_ready_when_it_sees_all_that_decides() {
    let (address, pictures) = begun(stopped(Duration::ZERO), World::default());
    assert_eq!(ask(address, "/readyz"), NOT_FINE);
    pictures.send_replace(Arc::new(known()));
    assert_eq!(ask(address, "/readyz"), FINE);
    let mut blind = known();
    blind.complete.remove(&Kind::NetworkPolicies);
    pictures.send_replace(Arc::new(blind));
    assert_eq!(ask(address, "/readyz"), NOT_FINE);
    assert_eq!(ask(address, "/livez"), FINE, "it need not be replaced for that");
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = taken.local_addr().expect("it is bound");
    let error =
        begin(address, stopped(Duration::ZERO), |_| Ok("ok".into())).expect_err("it is taken");
    assert!(error.to_string().contains("cannot listen on"), "{error}");
}
