//! The real binary: how it starts, and how it ends.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

fn probe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof-probe"));
    command.args(arguments).env_remove("NETPROOF_IDENTITY");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ping(process: &mut Child, stdout: &mut BufReader<ChildStdout>) {
    let stdin = process.stdin.as_mut().expect("it is piped");
    stdin.write_all(b"{\"v\":1,\"id\":7,\"op\":\"ping\",\"nonce\":\"0\"}\n").expect("it reads");
    let mut reply = String::new();
    stdout.read_line(&mut reply).expect("it writes");
    assert_eq!(reply, "{\"reply\":\"pong\",\"id\":7,\"nonce\":\"0\"}\n");
}

/// Starts the probe and waits until it has answered.
fn started(command: &mut Command) -> (Child, BufReader<ChildStdout>) {
    let mut process = command.spawn().expect("the binary starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
    ping(&mut process, &mut stdout);
    (process, stdout)
}

fn send(signal: Signal, process: &Child) {
    let id = i32::try_from(process.id()).expect("the kernel's ids are small");
    kill(Pid::from_raw(id), signal).expect("the process is there");
}

fn ended_within(limit: Duration, process: &mut Child) -> ExitStatus {
    let start = Instant::now();
    let status = process.wait().expect("it is a child");
    assert!(start.elapsed() < limit, "it took {:?}", start.elapsed());
    status
}

#[test]
fn it_ends_within_a_second_when_told_to() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut process, _stdout) = started(&mut probe(&["--identity=pod-a"]));
        send(signal, &process);
        let status = ended_within(Duration::from_secs(1), &mut process);
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}

#[test]
fn attempts_in_flight_and_replies_nobody_takes_do_not_hold_up_the_end() {
    let (mut process, _stdout) = started(&mut probe(&["--identity=pod-a"]));
    let mut stdin = process.stdin.take().expect("it is piped");
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let target = silent.local_addr().expect("it is bound");
    writeln!(
        stdin,
        r#"{{"v":1,"id":1,"op":"attempt","target":"{target}","protocol":"UDP","timeoutMs":60000,"proof":{{"kind":"answer"}}}}"#
    )
    .expect("it reads");
    // The datagram shows that the attempt is being made.
    silent.recv(&mut [0; 100]).expect("loopback");
    send(Signal::SIGTERM, &process);
    assert_eq!(ended_within(Duration::from_secs(1), &mut process).code(), Some(0));
}

#[test]
fn it_outlives_its_stdin_and_its_stdout() {
    let number = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = number.expect("a free port").port();
    let listen = format!("--listen=tcp/{port}");
    let (mut process, stdout) = started(&mut probe(&["--identity=pod-a", &listen]));
    drop(stdout);
    // The probe says on stderr that it cannot write. Its first reply may still find a reader: a
    // child that another test is forking holds our pipes until it executes its own program.
    let stderr = process.stderr.take().expect("it is piped");
    let first_words = thread::spawn(move || BufReader::new(stderr).lines().next());
    let mut stdin = process.stdin.take().expect("it is piped");
    while !first_words.is_finished() {
        stdin.write_all(b"{}\n").expect("it reads");
        thread::yield_now();
    }
    let said = first_words.join().expect("it did not panic").expect("it writes").expect("text");
    assert_eq!(said, "netproof-probe: Cannot write replies: Broken pipe (os error 32)");
    drop(stdin);

    let mut far_end = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    far_end.write_all(b"netproof-ask/1 00ff\n").expect("it reads");
    let mut answer = String::new();
    BufReader::new(far_end).read_line(&mut answer).expect("it answers");
    assert_eq!(answer, "netproof-answer/1 00ff pod-a\n");

    send(Signal::SIGTERM, &process);
    assert_eq!(ended_within(Duration::from_secs(1), &mut process).code(), Some(0));
}

#[test]
fn the_identity_may_come_from_the_environment() {
    let mut command = probe(&[]);
    let (mut process, _stdout) = started(command.env("NETPROOF_IDENTITY", "pod-a"));
    send(Signal::SIGTERM, &process);
    process.wait().expect("it is a child");
}

#[test]
fn a_bad_command_line_says_what_to_do() {
    let output = probe(&["--identity=pod-a", "--listen=8080"]).output().expect("it starts");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    let message = String::from_utf8(output.stderr).expect("it writes text");
    assert_eq!(
        message.lines().next(),
        Some(
            "netproof-probe: --listen \"8080\": write a protocol and a port from 1 to 65535, \
             such as tcp/8080 or udp/53"
        )
    );
}
