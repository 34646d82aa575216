//! `policy.networking.k8s.io/v1alpha1` `BaselineAdminNetworkPolicy`, of both channels: the Baseline
//! tier before there was `ClusterNetworkPolicy`. A cluster has one at most, called `default`.

use serde::Deserialize;

use super::{
    Rejected,
    admin_network_policy::{EGRESS, EgressRule, INGRESS, IngressRule},
    cluster::{
        Action, ClusterPolicy, ClusterPolicyKind, Priority, Tier,
        written::{Dialect, SUBJECT, Subject},
    },
    json,
    network_policy::Metadata,
    rejected::{InField, PolicyFault, PolicyProblem},
};
use crate::{
    reference::{ClusterPolicyRef, ObjectRef},
    shape::{PolicyShape, Shape, only, policy},
};

/// The fields that its objects have.
pub(super) static FIELDS: PolicyShape = policy!(SPEC);

static SPEC: Shape = only! {
    "subject": SUBJECT, "ingress": INGRESS, "egress": EGRESS,
};

/// A `BaselineAdminNetworkPolicy` as the API's JSON has it; a null is an absent field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct BaselineAdminNetworkPolicy {
    /// The name, which the API server wants to be `default`.
    #[serde(default, deserialize_with = "json::optional")]
    pub metadata: Metadata,
    /// Subjects and rules; there is no priority.
    #[serde(default, deserialize_with = "json::optional")]
    pub spec: BaselineAdminNetworkPolicySpec,
}

/// `BaselineAdminNetworkPolicySpec` of `v1alpha1`: subjects and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct BaselineAdminNetworkPolicySpec {
    /// The pods that it applies to.
    pub subject: Option<Subject>,
    /// What subjects may receive.
    #[serde(default, deserialize_with = "json::list")]
    pub ingress: Vec<IngressRule>,
    /// What subjects may send.
    #[serde(default, deserialize_with = "json::list")]
    pub egress: Vec<EgressRule>,
}

json::only_from_objects!(BaselineAdminNetworkPolicy, BaselineAdminNetworkPolicySpec);

/// As for `AdminNetworkPolicy`, but that there is no tier to pass to.
const DIALECT: Dialect = Dialect {
    rules: 100,
    elements: 100,
    actions: &[("Allow", Action::Accept), ("Deny", Action::Deny)],
    action_words: "Allow or Deny",
    wants_namespace_selector: true,
    has_domain_names: false,
};

/// Compiles an object, or says what the API server would refuse about it, or what is stored and
/// means nothing.
///
/// ```
/// use netproof_conformance::policy::{
///     baseline_admin_network_policy::compile,
///     cluster::{Priority, Tier},
/// };
///
/// let policy = compile(&serde_json::from_str(
///     r#"{
///         "metadata": {"name": "default"},
///         "spec": {
///             "subject": {"namespaces": {}},
///             "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]
///         }
///     }"#,
/// )?)?;
/// assert_eq!((policy.tier, policy.priority), (Tier::Baseline, Priority::Open));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compile(object: &BaselineAdminNetworkPolicy) -> Result<ClusterPolicy, Rejected> {
    parts(object).map_err(|fault| fault.of(ObjectRef::of_cluster(&object.metadata.name)))
}

fn parts(object: &BaselineAdminNetworkPolicy) -> Result<ClusterPolicy, PolicyFault> {
    let BaselineAdminNetworkPolicy { metadata, spec } = object;
    match metadata.name.as_str() {
        "default" => Ok(()),
        "" => Err(PolicyProblem::Missing),
        other => Err(PolicyProblem::NotDefault(other.to_owned())),
    }
    .at("metadata.name")?;
    let kind = ClusterPolicyKind::BaselineAdminNetworkPolicy;
    Ok(ClusterPolicy {
        name: ClusterPolicyRef { kind, name: metadata.name.clone() },
        tier: Tier::Baseline,
        priority: Priority::Open,
        subjects: DIALECT.subjects(spec.subject.as_ref()).at("subject").at("spec")?,
        ingress: DIALECT.each("ingress", &spec.ingress, |rule| rule.compile(DIALECT)).at("spec")?,
        egress: DIALECT.each("egress", &spec.egress, |rule| rule.compile(DIALECT)).at("spec")?,
    })
}
