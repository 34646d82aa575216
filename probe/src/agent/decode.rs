//! Turns a line into a checked request, or into the reply that says what is wrong with the line.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde_json::Value;

use crate::{
    challenge::Nonce,
    dial::{Attempt, DialProof, Hold},
    wire::{
        self, ErrorKind, MAX_HEARD, MAX_LINE, MAX_NONCE, MAX_TIMEOUT_MS, Op, Reply, Request,
        VERSION,
    },
};

/// How many characters of an error message are sent: the message may quote the line.
const MAX_MESSAGE: usize = 300;

/// A request whose every field is in its range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CheckedRequest {
    Hello { id: u64, nonce: String },
    Ping { id: u64, nonce: String },
    CheckListeners { id: u64 },
    Attempt { id: u64, attempt: Attempt },
    Heard { id: u64, nonces: Vec<Nonce> },
    Hold { id: u64, hold: Hold },
    Touch { id: u64, held: u64, nonce: Nonce, timeout: Duration },
    Release { id: u64, held: u64 },
}

/// Reads one line, given without its newline. The error is the reply to send.
pub(super) fn command(line: &[u8]) -> Result<CheckedRequest, Reply> {
    match serde_json::from_slice(line) {
        Ok(Request { v: VERSION, id, op }) => in_range(id, op).map_err(|message| Reply::Error {
            id: Some(id),
            kind: ErrorKind::OutOfRange,
            message,
        }),
        Ok(Request { v, id, .. }) => Err(other_version(Some(id), v.into())),
        Err(error) => Err(not_understood(line, &error)),
    }
}

/// The reply to a line over [`MAX_LINE`], which was skipped.
pub(super) fn too_long() -> Reply {
    let message = format!("the line has more than {MAX_LINE} bytes; it was skipped");
    Reply::Error { id: None, kind: ErrorKind::LineTooLong, message }
}

fn in_range(id: u64, op: Op) -> Result<CheckedRequest, String> {
    Ok(match op {
        Op::Hello { nonce } => CheckedRequest::Hello { id, nonce: echoed(nonce)? },
        Op::Ping { nonce } => CheckedRequest::Ping { id, nonce: echoed(nonce)? },
        Op::CheckListeners => CheckedRequest::CheckListeners { id },
        Op::Attempt { target, protocol, timeout_ms, proof, source_port } => {
            let (target, timeout) = (place(target)?, timeout(timeout_ms)?);
            let proof = match proof {
                wire::Proof::Identity { nonce } => DialProof::Identity(digits(nonce)?),
                wire::Proof::Answer => DialProof::Answer,
            };
            if source_port == Some(0) {
                return Err("sourcePort 0 is no port".to_owned());
            }
            let attempt = Attempt { target, protocol, timeout, proof, source_port };
            CheckedRequest::Attempt { id, attempt }
        }
        Op::Heard { nonces } => {
            if nonces.len() > MAX_HEARD {
                return Err(format!("{} nonces are more than {MAX_HEARD}", nonces.len()));
            }
            let nonces = nonces.into_iter().map(digits).collect::<Result<_, _>>()?;
            CheckedRequest::Heard { id, nonces }
        }
        Op::Hold { target, timeout_ms, nonce } => {
            let (target, timeout) = (place(target)?, timeout(timeout_ms)?);
            CheckedRequest::Hold { id, hold: Hold { target, timeout, nonce: digits(nonce)? } }
        }
        Op::Touch { held, nonce, timeout_ms } => {
            let (nonce, timeout) = (digits(nonce)?, timeout(timeout_ms)?);
            CheckedRequest::Touch { id, held, nonce, timeout }
        }
        Op::Release { held } => CheckedRequest::Release { id, held },
    })
}

fn place(target: SocketAddr) -> Result<SocketAddr, String> {
    if !is_one_host(target.ip()) || target.port() == 0 {
        return Err(format!("target {target} is not one host's address and a port"));
    }
    Ok(target)
}

fn timeout(timeout_ms: u32) -> Result<Duration, String> {
    if !(1..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
        return Err(format!("timeoutMs {timeout_ms} is not within 1 to {MAX_TIMEOUT_MS}"));
    }
    Ok(Duration::from_millis(timeout_ms.into()))
}

fn digits(nonce: String) -> Result<Nonce, String> {
    Nonce::new(nonce).ok_or_else(|| format!("a nonce is not 1 to {MAX_NONCE} hexadecimal digits"))
}

fn echoed(nonce: String) -> Result<String, String> {
    if nonce.len() > MAX_NONCE {
        return Err(format!("the nonce has more than {MAX_NONCE} bytes"));
    }
    Ok(nonce)
}

/// Whether the address is that of one host. The unspecified address would reach the probe itself,
/// a multicast or broadcast address many hosts or none.
fn is_one_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || broadcast)
}

/// The reply to a line that is no [`Request`]. Of another version's request only `v` and `id` can
/// be relied on, so the version is looked at before the rest is called wrong.
fn not_understood(line: &[u8], error: &serde_json::Error) -> Reply {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    let number = |key| value.get(key).and_then(Value::as_u64);
    match number("v") {
        Some(v) if v != u64::from(VERSION) => other_version(number("id"), v),
        _ => Reply::Error {
            id: number("id"),
            kind: ErrorKind::NotUnderstood,
            message: error.to_string().chars().take(MAX_MESSAGE).collect(),
        },
    }
}

