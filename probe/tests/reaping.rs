//! Reaps children. The test has a file of its own because it reaps every child of its process.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use netproof_probe::pid1::reap;

#[test]
#[expect(clippy::zombie_processes, reason = "reap() is to find them")]
fn children_that_ended_are_reaped_and_others_left_alone() {
    assert_eq!(reap(), 0);
    let mut probe = Command::new(env!("CARGO_BIN_EXE_netproof-probe"));
    probe.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut living = probe.arg("--identity=pod-a").spawn().expect("the binary starts");
    for _ in 0..3 {
        let mut refused = Command::new(env!("CARGO_BIN_EXE_netproof-probe"));
        refused.arg("--no-such-flag").stderr(Stdio::null()).spawn().expect("the binary starts");
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut reaped = 0;
    while reaped < 3 {
        assert!(Instant::now() < deadline, "only {reaped} were reaped");
        reaped += reap();
        thread::yield_now();
    }
    assert_eq!(reap(), 0);
    living.kill().expect("it is alive");
    living.wait().expect("it was not reaped");
}
