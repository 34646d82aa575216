//! How many attempts a second one probe sustains over loopback, each with proof of identity.
//!
//! Both ends are the real binary, each in a process of its own: one is driven over pipes as an
//! operator would, the other answers.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use divan::{Bencher, counter::ItemsCount};
use netproof_probe::wire::{Op, Proof, Protocol, Request, VERSION};

/// Attempts in one sample: so many that the sample's start and end do not count.
const ATTEMPTS: u64 = 20_000;

/// What the reply to each attempt has to contain.
const CONNECTED: &str = r#""outcome":{"outcome":"connected","identity":"far-end"}"#;

fn main() {
    divan::main();
}

#[divan::bench(args = [Protocol::Tcp, Protocol::Udp], sample_count = 10, sample_size = 1)]
fn attempts(bencher: Bencher<'_, '_>, protocol: Protocol) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let target = free.expect("a free port");
    let mut far_end = Probe::start("far-end", Some(target.port()));
    assert_eq!(far_end.ask(&Op::CheckListeners).matches("answering").count(), 2);
    let mut near_end = Probe::start("near-end", None);
    let requests = requests(protocol, target);
    bencher.counter(ItemsCount::new(ATTEMPTS)).bench_local(|| near_end.attempt(&requests));
}

fn requests(protocol: Protocol, target: SocketAddr) -> String {
    (0..ATTEMPTS).fold(String::new(), |mut lines, id| {
        let proof = Proof::Identity { nonce: format!("{id:016x}") };
        let op = Op::Attempt { target, protocol, timeout_ms: 5000, proof, source_port: None };
        writeln!(lines, "{}", line(id, &op)).expect("a string takes all");
        lines
    })
}

fn line(id: u64, op: &Op) -> String {
    let request = Request { v: VERSION, id, op: op.clone() };
    serde_json::to_string(&request).expect("a request is plain data")
}

/// A probe's process, until this is dropped.
struct Probe {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Probe {
    fn start(identity: &str, port: Option<u16>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netproof-probe"));
        command.args(["--identity", identity]).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(port) = port {
            command.args([format!("--listen=tcp/{port}"), format!("--listen=udp/{port}")]);
        }
        let mut process = command.spawn().expect("the binary starts");
        let stdin = process.stdin.take().expect("it is piped");
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, stdin, stdout }
    }

    fn ask(&mut self, op: &Op) -> String {
        writeln!(self.stdin, "{}", line(0, op)).expect("the probe reads");
        let mut reply = String::new();
        self.stdout.read_line(&mut reply).expect("the probe writes");
        reply
    }

    /// Sends all requests, reads all replies, and makes sure that each attempt connected.
    fn attempt(&mut self, requests: &str) {
        let Self { stdin, stdout, .. } = self;
        thread::scope(|scope| {
            scope.spawn(|| stdin.write_all(requests.as_bytes()).expect("the probe reads"));
            let mut reply = String::new();
            for _ in 0..ATTEMPTS {
                reply.clear();
                stdout.read_line(&mut reply).expect("the probe writes");
                assert!(reply.contains(CONNECTED), "{reply}");
            }
        });
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It has ended already if this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