fn other_version(id: Option<u64>, v: u64) -> Reply {
    let message = format!("this probe speaks version {VERSION}, not {v}");
    Reply::Error { id, kind: ErrorKind::UnsupportedVersion, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: &str = r#"{"v":1,"id":7,"op":"attempt","target":"10.0.0.1:80","protocol":"TCP","timeoutMs":1000,"proof":{"kind":"identity","nonce":"00ff"}}"#;

    /// Checks that a line is refused with this id and this kind of error.
    fn check(line: &str, expected: (Option<u64>, ErrorKind)) {
        match command(line.as_bytes()) {
            Err(Reply::Error { id, kind, message }) => {
                assert_eq!((id, kind), expected, "{line}: {message}");
                assert!(message.len() <= 4 * MAX_MESSAGE, "{line}: {message}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    fn check_attempt_with(from: &str, to: &str, expected: ErrorKind) {
        let line = ATTEMPT.replace(from, to);
        assert_ne!(line, ATTEMPT);
        check(&line, (Some(7), expected));
    }

    #[test]
    fn a_request_in_range_is_a_command() {
        let attempt = Attempt {
            target: "10.0.0.1:80".parse().expect("an address"),
            protocol: wire::Protocol::Tcp,
            timeout: Duration::from_secs(1),
            proof: DialProof::Identity(Nonce::new("00ff".to_owned()).expect("a nonce")),
            source_port: None,
        };
        assert_eq!(command(ATTEMPT.as_bytes()), Ok(CheckedRequest::Attempt { id: 7, attempt }));
    }

    #[test]
    fn what_is_no_request_is_not_understood() {
        for line in ["hello", "[]", "{", "7", r#""v""#, "{}", r#"{"v":1}"#] {
            check(line, (None, ErrorKind::NotUnderstood));
        }
        for line in [
            r#"{"v":1,"id":7}"#,
            r#"{"id":7,"op":"checkListeners"}"#,
            r#"{"v":1,"id":7,"op":"reboot"}"#,
            r#"{"v":1,"id":7,"op":"ping"}"#,
            r#"{"v":"1","id":7,"op":"checkListeners"}"#,
        ] {
            check(line, (Some(7), ErrorKind::NotUnderstood));
        }
        check(r#"{"v":1,"id":-7,"op":"checkListeners"}"#, (None, ErrorKind::NotUnderstood));
        check(
            &format!(r#"{{"v":1,"id":7,"op":"{}"}}"#, "x".repeat(60_000)),
            (Some(7), ErrorKind::NotUnderstood),
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_not_understood() {
        assert!(matches!(
            command(b"{\"v\":1,\"id\":7,\"op\":\"ping\",\"nonce\":\"\xff\"}"),
            Err(Reply::Error { kind: ErrorKind::NotUnderstood, .. })
        ));
    }

    #[test]
    fn the_version_is_looked_at_before_the_rest() {
        let kind = ErrorKind::UnsupportedVersion;
        check(r#"{"v":2,"id":7,"op":"checkListeners"}"#, (Some(7), kind));
        check(r#"{"v":2,"id":7,"op":"reboot"}"#, (Some(7), kind));
        check(r#"{"v":70000,"id":7}"#, (Some(7), kind));
        check(r#"{"v":0}"#, (None, kind));
    }

    #[test]
    fn a_field_out_of_its_range_is_refused() {
        let kind = ErrorKind::OutOfRange;
        check_attempt_with(r#""op""#, r#""sourcePort":0,"op""#, kind);
        check_attempt_with("1000", "0", kind);
        check_attempt_with("1000", "60001", kind);
        check_attempt_with("00ff", "", kind);
        check_attempt_with("00ff", "00fg", kind);
        check_attempt_with("00ff", &"0".repeat(MAX_NONCE + 1), kind);
        check_attempt_with(":80", ":0", kind);
        for target in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "[::]", "[ff02::1]"] {
            check_attempt_with("10.0.0.1", target, kind);
        }
        let nonce = "n".repeat(MAX_NONCE + 1);
        check(&format!(r#"{{"v":1,"id":7,"op":"ping","nonce":"{nonce}"}}"#), (Some(7), kind));
        check(&format!(r#"{{"v":1,"id":7,"op":"hello","nonce":"{nonce}"}}"#), (Some(7), kind));
    }

    #[test]
    fn what_is_held_has_the_ranges_of_an_attempt() {
        let kind = ErrorKind::OutOfRange;
        check_attempt_with(r#""op""#, r#""sourcePort":0,"op""#, kind);
        let hold =
            r#"{"v":1,"id":7,"op":"hold","target":"10.0.0.1:80","timeoutMs":1000,"nonce":"00ff"}"#;
        assert!(matches!(command(hold.as_bytes()), Ok(CheckedRequest::Hold { id: 7, .. })));
        check(&hold.replace("10.0.0.1:80", "10.0.0.1:0"), (Some(7), kind));
        check(&hold.replace("1000", "0"), (Some(7), kind));
        check(&hold.replace("00ff", "00fg"), (Some(7), kind));
        let touch = r#"{"v":1,"id":7,"op":"touch","held":3,"nonce":"00ff","timeoutMs":1000}"#;
        assert!(matches!(
            command(touch.as_bytes()),
            Ok(CheckedRequest::Touch { id: 7, held: 3, .. })
        ));
        check(&touch.replace("1000", "60001"), (Some(7), kind));
        check(&touch.replace("00ff", ""), (Some(7), kind));
    }

    #[test]
    fn a_field_of_another_type_is_not_understood() {
        check_attempt_with("1000", "-1", ErrorKind::NotUnderstood);
        check_attempt_with(":80", ":65536", ErrorKind::NotUnderstood);
        check_attempt_with("TCP", "ICMP", ErrorKind::NotUnderstood);
    }
}
