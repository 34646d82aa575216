//! Lists the fields of the kinds that are read, as the API defines them.

use crate::{
    kinds::{ApiKind, WorkloadKind},
    policy::{network_policy, read::cluster_policy_fields},
    shape::{METADATA, Shape, only, some},
};

/// The shape of the objects of a kind.
pub(super) fn of(kind: ApiKind) -> &'static Shape {
    match kind {
        ApiKind::Namespace | ApiKind::Node => &NAMESPACE,
        ApiKind::Pod => &POD,
        ApiKind::Service => &SERVICE,
        ApiKind::Workload(WorkloadKind::CronJob) => &CRON_JOB,
        ApiKind::Workload(_) => &WORKLOAD,
        ApiKind::NetworkPolicy => &network_policy::FIELDS.whole,
        ApiKind::ClusterPolicy(kind) => &cluster_policy_fields(kind).whole,
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
        ApiKind::NetworkPolicy => Some(&network_policy::FIELDS.meaning),
        ApiKind::ClusterPolicy(kind) => Some(&cluster_policy_fields(kind).meaning),
    }
}

/// A list of objects, whatever kind they are of.
pub(super) static LIST: Shape = some! {
    "apiVersion": Shape::Any, "kind": Shape::Any, "metadata": Shape::Any, "items": Shape::Any,
};

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
