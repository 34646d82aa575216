//! `policy.networking.k8s.io/v1alpha2` `ClusterNetworkPolicy`, of both channels.

use serde::Deserialize;

use super::{
    Rejected,
    cluster::{
        Action, ClusterPolicy, ClusterPolicyKind, ClusterPort, ClusterPorts, ClusterRule, Priority,
        Tier,
        written::{Dialect, Others, PEERS, SUBJECT, Written},
    },
    json,
    network_policy::{Metadata, port},
    rejected::{InField, PolicyFault, PolicyProblem},
    syntax,
};
use crate::{
    flow::{Direction, Protocol},
    reference::{ClusterPolicyRef, ObjectRef},
    shape::{OtherFields, PolicyShape, Shape, only, policy},
};

pub use super::cluster::written::{NamespacedPod, Peer, Subject};

/// The fields that its objects have.
pub(super) static FIELDS: PolicyShape = policy!(SPEC);

static SPEC: Shape = only! {
    "tier": Shape::Any, "priority": Shape::Any, "subject": SUBJECT,
    "ingress": Shape::List(&only! {
        "name": Shape::Any, "action": Shape::Any, "from": PEERS, "protocols": PROTOCOLS,
    }),
    "egress": Shape::List(&only! {
        "name": Shape::Any, "action": Shape::Any, "to": PEERS, "protocols": PROTOCOLS,
    }),
};

static PROTOCOLS: Shape = Shape::List(&Shape::Object {
    fields: &[
        ("tcp", &OF_PROTOCOL),
        ("udp", &OF_PROTOCOL),
        ("sctp", &OF_PROTOCOL),
        ("destinationNamedPort", &Shape::Any),
    ],
    others: OtherFields::Unspecified,
});

static OF_PROTOCOL: Shape = only! {
    "destinationPort": only! {
        "number": Shape::Any, "range": only! { "start": Shape::Any, "end": Shape::Any },
    },
};

/// A `ClusterNetworkPolicy` as the API's JSON has it; a null is an absent field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct ClusterNetworkPolicy {
    /// The name of the object.
    #[serde(default, deserialize_with = "json::optional")]
    pub metadata: Metadata,
    /// Tier, priority, subjects and rules.
    #[serde(default, deserialize_with = "json::optional")]
    pub spec: ClusterNetworkPolicySpec,
}

/// `ClusterNetworkPolicySpec` of `v1alpha2`: tier, priority, subjects and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct ClusterNetworkPolicySpec {
    /// `Admin`, asked before all `NetworkPolicies`, or `Baseline`, asked after them.
    pub tier: Option<String>,
    /// From 0 to 1000, the lower the sooner.
    #[serde(default, deserialize_with = "json::integer")]
    pub priority: Option<i64>,
    /// The pods that it applies to.
    pub subject: Option<Subject>,
    /// What subjects may receive.
    #[serde(default, deserialize_with = "json::list")]
    pub ingress: Vec<IngressRule>,
    /// What subjects may send.
    #[serde(default, deserialize_with = "json::list")]
    pub egress: Vec<EgressRule>,
}

/// `ClusterNetworkPolicyIngressRule`: an action on what the subjects receive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct IngressRule {
    /// What the administrators call the rule; decides nothing.
    #[serde(default, deserialize_with = "json::optional")]
    pub name: String,
    /// `Accept`, `Deny` or `Pass`.
    pub action: Option<String>,
    /// The peers that may be the sender. The API server refuses an empty list.
    #[serde(default, deserialize_with = "json::list")]
    pub from: Vec<Peer>,
    /// What is sent; anything if it is absent.
    pub protocols: Option<Vec<ProtocolMatch>>,
}

