//! The fields of the kinds that are read, as the API defines them.

use crate::kinds::{ApiKind, ClusterPolicyKind, WorkloadKind};

/// What a value may have inside.
#[derive(Debug)]
pub(super) enum Shape {
    /// Whatever it is, it is not looked into.
    Any,
    /// An object whose fields have names of the user's choice.
    Names,
    /// A list of these.
    List(&'static Shape),
    /// An object with these fields.
    Object {
        /// Their names, and what they have inside.
        fields: &'static [(&'static str, &'static Shape)],
        /// What becomes of others.
        others: OtherFields,
    },
}

/// What becomes of fields that a shape does not have.
#[derive(Debug)]
pub(super) enum OtherFields {
    /// The API has no others.
    Refused,
    /// A later version of the API may have others, and the answers then tell that they are left
    /// open.
    Unspecified,
    /// The API has more than are listed, and later versions of it have more again, of which none
    /// decides anything. Only what is a slip of one of these, which do decide, is refused.
    OfLaterVersions { read: &'static [&'static str] },
}

impl Shape {
    /// What a field of this name has inside, if there is one.
    pub(super) fn field(&self, name: &str) -> Option<&'static Shape> {
        match self {
            Self::Names => Some(&Self::Any),
            Self::Object { fields, .. } => {
                fields.iter().find(|(field, _)| *field == name).map(|(_, shape)| *shape)
            }
            Self::Any | Self::List(_) => None,
        }
    }

    /// Whether it can have a field of this name only once. Of those that decide nothing the last
    /// one counts, as for kubectl.
    pub(super) fn has_once(&self, name: &str) -> bool {
        match self {
            Self::Object { others: OtherFields::OfLaterVersions { .. }, .. } => {
                self.field(name).is_some()
            }
            Self::Object { others: OtherFields::Refused | OtherFields::Unspecified, .. }
            | Self::Any
            | Self::Names
            | Self::List(_) => true,
        }
    }

    /// The fields that have names of the API's choice.
    pub(super) fn fields(&self) -> &'static [(&'static str, &'static Shape)] {
        match self {
            Self::Object { fields, .. } => fields,
            Self::Any | Self::Names | Self::List(_) => &[],
        }
    }

    /// Of a list, what its elements are; else itself.
    pub(super) fn element(&'static self) -> &'static Self {
        match self {
            Self::List(element) => element,
            Self::Any | Self::Names | Self::Object { .. } => self,
        }
    }
}

/// The shape of a kind of policy.
struct PolicyShape {
    /// All of it.
    whole: Shape,
    /// As far as it says what it means.
    meaning: Shape,
}

/// The shape of a kind.
pub(super) fn of(kind: ApiKind) -> &'static Shape {
    match kind {
        ApiKind::Namespace | ApiKind::Node => &NAMESPACE,
        ApiKind::Pod => &POD,
        ApiKind::Service => &SERVICE,
        ApiKind::Workload(WorkloadKind::CronJob) => &CRON_JOB,
        ApiKind::Workload(_) => &WORKLOAD,
        ApiKind::NetworkPolicy => &NETWORK_POLICY.whole,
        ApiKind::ClusterPolicy(kind) => &of_cluster_policy(kind).whole,
    }
}

/// The shape of a policy as far as it says what it means; none for what is no policy.
pub(super) fn of_meaning(kind: ApiKind) -> Option<&'static Shape> {
    match kind {
        ApiKind::Namespace
        | ApiKind::Node
        | ApiKind::Pod
        | ApiKind::Service
        | ApiKind::Workload(_) => None,
        ApiKind::NetworkPolicy => Some(&NETWORK_POLICY.meaning),
        ApiKind::ClusterPolicy(kind) => Some(&of_cluster_policy(kind).meaning),
    }
}

