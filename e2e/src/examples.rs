//! Objects for tests, from YAML.

use k8s_openapi::api::{apps::v1::Deployment, networking::v1::NetworkPolicy};
use netproof_crds::ConnectivityTest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An object from YAML; panics if the text is not one.
pub fn yaml<K: DeserializeOwned>(text: &str) -> K {
    let value: Value =
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// A test with this name and this spec, in YAML.
pub fn connectivity_test(name: &str, spec: &str) -> ConnectivityTest {
    named(name, &yaml(spec))
}

fn named(name: &str, spec: &Value) -> ConnectivityTest {
    let object = json!({
        "apiVersion": "netproof.dev/v1alpha1",
        "kind": "ConnectivityTest",
        "metadata": {"name": name},
        "spec": spec,
    });
    serde_json::from_value(object).expect("a ConnectivityTest")
}

/// A test of a server, a client and a stranger, all in one namespace, with a round every two
/// seconds.
pub fn trio() -> ConnectivityTest {
    trio_paced("{interval: 2s, settle: 5s}")
}

/// The test [`trio`] with these intervals; with `{}`, the defaults.
pub fn trio_paced(pace: &str) -> ConnectivityTest {
    let mut spec: Value = yaml(pace);
    spec["endpoints"] = yaml(
        "
        - {name: server, standIn: {labels: {app: server}, ports: [{port: 8080}]}}
        - {name: client, standIn: {labels: {app: client}}}
        - {name: stranger, standIn: {labels: {app: stranger}}}
        ",
    );
    named("trio", &spec)
}

/// A policy by which the server of [`trio`] lets in the client and no other pod.
pub fn only_the_client() -> NetworkPolicy {
    yaml(
        "
        metadata: {name: only-the-client}
        spec:
          podSelector: {matchLabels: {app: server}}
          policyTypes: [Ingress]
          ingress:
          - from:
            - podSelector: {matchLabels: {app: client}}
        ",
    )
}

/// The flows that are reported of [`trio`] where [`only_the_client`] is enforced.
pub const TRIO_CONFORMS: [&str; 2] =
    ["client server 8080/TCP Allow conforms", "stranger server 8080/TCP Deny conforms"];

/// A Deployment with these replicas. Its pods carry the label `app: NAME`, listen on 8080 and are
/// ready; they run the probe's own image.
pub fn deployment(name: &str, replicas: i32) -> Deployment {
    let mut deployment: Deployment = yaml(
        "
        metadata: {name: NAME}
        spec:
          selector: {matchLabels: {app: NAME}}
          template:
            metadata: {labels: {app: NAME}}
            spec:
              automountServiceAccountToken: false
              terminationGracePeriodSeconds: 1
              securityContext:
                runAsNonRoot: true
                runAsUser: 65532
                seccompProfile: {type: RuntimeDefault}
              containers:
              - name: server
                image: netproof-probe:dev
                imagePullPolicy: IfNotPresent
                args: [--identity, real, --listen, tcp/8080]
                ports: [{name: http, containerPort: 8080}]
                resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {memory: 32Mi}}
                securityContext:
                  allowPrivilegeEscalation: false
                  capabilities: {drop: [ALL]}
        "
        .replace("NAME", name)
        .as_str(),
    );
    deployment.spec.as_mut().expect("it has one").replicas = Some(replicas);
    deployment
}
