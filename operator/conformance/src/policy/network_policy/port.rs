//! A port of a rule: numbered, ranged or named.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::{
    flow::Protocol,
    policy::{
        MatchedPorts, PortMatch, json,
        rejected::{InField, PolicyFault, PolicyProblem},
        syntax,
    },
};

/// `NetworkPolicyPort`: a port of the receiver, or a range of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct NetworkPolicyPort {
    /// TCP if it is absent.
    pub protocol: Option<String>,
    /// A number or a name; all ports of the protocol if it is absent.
    pub port: Option<IntOrString>,
    /// The last port of a range that begins at `port`.
    pub end_port: Option<i64>,
}

json::only_from_objects!(NetworkPolicyPort);

/// A number or a string: the API tells a port's number from its name by the JSON type alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrString {
    /// A number, perhaps out of range.
    Int(i64),
    /// A name, even if it consists of digits.
    String(String),
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntOrStringVisitor)
    }
}

struct IntOrStringVisitor;

impl de::Visitor<'_> for IntOrStringVisitor {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port's number or name")
    }

    fn visit_i64<E>(self, number: i64) -> Result<IntOrString, E> {
        Ok(IntOrString::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<IntOrString, E> {
        let number = i64::try_from(number);
        number.map(IntOrString::Int).map_err(|_| E::custom("the port's number is too large"))
    }

    fn visit_str<E>(self, name: &str) -> Result<IntOrString, E> {
        Ok(IntOrString::String(name.to_owned()))
    }

    fn visit_string<E>(self, name: String) -> Result<IntOrString, E> {
        Ok(IntOrString::String(name))
    }
}

impl NetworkPolicyPort {
    pub(super) fn compile(&self) -> Result<PortMatch, PolicyFault> {
        let protocol = protocol(self.protocol.as_deref()).at("protocol")?;
        let numbers = match (&self.port, self.end_port) {
            (None, None) => MatchedPorts::Any,
            (Some(IntOrString::String(name)), None) => port_name(name).at("port")?,
            (Some(IntOrString::Int(port)), None) => {
                let port = port_number(*port).at("port")?;
                MatchedPorts::Range { first: port, last: port }
            }
            (Some(IntOrString::Int(port)), Some(end)) => {
                let first = port_number(*port).at("port")?;
                MatchedPorts::Range { first, last: end_port(first, end).at("endPort")? }
            }
            (None | Some(IntOrString::String(_)), Some(_)) => {
                return Err(PolicyProblem::EndPortWithoutNumber).at("endPort");
            }
        };
        Ok(PortMatch { protocol, numbers })
    }
}

/// TCP where none is written.
pub(in crate::policy) fn protocol(written: Option<&str>) -> Result<Protocol, PolicyProblem> {
    match written {
        None => Ok(Protocol::default()),
        Some("TCP") => Ok(Protocol::Tcp),
        Some("UDP") => Ok(Protocol::Udp),
        Some("SCTP") => Ok(Protocol::Sctp),
        Some(other) => Err(PolicyProblem::Protocol(other.to_owned())),
    }
}

pub(in crate::policy) fn port_number(number: i64) -> Result<u16, PolicyProblem> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(PolicyProblem::PortNumber(number)),
    }
}

fn end_port(port: u16, end: i64) -> Result<u16, PolicyProblem> {
    if end < i64::from(port) {
        return Err(PolicyProblem::EndPortBelowPort { port, end });
    }
    port_number(end)
}

fn port_name(name: &str) -> Result<MatchedPorts, PolicyProblem> {
    if syntax::is_port_name(name) {
        Ok(MatchedPorts::Named(name.to_owned()))
    } else {
        Err(PolicyProblem::PortName(name.to_owned()))
    }
}
