//! `policy.networking.k8s.io/v1alpha1` `AdminNetworkPolicy`, of both channels: the Admin tier
//! before there was `ClusterNetworkPolicy`.

use serde::Deserialize;

use super::{
    Rejected,
    cluster::{
        Action, ClusterPolicy, ClusterPolicyKind, ClusterPort, ClusterPorts, ClusterRule, Tier,
        written::{Dialect, Others, PEERS, SUBJECT, Written},
    },
    cluster_network_policy::priority,
    json,
    network_policy::{Metadata, port},
    rejected::{InField, PolicyFault, PolicyProblem},
    syntax,
};
use crate::{
    flow::Direction,
    reference::{ClusterPolicyRef, ObjectRef},
    shape::{OtherFields, PolicyShape, Shape, only, policy},
};

pub use super::cluster::written::{NamespacedPod, Peer, Subject};

/// The fields that its objects have.
pub(super) static FIELDS: PolicyShape = policy!(SPEC);

static SPEC: Shape = only! {
    "priority": Shape::Any, "subject": SUBJECT, "ingress": INGRESS, "egress": EGRESS,
};

/// The fields of each rule of what subjects receive.
pub(super) static INGRESS: Shape = Shape::List(&only! {
    "name": Shape::Any, "action": Shape::Any, "from": PEERS, "ports": PORTS,
});

/// The fields of each rule of what subjects send.
pub(super) static EGRESS: Shape = Shape::List(&only! {
    "name": Shape::Any, "action": Shape::Any, "to": PEERS, "ports": PORTS,
});

static PORTS: Shape = Shape::List(&Shape::Object {
    fields: &[
        ("portNumber", &only! { "protocol": Shape::Any, "port": Shape::Any }),
        ("namedPort", &Shape::Any),
        ("portRange", &only! { "protocol": Shape::Any, "start": Shape::Any, "end": Shape::Any }),
    ],
    others: OtherFields::Unspecified,
});

/// An `AdminNetworkPolicy` as the API's JSON has it; a null is an absent field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct AdminNetworkPolicy {
    /// The name of the object.
    #[serde(default, deserialize_with = "json::optional")]
    pub metadata: Metadata,
    /// Subjects, priority and rules.
    #[serde(default, deserialize_with = "json::optional")]
    pub spec: AdminNetworkPolicySpec,
}

/// `AdminNetworkPolicySpec` of `v1alpha1`: subjects, priority and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct AdminNetworkPolicySpec {
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

/// `AdminNetworkPolicyIngressRule`: an action on what the subjects receive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct IngressRule {
    /// What the administrators call the rule; decides nothing.
    #[serde(default, deserialize_with = "json::optional")]
    pub name: String,
    /// `Allow`, `Deny` or, except in a baseline, `Pass`.
    pub action: Option<String>,
    /// The peers that may be the sender. The API server refuses an empty list.
    #[serde(default, deserialize_with = "json::list")]
    pub from: Vec<Peer>,
    /// What is sent; anything if it is absent.
    pub ports: Option<Vec<PortMatch>>,
}

/// `AdminNetworkPolicyEgressRule`: an action on what the subjects send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct EgressRule {
    /// What the administrators call the rule; decides nothing.
    #[serde(default, deserialize_with = "json::optional")]
    pub name: String,
    /// `Allow`, `Deny` or, except in a baseline, `Pass`.
    pub action: Option<String>,
    /// The peers that may be the receiver. The API server refuses an empty list.
    #[serde(default, deserialize_with = "json::list")]
    pub to: Vec<Peer>,
    /// What is sent; anything if it is absent.
    pub ports: Option<Vec<PortMatch>>,
}

/// `AdminNetworkPolicyPort`: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct PortMatch {
    /// A single port of one protocol, by its number.
    pub port_number: Option<PortNumber>,
    /// What the receiving pod's containers give this name.
    pub named_port: Option<String>,
    /// From one number to another.
    pub port_range: Option<PortRange>,
    /// What a later version of the API may add.
    #[serde(flatten)]
    pub others: Others,
}

/// `Port` of `v1alpha1`: a single port of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct PortNumber {
    /// TCP if it is absent.
    pub protocol: Option<String>,
    /// The number, from 1 to 65535.
    #[serde(default, deserialize_with = "json::integer")]
    pub port: Option<i64>,
}

/// `PortRange` of `v1alpha1`: neighbouring ports of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct PortRange {
    /// TCP if it is absent.
    pub protocol: Option<String>,
    /// The lowest port, itself included; from 1 to 65535.
    #[serde(default, deserialize_with = "json::integer")]
    pub start: Option<i64>,
    /// The highest port, itself included; never below `start`.
    #[serde(default, deserialize_with = "json::integer")]
    pub end: Option<i64>,
}

json::only_from_objects!(
    AdminNetworkPolicy,
    AdminNetworkPolicySpec,
    IngressRule,
    EgressRule,
    PortMatch,
    PortNumber,
    PortRange,
);

