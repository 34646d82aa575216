//! Asks one of the probe's own listeners, over the loopback addresses that no policy reaches.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use tokio::join;

use super::socket::family_is_off;
use crate::{
    challenge::{Identity, Nonce},
    dial::{self, Attempt, DialProof},
    source_ports::SourcePorts,
    wire::{ListenerState, Outcome, Protocol},
};

/// How long an attempt at a listener may take. Over loopback an answer takes microseconds.
const TIMEOUT: Duration = Duration::from_millis(500);

/// What an attempt at one loopback address found.
enum AddressFinding {
    Answers,
    FamilyIsOff,
    Silent(String),
}

/// Whether the port answers with this identity at the loopback address of each family that the
/// machine has. Ends within [`TIMEOUT`].
pub(super) async fn answers(
    protocol: Protocol,
    port: u16,
    identity: &Identity,
    ports: &SourcePorts,
) -> ListenerState {
    let v4 = ask(protocol, (Ipv4Addr::LOCALHOST, port).into(), identity, ports);
    let v6 = ask(protocol, (Ipv6Addr::LOCALHOST, port).into(), identity, ports);
    match join!(v4, v6) {
        (AddressFinding::Silent(why), _) | (_, AddressFinding::Silent(why)) => {
            ListenerState::Silent { why }
        }
        (AddressFinding::FamilyIsOff, AddressFinding::FamilyIsOff) => {
            ListenerState::Silent { why: "there is no loopback address to dial".to_owned() }
        }
        (AddressFinding::Answers, AddressFinding::Answers | AddressFinding::FamilyIsOff)
        | (AddressFinding::FamilyIsOff, AddressFinding::Answers) => ListenerState::Answering,
    }
}

async fn ask(
    protocol: Protocol,
    target: SocketAddr,
    identity: &Identity,
    ports: &SourcePorts,
) -> AddressFinding {
    if !is_ours(target.ip()) {
        return AddressFinding::FamilyIsOff;
    }
    let proof = DialProof::Identity(Nonce::fresh());
    let attempt = Attempt { target, protocol, timeout: TIMEOUT, proof, source_port: None };
    let why = match dial::dial(&attempt, ports).await.outcome {
        Outcome::Connected { identity: Some(shown) } if shown == identity.as_str() => {
            return AddressFinding::Answers;
        }
        Outcome::Connected { .. } => "another probe answers there".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::TimedOut => format!("no answer within {TIMEOUT:?}"),
        Outcome::Unreachable { errno } => errno,
        Outcome::Failed { why } => why,
    };
    AddressFinding::Silent(format!("dialled at {target}: {why}"))
}

/// Whether this machine has the address. In doubt it has, and the attempt says what is wrong.
fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).map_or_else(|error| !family_is_off(&error), |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{Limits, ListenPort, Listeners};

    fn identity(text: &str) -> Identity {
        Identity::new(text).expect("an identity")
    }

    #[tokio::test]
    async fn an_answer_with_another_identity_is_not_the_listeners_own() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let port = ListenPort { protocol, number: 0 };
            let listeners = Listeners::open(identity("pod-b"), &[port], Limits::default());
            let number = listeners.opened()[0].number;
            let why = format!("dialled at 127.0.0.1:{number}: another probe answers there");
            assert_eq!(
                answers(protocol, number, &identity("pod-a"), &SourcePorts::default()).await,
                ListenerState::Silent { why }
            );
        }
    }
}