fn of_cluster_policy(kind: ClusterPolicyKind) -> &'static PolicyShape {
    match kind {
        ClusterPolicyKind::ClusterNetworkPolicy => &CLUSTER_NETWORK_POLICY,
        ClusterPolicyKind::AdminNetworkPolicy => &ADMIN_NETWORK_POLICY,
        ClusterPolicyKind::BaselineAdminNetworkPolicy => &BASELINE_ADMIN_NETWORK_POLICY,
    }
}

/// An object with these fields and no others.
macro_rules! only {
    ($($field:literal: $shape:expr),* $(,)?) => {
        Shape::Object { fields: &[$(($field, &$shape)),*], others: OtherFields::Refused }
    };
}

/// An object with these fields, and others that decide nothing.
macro_rules! some {
    ($($field:literal: $shape:expr),* $(,)?) => {
        Shape::Object {
            fields: &[$(($field, &$shape)),*],
            others: OtherFields::OfLaterVersions { read: &[$($field),*] },
        }
    };
}

/// A list of objects, whatever kind they are of.
pub(super) static LIST: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": Shape::Any, "items": Shape::Any,
};

static METADATA: Shape = only! {
    "name": Shape::Any, "namespace": Shape::Any, "labels": Shape::Names,
    "annotations": Shape::Names, "generateName": Shape::Any, "ownerReferences": OWNER_REFERENCES,
    "finalizers": Shape::Any, "creationTimestamp": Shape::Any, "deletionTimestamp": Shape::Any,
    "deletionGracePeriodSeconds": Shape::Any, "generation": Shape::Any,
    "resourceVersion": Shape::Any, "selfLink": Shape::Any, "uid": Shape::Any,
    "managedFields": Shape::Any,
};

static OWNER_REFERENCES: Shape = Shape::List(&only! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "name": Shape::Any, "uid": Shape::Any,
    "controller": Shape::Any, "blockOwnerDeletion": Shape::Any,
});

/// A `Namespace` or a `Node`.
static NAMESPACE: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": METADATA, "spec": Shape::Any,
    "status": Shape::Any,
};

static POD: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": METADATA, "spec": POD_SPEC,
    "status": Shape::Any,
};

static POD_SPEC: Shape = some! {
    "containers": CONTAINERS, "initContainers": CONTAINERS, "hostNetwork": Shape::Any,
    "nodeName": Shape::Any,
};

static CONTAINERS: Shape = Shape::List(&some! {
    "ports": Shape::List(&only! {
        "name": Shape::Any, "containerPort": Shape::Any, "protocol": Shape::Any,
        "hostPort": Shape::Any, "hostIP": Shape::Any,
    }),
});

static SERVICE: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": METADATA, "spec": SERVICE_SPEC,
    "status": Shape::Any,
};

static SERVICE_SPEC: Shape = some! {
    "type": Shape::Any, "selector": Shape::Names, "clusterIP": Shape::Any,
    "clusterIPs": Shape::Any, "externalName": Shape::Any,
    "ports": Shape::List(&only! {
        "name": Shape::Any, "protocol": Shape::Any, "appProtocol": Shape::Any, "port": Shape::Any,
        "targetPort": Shape::Any, "nodePort": Shape::Any,
    }),
};

static WORKLOAD: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": METADATA, "spec": WORKLOAD_SPEC,
    "status": Shape::Any,
};

static WORKLOAD_SPEC: Shape = some! {
    "replicas": Shape::Any,
    "template": only! { "metadata": METADATA, "spec": POD_SPEC },
};

static CRON_JOB: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": METADATA,
    "spec": some! { "jobTemplate": only! { "metadata": METADATA, "spec": WORKLOAD_SPEC } },
    "status": Shape::Any,
};

static SELECTOR: Shape = only! {
    "matchLabels": Shape::Names,
    "matchExpressions": Shape::List(&only! {
        "key": Shape::Any, "operator": Shape::Any, "values": Shape::Any,
    }),
};

