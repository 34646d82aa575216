//! Reads ports as cases write them.

use netproof_conformance::{
    flow::{Port, Protocol},
    pod::{ContainerKind, NamedPort},
};

use crate::error::CaseProblem;

/// Reads a port such as `80/TCP`.
pub(crate) fn port(text: &str) -> Result<Port, CaseProblem> {
    let wrong = || CaseProblem::Port(text.to_owned());
    let (number, protocol) = text.split_once('/').ok_or_else(wrong)?;
    let protocol = match protocol {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        _ => return Err(wrong()),
    };
    Ok(Port { number: number.parse().map_err(|_| wrong())?, protocol })
}

/// Reads a named port such as `http 80/TCP`, which a container declares.
pub(crate) fn named_port(text: &str, container: ContainerKind) -> Result<NamedPort, CaseProblem> {
    let (name, declared) =
        text.split_once(' ').ok_or_else(|| CaseProblem::NamedPort(text.to_owned()))?;
    let Port { number, protocol } = port(declared)?;
    Ok(NamedPort { name: name.to_owned(), number, protocol, container })
}
