//! Turns the object into a [`Policy`], by the API server's defaults and validation
//! (`k8s.io/kubernetes/pkg/apis/networking`).

use super::{
    EgressRule, IngressRule, IpBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
};
use crate::{
    flow::Direction,
    policy::{
        self, Created, Isolation, Namespaces, Peer, Peers, Policy, PolicyTypes, Ports, Rule,
        cidr::Cidr,
        rejected::{InField, PolicyFault, PolicyProblem, Rejected},
        syntax,
    },
    reference::ObjectRef,
    select::Selector,
};

/// Compiles an object, or says what the API server would refuse about it.
///
/// ```
/// use netproof_conformance::policy::network_policy::compile;
///
/// let policy = |cidr: &str| {
///     serde_json::from_value(serde_json::json!({
///         "metadata": {"namespace": "shop", "name": "office"},
///         "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": cidr}}]}]},
///     }))
/// };
/// assert_eq!(compile(&policy("192.0.2.0/24")?)?.name.to_string(), "shop/office");
///
/// let rejected = compile(&policy("192.0.2.0")?).expect_err("no prefix length");
/// assert_eq!(rejected.field, "spec.ingress[0].from[0].ipBlock.cidr");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compile(object: &NetworkPolicy) -> Result<Policy, Rejected> {
    let name = ObjectRef {
        namespace: object.metadata.namespace.clone(),
        name: object.metadata.name.clone(),
    };
    let types = match object.spec.policy_types[..] {
        [] => PolicyTypes::Derived,
        [_, ..] => PolicyTypes::Written,
    };
    let created = object.metadata.creation_timestamp.clone().map(Created);
    match parts(object) {
        Ok((subjects, ingress, egress)) => {
            Ok(Policy { name, subjects, ingress, egress, types, created })
        }
        Err(fault) => Err(fault.of(name)),
    }
}

fn parts(object: &NetworkPolicy) -> Result<(Selector, Isolation, Isolation), PolicyFault> {
    let NetworkPolicy { metadata, spec } = object;
    syntax::object_name(&metadata.name, syntax::is_dns_subdomain).at("metadata.name")?;
    syntax::object_name(&metadata.namespace, syntax::is_dns_label).at("metadata.namespace")?;
    let subjects = spec.pod_selector.compile().at("podSelector").at("spec")?;
    let ingress = each("ingress", &spec.ingress, IngressRule::compile).at("spec")?;
    let egress = each("egress", &spec.egress, EgressRule::compile).at("spec")?;
    let isolated = isolated_directions(&spec.policy_types, !egress.is_empty()).at("spec")?;
    let isolation = |direction, rules| {
        if isolated.contains(&direction) { Isolation::Isolated(rules) } else { Isolation::Open }
    };
    Ok((subjects, isolation(Direction::Ingress, ingress), isolation(Direction::Egress, egress)))
}

/// Without `policyTypes` a policy always isolates ingress, and egress only if it has a rule for it.
fn isolated_directions(types: &[String], has_egress: bool) -> Result<Vec<Direction>, PolicyFault> {
    match types {
        [] if has_egress => Ok(vec![Direction::Ingress, Direction::Egress]),
        [] => Ok(vec![Direction::Ingress]),
        [_] | [_, _] => {
            each("policyTypes", types, |name| policy_type(name).map_err(PolicyFault::from))
        }
        [..] => Err(PolicyProblem::PolicyTypes).at("policyTypes"),
    }
}

fn policy_type(name: &str) -> Result<Direction, PolicyProblem> {
    match name {
        "Ingress" => Ok(Direction::Ingress),
        "Egress" => Ok(Direction::Egress),
        other => Err(PolicyProblem::PolicyType(other.to_owned())),
    }
}

impl IngressRule {
    fn compile(&self) -> Result<Rule, PolicyFault> {
        rule(&self.ports, "from", &self.from)
    }
}

impl EgressRule {
    fn compile(&self) -> Result<Rule, PolicyFault> {
        rule(&self.ports, "to", &self.to)
    }
}

fn rule(
    ports: &[NetworkPolicyPort],
    field: &str,
    peers: &[NetworkPolicyPeer],
) -> Result<Rule, PolicyFault> {
    let ports = each("ports", ports, NetworkPolicyPort::compile)?;
    let peers = each(field, peers, NetworkPolicyPeer::compile)?;
    Ok(Rule {
        ports: if ports.is_empty() { Ports::All } else { Ports::Only(ports) },
        peers: if peers.is_empty() { Peers::Everyone } else { Peers::Only(peers) },
    })
}

impl NetworkPolicyPeer {
    fn compile(&self) -> Result<Peer, PolicyFault> {
        match (&self.namespace_selector, &self.pod_selector, &self.ip_block) {
            (None, None, None) => Err(PolicyProblem::EmptyPeer.into()),
            (None, None, Some(block)) => Ok(Peer::Addresses(block.compile().at("ipBlock")?)),
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                Err(PolicyProblem::BlockAndSelector.into())
            }
            (namespaces, pods, None) => Ok(Peer::Pods {
                pods: match pods {
                    Some(selector) => selector.compile().at("podSelector")?,
                    None => Selector::everything(),
                },
                namespaces: match namespaces {
                    Some(selector) => {
                        Namespaces::Matching(selector.compile().at("namespaceSelector")?)
                    }
                    None => Namespaces::Own,
                },
            }),
        }
    }
}

impl IpBlock {
    fn compile(&self) -> Result<policy::IpBlock, PolicyFault> {
        let cidr = parse(&self.cidr).at("cidr")?;
        let except =
            each("except", &self.except, |text| exception(text, cidr).map_err(PolicyFault::from))?;
        Ok(policy::IpBlock {
            cidr: cidr.net,
            except: except.into_iter().map(|one| one.net).collect(),
        })
    }
}

/// The API server asks for a part of the block by the prefix lengths as they are written, and so
/// stores some that a comparison of the ranges would refuse: `::ffff:10.0.0.0/104` as an exception
/// from `10.0.0.0/8`, which leaves nothing.
fn exception(text: &str, block: Cidr) -> Result<Cidr, PolicyProblem> {
    let except = parse(text)?;
    if block.net.contains(&except.net.network()) && block.written_length < except.written_length {
        Ok(except)
    } else {
        Err(PolicyProblem::Except { except: text.to_owned(), cidr: block.net })
    }
}

fn parse(text: &str) -> Result<Cidr, PolicyProblem> {
    Cidr::parse(text).ok_or_else(|| PolicyProblem::Cidr(text.to_owned()))
}

fn each<A, B>(
    field: &str,
    elements: &[A],
    compile: impl Fn(&A) -> Result<B, PolicyFault>,
) -> Result<Vec<B>, PolicyFault> {
    let indexed = elements.iter().enumerate();
    indexed.map(|(index, element)| compile(element).at_index(field, index)).collect()
}
