//! Ports as people write them: `3306`, `53/UDP`, `http`.

use std::{fmt, str::FromStr};

use netproof_conformance::{
    flow::{Port, Protocol},
    pod::{ContainerKind, Pod},
};
use thiserror::Error;

/// A port as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortSpec {
    /// A number and its protocol; TCP if none is written.
    Number(Port),
    /// The ports that each receiver gives this name, of one protocol or of any.
    Name(String, Option<Protocol>),
}

/// Why a text is no port.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoPort {
    /// The number is not from 1 to 65535.
    #[error("{0} is no port: use a number from 1 to 65535")]
    Number(String),
    /// The protocol is none that policies know.
    #[error("{0:?} is no protocol: use TCP, UDP or SCTP")]
    Protocol(String),
    /// The text is empty, or has no port before its `/`.
    #[error("write a port as 3306, 53/UDP or http")]
    Name,
}

impl FromStr for PortSpec {
    type Err = NoPort;

    fn from_str(text: &str) -> Result<Self, NoPort> {
        let (port, protocol) = match text.split_once('/') {
            Some((port, protocol)) => (port, Some(self::protocol(protocol)?)),
            None => (text, None),
        };
        let is_number =
            port.starts_with(['+', '-']) || port.chars().all(|char| char.is_ascii_digit());
        if port.is_empty() {
            return Err(NoPort::Name);
        }
        if !is_number {
            return Ok(Self::Name(port.to_owned(), protocol));
        }
        match port.parse() {
            Ok(number) if number > 0 && !port.starts_with('+') => {
                Ok(Self::Number(Port { number, protocol: protocol.unwrap_or_default() }))
            }
            Ok(_) | Err(_) => Err(NoPort::Number(port.to_owned())),
        }
    }
}

fn protocol(text: &str) -> Result<Protocol, NoPort> {
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|protocol| protocol.to_string().eq_ignore_ascii_case(text))
        .ok_or_else(|| NoPort::Protocol(text.to_owned()))
}

impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(port) => port.fmt(f),
            Self::Name(name, None) => f.write_str(name),
            Self::Name(name, Some(protocol)) => write!(f, "{name}/{protocol}"),
        }
    }
}

/// The ports to which the containers of a pod give this name. If only init containers give it,
/// theirs: whether those resolve is the answer's to say.
pub fn named(pod: &Pod, name: &str, protocol: Option<Protocol>) -> Vec<Port> {
    let of = |container| {
        let ports = pod.named_ports.iter().filter(move |port| {
            port.container == container
                && port.name == name
                && protocol.is_none_or(|protocol| port.protocol == protocol)
        });
        ports.map(|port| Port { number: port.number, protocol: port.protocol })
    };
    let mut ports: Vec<Port> = of(ContainerKind::Regular).collect();
    if ports.is_empty() {
        ports = of(ContainerKind::Init).collect();
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16, protocol: Protocol) -> PortSpec {
        PortSpec::Number(Port { number, protocol })
    }

    #[test]
    fn numbers_have_a_protocol_and_it_is_tcp_unless_said() {
        assert_eq!("3306".parse(), Ok(number(3306, Protocol::Tcp)));
        assert_eq!("3306/TCP".parse(), Ok(number(3306, Protocol::Tcp)));
        assert_eq!("53/udp".parse(), Ok(number(53, Protocol::Udp)));
        assert_eq!("65535/Sctp".parse(), Ok(number(65535, Protocol::Sctp)));
    }

    #[test]
    fn names_may_say_a_protocol() {
        assert_eq!("http".parse(), Ok(PortSpec::Name("http".into(), None)));
        assert_eq!("dns/udp".parse(), Ok(PortSpec::Name("dns".into(), Some(Protocol::Udp))));
        assert_eq!("h2-80".parse(), Ok(PortSpec::Name("h2-80".into(), None)));
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for text in ["0", "65536", "-1", "+80", "99999999999"] {
            assert_eq!(text.parse::<PortSpec>(), Err(NoPort::Number(text.into())), "{text}");
        }
        assert_eq!("80/icmp".parse::<PortSpec>(), Err(NoPort::Protocol("icmp".into())));
        assert_eq!("80/".parse::<PortSpec>(), Err(NoPort::Protocol(String::new())));
        assert_eq!("".parse::<PortSpec>(), Err(NoPort::Name));
        assert_eq!("/tcp".parse::<PortSpec>(), Err(NoPort::Name));
    }
}