/// A policy of this `spec`.
macro_rules! policy {
    ($name:ident, $spec:ident) => {
        static $name: PolicyShape = PolicyShape {
            whole: only! {
                "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": METADATA, "spec": $spec,
                "status": Shape::Any,
            },
            meaning: Shape::Object {
                fields: &[("spec", &$spec)],
                others: OtherFields::OfLaterVersions { read: &[] },
            },
        };
    };
}

policy!(NETWORK_POLICY, NETWORK_POLICY_SPEC);
policy!(CLUSTER_NETWORK_POLICY, CLUSTER_NETWORK_POLICY_SPEC);
policy!(ADMIN_NETWORK_POLICY, ADMIN_NETWORK_POLICY_SPEC);
policy!(BASELINE_ADMIN_NETWORK_POLICY, BASELINE_ADMIN_NETWORK_POLICY_SPEC);

static NETWORK_POLICY_SPEC: Shape = only! {
    "podSelector": SELECTOR,
    "ingress": Shape::List(&only! { "from": PEERS, "ports": PORTS }),
    "egress": Shape::List(&only! { "to": PEERS, "ports": PORTS }),
    "policyTypes": Shape::Any,
};

static PEERS: Shape = Shape::List(&only! {
    "podSelector": SELECTOR, "namespaceSelector": SELECTOR,
    "ipBlock": only! { "cidr": Shape::Any, "except": Shape::Any },
});

static PORTS: Shape = Shape::List(&only! {
    "protocol": Shape::Any, "port": Shape::Any, "endPort": Shape::Any,
});

static CLUSTER_NETWORK_POLICY_SPEC: Shape = only! {
    "tier": Shape::Any, "priority": Shape::Any, "subject": SUBJECT,
    "ingress": Shape::List(&only! {
        "name": Shape::Any, "action": Shape::Any, "from": CLUSTER_PEERS, "protocols": PROTOCOLS,
    }),
    "egress": Shape::List(&only! {
        "name": Shape::Any, "action": Shape::Any, "to": CLUSTER_PEERS, "protocols": PROTOCOLS,
    }),
};

static SUBJECT: Shape = only! { "namespaces": SELECTOR, "pods": NAMESPACED_POD };

static NAMESPACED_POD: Shape = only! { "namespaceSelector": SELECTOR, "podSelector": SELECTOR };

static CLUSTER_PEERS: Shape = Shape::List(&Shape::Object {
    fields: &[
        ("namespaces", &SELECTOR),
        ("pods", &NAMESPACED_POD),
        ("nodes", &SELECTOR),
        ("networks", &Shape::Any),
        ("domainNames", &Shape::Any),
    ],
    others: OtherFields::Unspecified,
});

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

static ADMIN_NETWORK_POLICY_SPEC: Shape = only! {
    "priority": Shape::Any, "subject": SUBJECT, "ingress": ADMIN_INGRESS, "egress": ADMIN_EGRESS,
};

static BASELINE_ADMIN_NETWORK_POLICY_SPEC: Shape = only! {
    "subject": SUBJECT, "ingress": ADMIN_INGRESS, "egress": ADMIN_EGRESS,
};

static ADMIN_INGRESS: Shape = Shape::List(&only! {
    "name": Shape::Any, "action": Shape::Any, "from": CLUSTER_PEERS, "ports": ADMIN_PORTS,
});

static ADMIN_EGRESS: Shape = Shape::List(&only! {
    "name": Shape::Any, "action": Shape::Any, "to": CLUSTER_PEERS, "ports": ADMIN_PORTS,
});

static ADMIN_PORTS: Shape = Shape::List(&Shape::Object {
    fields: &[
        ("portNumber", &only! { "protocol": Shape::Any, "port": Shape::Any }),
        ("namedPort", &Shape::Any),
        ("portRange", &only! { "protocol": Shape::Any, "start": Shape::Any, "end": Shape::Any }),
    ],
    others: OtherFields::Unspecified,
});
