//! Reads the command line and the environment of a probe.

use std::{
    ffi::{OsStr, OsString},
    num::NonZeroU16,
};

use thiserror::Error;

use crate::{
    challenge::{Identity, MAX_IDENTITY},
    listen::ListenPort,
    wire::Protocol,
};

/// The help text: which flags there are, and what each takes.
pub const USAGE: &str = "\
usage: netproof-probe --identity ID [--listen PROTOCOL/PORT]...

  --identity ID             who to say this is: the pod's UID; or set NETPROOF_IDENTITY
  --listen PROTOCOL/PORT    answer there: tcp/8080, udp/53; may be repeated
";

/// How many ports one probe listens on at most: a reply that names all of them has to fit a line.
const MAX_LISTENERS: usize = 128;

/// The settings of a probe for as long as it runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Args {
    /// The name that the probe gives to those that connect to it.
    pub identity: Identity,
    /// The ports to answer on, none twice.
    pub listen: Vec<ListenPort>,
}

/// What is wrong with the command line, in words that say what to change.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum ArgsError {
    /// Neither the flag nor the environment gives an identity.
    #[error("no identity: give --identity, or set NETPROOF_IDENTITY to the pod's UID")]
    NoIdentity,
    /// The identity is not one that fits an answer.
    #[error(
        "identity {0:?}: use 1 to {MAX_IDENTITY} printable ASCII characters without spaces, such as the pod's UID"
    )]
    BadIdentity(String),
    /// The value of a `--listen` is no protocol and port.
    #[error(
        "--listen {0:?}: write a protocol and a port from 1 to 65535, such as tcp/8080 or udp/53"
    )]
    BadListen(String),
    /// The same protocol and port were given before.
    #[error("--listen {0}: this port is given twice; give it once")]
    Twice(String),
    /// There are more ports than a reply can name.
    #[error("--listen is given more than {MAX_LISTENERS} times; split them over several probes")]
    TooMany,
    /// A flag is the last argument and has no value.
    #[error("{0} needs a value after it")]
    NoValue(String),
    /// An argument is no known flag.
    #[error("{0:?} is not known; the flags are --identity and --listen")]
    Unknown(String),
}

impl Args {
    /// Reads the arguments after the program's name. `environment` is `NETPROOF_IDENTITY` where it
    /// is set; `--identity` goes before it. The first thing that is wrong is the error.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        environment: Option<&OsStr>,
    ) -> Result<Self, ArgsError> {
        let mut identity = environment.map(text);
        let mut listen = Vec::new();
        let mut arguments = arguments.into_iter().map(|argument| text(&argument));
        while let Some(argument) = arguments.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if !["--identity", "--listen"].contains(&flag.as_str()) {
                return Err(ArgsError::Unknown(flag));
            }
            let Some(value) = value.or_else(|| arguments.next()) else {
                return Err(ArgsError::NoValue(flag));
            };
            if flag == "--identity" { identity = Some(value) } else { add(&mut listen, value)? }
        }
        let identity = identity.ok_or(ArgsError::NoIdentity)?;
        let identity = Identity::new(&identity).ok_or(ArgsError::BadIdentity(identity))?;
        Ok(Self { identity, listen })
    }
}

/// The argument as text. Bytes that are not UTF-8 are replaced: no valid value has any.
fn text(argument: &OsStr) -> String {
    argument.to_string_lossy().into_owned()
}

fn add(listen: &mut Vec<ListenPort>, value: String) -> Result<(), ArgsError> {
    let Some(port) = port(&value) else { return Err(ArgsError::BadListen(value)) };
    if listen.contains(&port) {
        return Err(ArgsError::Twice(value));
    }
    if listen.len() == MAX_LISTENERS {
        return Err(ArgsError::TooMany);
    }
    listen.push(port);
    Ok(())
}

fn port(value: &str) -> Option<ListenPort> {
    let (protocol, number) = value.split_once('/')?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some(ListenPort { protocol, number: number.parse::<NonZeroU16>().ok()?.get() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, environment: Option<&str>) -> Result<Args, ArgsError> {
        Args::parse(line.split_whitespace().map(OsString::from), environment.map(OsStr::new))
    }

    fn pod_a(listen: &[(Protocol, u16)]) -> Args {
        Args {
            identity: Identity::new("pod-a").expect("an identity"),
            listen: listen
                .iter()
                .map(|&(protocol, number)| ListenPort { protocol, number })
                .collect(),
        }
    }

    #[test]
    fn flags_take_their_value_behind_a_space_or_an_equals_sign() {
        let listen = [(Protocol::Tcp, 80), (Protocol::Udp, 53), (Protocol::Sctp, 9)];
        assert_eq!(
            parse("--listen tcp/80 --identity pod-a --listen=udp/53 --listen sctp/9", None),
            Ok(pod_a(&listen))
        );
        assert_eq!(parse("--identity=pod-a", None), Ok(pod_a(&[])));
    }

    #[test]
    fn the_flag_goes_before_the_environment() {
        assert_eq!(parse("", Some("pod-a")), Ok(pod_a(&[])));
        assert_eq!(parse("--identity pod-a", Some("pod-b")), Ok(pod_a(&[])));
    }

    #[test]
    fn an_identity_is_needed() {
        assert_eq!(parse("--listen tcp/80", None), Err(ArgsError::NoIdentity));
        assert_eq!(parse("", Some("")), Err(ArgsError::BadIdentity(String::new())));
        assert_eq!(parse("--identity pöd", None), Err(ArgsError::BadIdentity("pöd".to_owned())));
    }

    #[test]
    fn a_port_that_cannot_be_listened_on_is_refused() {
        for value in ["80", "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/-1", "icmp/1", "/80"] {
            assert_eq!(
                parse(&format!("--identity pod-a --listen {value}"), None),
                Err(ArgsError::BadListen(value.to_owned()))
            );
        }
        assert_eq!(
            parse("--identity pod-a --listen tcp/80 --listen tcp/80", None),
            Err(ArgsError::Twice("tcp/80".to_owned()))
        );
    }

    #[test]
    fn no_more_ports_than_a_reply_can_name() {
        let ports = |count: usize| {
            (1..=count).map(|port| format!("--listen tcp/{port}")).collect::<Vec<_>>().join(" ")
        };
        assert!(parse(&ports(MAX_LISTENERS), Some("pod-a")).is_ok());
        assert_eq!(parse(&ports(MAX_LISTENERS + 1), Some("pod-a")), Err(ArgsError::TooMany));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(parse("--identity", None), Err(ArgsError::NoValue("--identity".to_owned())));
        assert_eq!(parse("--quiet", None), Err(ArgsError::Unknown("--quiet".to_owned())));
        assert_eq!(parse("pod-a", None), Err(ArgsError::Unknown("pod-a".to_owned())));
    }
}
