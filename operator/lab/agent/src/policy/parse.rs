//! Reads `NetworkPolicy` as the API stores it into a [`Policy`]: defaults are filled in, and an
//! absent list is told from an empty one.

use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use ipnet::IpNet;
use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    Block, Direction, Namespaces, Peer, Peers, Policy, PolicyTypes, Port, PortRange, Ports,
    Protocol, Rule, Target, port_number,
};
use crate::{error::Invalid, select::Selector};

impl Policy {
    /// Reads the object; what the API server would have refused is an error.
    pub fn parse(object: NetworkPolicy) -> Result<Self, Invalid> {
        let namespace = object.metadata.namespace.ok_or(Invalid::Missing("metadata.namespace"))?;
        let spec = object.spec.ok_or(Invalid::Missing("spec"))?;
        let ingress = spec.ingress.unwrap_or_default();
        let egress = spec.egress.unwrap_or_default();
        let covered = match spec.policy_types.as_deref() {
            // The API server's default: egress is covered only where a rule for it is written.
            None | Some([]) if egress.is_empty() => vec![Direction::Ingress],
            None | Some([]) => vec![Direction::Ingress, Direction::Egress],
            Some(types) => types.iter().map(|name| direction(name)).collect::<Result<_, _>>()?,
        };
        let ingress: Vec<_> = ingress
            .into_iter()
            .map(|rule| self::rule(rule.from, rule.ports))
            .collect::<Result<_, _>>()?;
        let egress: Vec<_> = egress
            .into_iter()
            .map(|rule| self::rule(rule.to, rule.ports))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            namespace,
            subjects: Selector::parse(spec.pod_selector.unwrap_or_default())?,
            types: match spec.policy_types.as_deref() {
                None | Some([]) => PolicyTypes::Defaulted,
                Some(_) => PolicyTypes::Written,
            },
            created: object.metadata.creation_timestamp,
            ingress: covered.contains(&Direction::Ingress).then_some(ingress),
            egress: covered.contains(&Direction::Egress).then_some(egress),
        })
    }
}

fn direction(policy_type: &str) -> Result<Direction, Invalid> {
    match policy_type {
        "Ingress" => Ok(Direction::Ingress),
        "Egress" => Ok(Direction::Egress),
        unknown => Err(Invalid::value("policyTypes", unknown)),
    }
}

fn rule(
    peers: Option<Vec<NetworkPolicyPeer>>,
    ports: Option<Vec<NetworkPolicyPort>>,
) -> Result<Rule, Invalid> {
    let peers: Vec<_> =
        peers.unwrap_or_default().into_iter().map(peer).collect::<Result<_, _>>()?;
    let ports: Vec<_> =
        ports.unwrap_or_default().into_iter().map(port).collect::<Result<_, _>>()?;
    Ok(Rule {
        peers: if peers.is_empty() { Peers::Anyone } else { Peers::OneOf(peers) },
        ports: if ports.is_empty() { Ports::All } else { Ports::OneOf(ports) },
    })
}

fn peer(peer: NetworkPolicyPeer) -> Result<Peer, Invalid> {
    match (peer.ip_block, peer.namespace_selector, peer.pod_selector) {
        (None, None, None) => Err(Invalid::Combination("a peer names neither pods nor an ipBlock")),
        (Some(block), None, None) => self::block(&block).map(Peer::Block),
        (Some(_), _, _) => Err(Invalid::Combination("a peer has an ipBlock and a selector")),
        (None, namespaces, pods) => Ok(Peer::Pods {
            namespaces: match namespaces {
                None => Namespaces::Own,
                Some(selector) => Namespaces::Selected(Selector::parse(selector)?),
            },
            pods: Selector::parse(pods.unwrap_or_default())?,
        }),
    }
}

fn block(block: &IPBlock) -> Result<Block, Invalid> {
    let range = cidr(&block.cidr)?;
    let except: Vec<_> =
        block.except.iter().flatten().map(|part| cidr(part)).collect::<Result<_, _>>()?;
    if except.iter().all(|part| range.contains(part)) {
        Ok(Block { range, except })
    } else {
        Err(Invalid::Combination("an except reaches out of its ipBlock"))
    }
}

fn port(port: NetworkPolicyPort) -> Result<Port, Invalid> {
    let protocol = port.protocol.as_deref().map_or(Ok(Protocol::Tcp), str::parse)?;
    let target = match (port.port, port.end_port) {
        (None, None) => Target::Numbers(PortRange::ALL),
        (Some(IntOrString::String(name)), None) => Target::Named(name),
        (Some(IntOrString::Int(first)), None) => {
            Target::Numbers(PortRange::single(port_number("port", first)?))
        }
        (Some(IntOrString::Int(first)), Some(last)) if first <= last => {
            Target::Numbers(PortRange {
                first: port_number("port", first)?,
                last: port_number("endPort", last)?,
            })
        }
        (_, Some(_)) => {
            return Err(Invalid::Combination("an endPort needs a number in port, not above it"));
        }
    };
    Ok(Port { protocol, target })
}