/// `ClusterNetworkPolicyEgressRule`: an action on what the subjects send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct EgressRule {
    /// What the administrators call the rule; decides nothing.
    #[serde(default, deserialize_with = "json::optional")]
    pub name: String,
    /// `Accept`, `Deny` or `Pass`.
    pub action: Option<String>,
    /// The peers that may be the receiver. The API server refuses an empty list.
    #[serde(default, deserialize_with = "json::list")]
    pub to: Vec<Peer>,
    /// What is sent; anything if it is absent.
    pub protocols: Option<Vec<ProtocolMatch>>,
}

/// `ClusterNetworkPolicyProtocol`: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct ProtocolMatch {
    /// Ports of TCP; all of them if it names none.
    pub tcp: Option<Ports>,
    /// Ports of UDP; all of them if it names none.
    pub udp: Option<Ports>,
    /// Ports of SCTP; all of them if it names none.
    pub sctp: Option<Ports>,
    /// What the receiving pod's containers give this name.
    pub destination_named_port: Option<String>,
    /// What a later version of the API may add.
    #[serde(flatten)]
    pub others: Others,
}

/// Ports of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Ports {
    /// The port of the receiver; every port of the protocol if it is absent.
    pub destination_port: Option<PortNumbers>,
}

/// `Port`: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct PortNumbers {
    /// A single port, from 1 to 65535; then no `range`.
    #[serde(default, deserialize_with = "json::integer")]
    pub number: Option<i64>,
    /// From one to another.
    pub range: Option<PortRange>,
}

/// `PortRange` of `v1alpha2`: neighbouring ports of the protocol around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct PortRange {
    /// The lowest port, itself included; from 1 to 65535.
    pub start: Option<i64>,
    /// The highest, above `start`.
    pub end: Option<i64>,
}

json::only_from_objects!(
    ClusterNetworkPolicy,
    ClusterNetworkPolicySpec,
    IngressRule,
    EgressRule,
    ProtocolMatch,
    Ports,
    PortNumbers,
    PortRange,
);

const DIALECT: Dialect = Dialect {
    rules: 25,
    elements: 25,
    actions: &[("Accept", Action::Accept), ("Deny", Action::Deny), ("Pass", Action::Pass)],
    action_words: "Accept, Deny or Pass",
    wants_namespace_selector: false,
    has_domain_names: true,
};

/// Compiles an object, or says what the API server would refuse about it, or what is stored and
/// means nothing.
///
/// ```
/// use netproof_conformance::policy::{cluster::{Action, Tier}, cluster_network_policy::compile};
///
/// let policy = compile(&serde_json::from_str(
///     r#"{
///         "metadata": {"name": "lockdown"},
///         "spec": {
///             "tier": "Admin",
///             "priority": 10,
///             "subject": {"namespaces": {}},
///             "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]
///         }
///     }"#,
/// )?)?;
/// assert_eq!((policy.tier, policy.ingress[0].action), (Tier::Admin, Action::Deny));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compile(object: &ClusterNetworkPolicy) -> Result<ClusterPolicy, Rejected> {
    parts(object).map_err(|fault| fault.of(ObjectRef::of_cluster(&object.metadata.name)))
}

fn parts(object: &ClusterNetworkPolicy) -> Result<ClusterPolicy, PolicyFault> {
    let ClusterNetworkPolicy { metadata, spec } = object;
    syntax::object_name(&metadata.name, syntax::is_dns_subdomain).at("metadata.name")?;
    let tier = tier(spec.tier.as_deref()).at("tier").at("spec")?;
    let priority = priority(spec.priority).at("priority").at("spec")?;
    let subjects = DIALECT.subjects(spec.subject.as_ref()).at("subject").at("spec")?;
    let ingress = DIALECT.each("ingress", &spec.ingress, IngressRule::compile).at("spec")?;
    let egress = DIALECT.each("egress", &spec.egress, EgressRule::compile).at("spec")?;
    let kind = ClusterPolicyKind::ClusterNetworkPolicy;
    let name = ClusterPolicyRef { kind, name: metadata.name.clone() };
    Ok(ClusterPolicy { name, tier, priority, subjects, ingress, egress })
}