const DIALECT: Dialect = Dialect {
    rules: 100,
    elements: 100,
    actions: &[("Allow", Action::Accept), ("Deny", Action::Deny), ("Pass", Action::Pass)],
    action_words: "Allow, Deny or Pass",
    wants_namespace_selector: true,
    has_domain_names: true,
};

/// Compiles an object, or says what the API server would refuse about it, or what is stored and
/// means nothing.
///
/// ```
/// use netproof_conformance::policy::{admin_network_policy::compile, cluster::{Action, Tier}};
///
/// let policy = compile(&serde_json::from_str(
///     r#"{
///         "metadata": {"name": "monitoring"},
///         "spec": {
///             "priority": 10,
///             "subject": {"namespaces": {}},
///             "ingress": [{"action": "Allow", "from": [{"namespaces": {}}]}]
///         }
///     }"#,
/// )?)?;
/// // `ClusterNetworkPolicy` calls it Accept, and so does what both compile to.
/// assert_eq!((policy.tier, policy.ingress[0].action), (Tier::Admin, Action::Accept));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compile(object: &AdminNetworkPolicy) -> Result<ClusterPolicy, Rejected> {
    parts(object).map_err(|fault| fault.of(ObjectRef::of_cluster(&object.metadata.name)))
}

fn parts(object: &AdminNetworkPolicy) -> Result<ClusterPolicy, PolicyFault> {
    let AdminNetworkPolicy { metadata, spec } = object;
    syntax::object_name(&metadata.name, syntax::is_dns_subdomain).at("metadata.name")?;
    let kind = ClusterPolicyKind::AdminNetworkPolicy;
    Ok(ClusterPolicy {
        name: ClusterPolicyRef { kind, name: metadata.name.clone() },
        tier: Tier::Admin,
        priority: priority(spec.priority).at("priority").at("spec")?,
        subjects: DIALECT.subjects(spec.subject.as_ref()).at("subject").at("spec")?,
        ingress: DIALECT.each("ingress", &spec.ingress, |rule| rule.compile(DIALECT)).at("spec")?,
        egress: DIALECT.each("egress", &spec.egress, |rule| rule.compile(DIALECT)).at("spec")?,
    })
}

impl IngressRule {
    pub(super) fn compile(&self, dialect: Dialect) -> Result<ClusterRule, PolicyFault> {
        dialect.rule(Written {
            name: &self.name,
            action: self.action.as_deref(),
            direction: Direction::Ingress,
            peers: &self.from,
            ports: ports(dialect, self.ports.as_deref())?,
        })
    }
}

impl EgressRule {
    pub(super) fn compile(&self, dialect: Dialect) -> Result<ClusterRule, PolicyFault> {
        let ports = ports(dialect, self.ports.as_deref())?;
        dialect.rule(Written {
            name: &self.name,
            action: self.action.as_deref(),
            direction: Direction::Egress,
            peers: &self.to,
            ports,
        })
    }
}

fn ports(dialect: Dialect, written: Option<&[PortMatch]>) -> Result<ClusterPorts, PolicyFault> {
    dialect.ports("ports", written, PortMatch::compile)
}

impl PortMatch {
    fn compile(&self) -> Result<ClusterPort, PolicyFault> {
        let Self { port_number, named_port, port_range, others } = self;
        match (port_number, named_port, port_range, others.sole()?) {
            (Some(one), None, None, None) => one.compile().at("portNumber"),
            (None, Some(name), None, None) => Ok(ClusterPort::Named(name.clone())),
            (None, None, Some(range), None) => range.compile().at("portRange"),
            (None, None, None, Some(unknown)) => Ok(ClusterPort::Unknown(unknown.to_owned())),
            _ => Err(PolicyProblem::OneOf("portNumber, namedPort and portRange").into()),
        }
    }
}

impl PortNumber {
    fn compile(&self) -> Result<ClusterPort, PolicyFault> {
        let protocol = port::protocol(self.protocol.as_deref()).at("protocol")?;
        let number = number(self.port, "port")?;
        Ok(ClusterPort::Range { protocol, first: number, last: number })
    }
}

impl PortRange {
    /// The API says that `end` has to be above `start`, and stores ranges of one port all the same.
    fn compile(&self) -> Result<ClusterPort, PolicyFault> {
        let protocol = port::protocol(self.protocol.as_deref()).at("protocol")?;
        let (start, end) = (number(self.start, "start")?, number(self.end, "end")?);
        if start > end {
            return Err(PolicyProblem::PortRange { start, end }.into());
        }
        Ok(ClusterPort::Range { protocol, first: start, last: end })
    }
}

fn number(written: Option<i64>, field: &str) -> Result<u16, PolicyFault> {
    written.ok_or(PolicyProblem::FieldMissing).and_then(port::port_number).at(field)
}