/// A range as the API server reads it: old objects may have bits set behind the prefix, and IPv4
/// parts with leading zeros, which are decimal all the same.
fn cidr(text: &str) -> Result<IpNet, Invalid> {
    let invalid = || Invalid::value("cidr", text);
    let (address, length) = text.split_once('/').ok_or_else(invalid)?;
    let length = length.parse().map_err(|_| invalid())?;
    let address = lenient(address).ok_or_else(invalid)?;
    IpNet::new(address, length).map(|range| range.trunc()).map_err(|_| invalid())
}

fn lenient(address: &str) -> Option<IpAddr> {
    if address.contains(':') {
        return IpAddr::from_str(address).ok();
    }
    let parts: Vec<u8> = address.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    <[u8; 4]>::try_from(parts).ok().map(|parts| Ipv4Addr::from(parts).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "a json! literal reads best as an argument")]

    use serde_json::{Value, from_value, json};

    use super::*;

    fn policy(spec: Value) -> Result<Policy, Invalid> {
        let object = json!({"metadata": {"namespace": "shop", "name": "p"}, "spec": spec});
        Policy::parse(from_value(object).unwrap())
    }

    fn covers(spec: Value) -> (bool, bool) {
        let policy = policy(spec).unwrap();
        (policy.rules(Direction::Ingress).is_some(), policy.rules(Direction::Egress).is_some())
    }

    #[test]
    fn without_policy_types_egress_is_covered_only_by_a_rule() {
        assert_eq!(covers(json!({})), (true, false));
        assert_eq!(covers(json!({"egress": []})), (true, false));
        assert_eq!(covers(json!({"egress": [{}]})), (true, true));
        assert_eq!(covers(json!({"policyTypes": [], "egress": [{}]})), (true, true));
    }

    #[test]
    fn policy_types_decide_where_they_stand() {
        assert_eq!(covers(json!({"policyTypes": ["Egress"], "ingress": [{}]})), (false, true));
        assert_eq!(covers(json!({"policyTypes": ["Ingress"], "egress": [{}]})), (true, false));
    }

    #[test]
    fn an_absent_or_empty_list_in_a_rule_means_all_and_in_a_spec_means_none() {
        let all = Rule { peers: Peers::Anyone, ports: Ports::All };
        let read = |spec| policy(spec).unwrap().rules(Direction::Ingress).unwrap().to_vec();
        assert_eq!(read(json!({"ingress": []})), []);
        assert_eq!(read(json!({"ingress": null})), []);
        for rule in [json!({}), json!({"from": null}), json!({"from": [], "ports": []})] {
            assert_eq!(read(json!({"ingress": [rule]})), std::slice::from_ref(&all));
        }
    }

    #[test]
    fn an_empty_port_is_all_of_tcp() {
        let port = super::port(from_value(json!({})).unwrap());
        let all_of_tcp = Port { protocol: Protocol::Tcp, target: Target::Numbers(PortRange::ALL) };
        assert_eq!(port, Ok(all_of_tcp));
    }

    #[test]
    fn ranges_are_masked_and_zeros_in_front_are_decimal() {
        assert_eq!(cidr("010.010.1.12/24"), Ok("10.10.1.0/24".parse().unwrap()));
        assert_eq!(cidr("fd00::7/64"), Ok("fd00::/64".parse().unwrap()));
        for wrong in ["10.0.0.1", "10.0.0/8", "10.0.0.256/8", "10.0.0.0/33", "::1/129", "a/8"] {
            assert!(cidr(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_api_refuses_is_an_error() {
        let block = json!({"cidr": "10.0.0.0/8"});
        for ingress in [
            json!({"from": [{}]}),
            json!({"from": [{"ipBlock": block, "podSelector": {}}]}),
            json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}),
            json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["fd00::/64"]}}]}),
            json!({"ports": [{"protocol": "ICMP"}]}),
            json!({"ports": [{"port": 0}]}),
            json!({"ports": [{"port": 65536}]}),
            json!({"ports": [{"port": 80, "endPort": 79}]}),
            json!({"ports": [{"port": "http", "endPort": 90}]}),
            json!({"ports": [{"endPort": 90}]}),
        ] {
            assert!(policy(json!({"ingress": [ingress]})).is_err(), "{ingress}");
        }
        assert!(policy(json!({"policyTypes": ["Sideways"]})).is_err());
    }
}
