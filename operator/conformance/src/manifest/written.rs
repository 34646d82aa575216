//! `networking.k8s.io/v1` `NetworkPolicy` with all that its text tells. The compiled policy lacks
//! what has no effect, which is what lint and explanations are about.

use serde::Deserialize;

use crate::policy::{
    json,
    label_selector::LabelSelector,
    network_policy::{EgressRule, IngressRule, Metadata, NetworkPolicy, NetworkPolicySpec},
};

/// A `NetworkPolicy` as it is written, in the namespace that it is taken to be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPolicy {
    /// The object, for which an empty list is an absent one.
    pub policy: NetworkPolicy,
    /// Whether the text says `egress: []`, rather than nothing of egress.
    pub has_empty_egress: bool,
}

/// A `NetworkPolicy`, as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct NetworkPolicyObject {
    #[serde(default, deserialize_with = "json::optional")]
    metadata: Metadata,
    #[serde(default, deserialize_with = "json::optional")]
    spec: WrittenSpec,
}

/// `NetworkPolicySpec`, which keeps whether `egress` is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct WrittenSpec {
    #[serde(default, deserialize_with = "json::optional")]
    pod_selector: LabelSelector,
    #[serde(default, deserialize_with = "json::list")]
    ingress: Vec<IngressRule>,
    egress: Option<EgressRules>,
    #[serde(default, deserialize_with = "json::list")]
    policy_types: Vec<String>,
}

/// A list that the text has, empty or not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct EgressRules(#[serde(deserialize_with = "json::list")] Vec<EgressRule>);

json::only_from_objects!(NetworkPolicyObject, WrittenSpec);

impl NetworkPolicyObject {
    /// The policy, which is in this namespace if it names none.
    pub(super) fn read(self, default_namespace: &str) -> WrittenPolicy {
        let Self { mut metadata, spec } = self;
        if metadata.namespace.is_empty() {
            default_namespace.clone_into(&mut metadata.namespace);
        }
        let WrittenSpec { pod_selector, ingress, egress, policy_types } = spec;
        let has_empty_egress = egress.as_ref().is_some_and(|EgressRules(rules)| rules.is_empty());
        let egress = egress.map_or_else(Vec::new, |EgressRules(rules)| rules);
        let spec = NetworkPolicySpec { pod_selector, ingress, egress, policy_types };
        WrittenPolicy { policy: NetworkPolicy { metadata, spec }, has_empty_egress }
    }
}