fn tier(written: Option<&str>) -> Result<Tier, PolicyProblem> {
    match written {
        None => Err(PolicyProblem::FieldMissing),
        Some("Admin") => Ok(Tier::Admin),
        Some("Baseline") => Ok(Tier::Baseline),
        Some(other) => Err(PolicyProblem::Tier(other.to_owned())),
    }
}

/// From 0 to 1000.
pub(super) fn priority(written: Option<i64>) -> Result<Priority, PolicyProblem> {
    let number = written.ok_or(PolicyProblem::FieldMissing)?;
    match u16::try_from(number) {
        Ok(priority @ 0..=1000) => Ok(Priority::At(priority)),
        Ok(_) | Err(_) => Err(PolicyProblem::Priority(number)),
    }
}

impl IngressRule {
    fn compile(&self) -> Result<ClusterRule, PolicyFault> {
        DIALECT.rule(Written {
            name: &self.name,
            action: self.action.as_deref(),
            direction: Direction::Ingress,
            peers: &self.from,
            ports: ports(self.protocols.as_deref())?,
        })
    }
}

impl EgressRule {
    fn compile(&self) -> Result<ClusterRule, PolicyFault> {
        let ports = ports(self.protocols.as_deref())?;
        DIALECT.rule(Written {
            name: &self.name,
            action: self.action.as_deref(),
            direction: Direction::Egress,
            peers: &self.to,
            ports,
        })
    }
}

fn ports(written: Option<&[ProtocolMatch]>) -> Result<ClusterPorts, PolicyFault> {
    DIALECT.ports("protocols", written, ProtocolMatch::compile)
}

impl ProtocolMatch {
    fn compile(&self) -> Result<ClusterPort, PolicyFault> {
        let Self { tcp, udp, sctp, destination_named_port, others } = self;
        let of_protocol = |field: &str, protocol, ports: &Ports| ports.compile(protocol).at(field);
        match (tcp, udp, sctp, destination_named_port, others.sole()?) {
            (Some(ports), None, None, None, None) => of_protocol("tcp", Protocol::Tcp, ports),
            (None, Some(ports), None, None, None) => of_protocol("udp", Protocol::Udp, ports),
            (None, None, Some(ports), None, None) => of_protocol("sctp", Protocol::Sctp, ports),
            (None, None, None, Some(name), None) => Ok(ClusterPort::Named(name.clone())),
            (None, None, None, None, Some(unknown)) => Ok(ClusterPort::Unknown(unknown.to_owned())),
            _ => Err(PolicyProblem::OneOf("tcp, udp, sctp and destinationNamedPort").into()),
        }
    }
}

impl Ports {
    fn compile(&self, protocol: Protocol) -> Result<ClusterPort, PolicyFault> {
        let numbers = self.destination_port.as_ref().ok_or(PolicyProblem::FieldMissing);
        let (first, last) = numbers
            .map_err(PolicyFault::from)
            .and_then(PortNumbers::compile)
            .at("destinationPort")?;
        Ok(ClusterPort::Range { protocol, first, last })
    }
}

impl PortNumbers {
    fn compile(&self) -> Result<(u16, u16), PolicyFault> {
        match (self.number, &self.range) {
            (Some(number), None) => {
                let number = port::port_number(number).at("number")?;
                Ok((number, number))
            }
            (None, Some(range)) => range.compile().at("range"),
            (None, None) | (Some(_), Some(_)) => {
                Err(PolicyProblem::OneOf("number and range").into())
            }
        }
    }
}

impl PortRange {
    fn compile(&self) -> Result<(u16, u16), PolicyFault> {
        let end = |written: Option<i64>, field| {
            written.ok_or(PolicyProblem::FieldMissing).and_then(port::port_number).at(field)
        };
        let (start, end) = (end(self.start, "start")?, end(self.end, "end")?);
        if start < end {
            Ok((start, end))
        } else {
            Err(PolicyProblem::PortRange { start, end }.into())
        }
    }
}
