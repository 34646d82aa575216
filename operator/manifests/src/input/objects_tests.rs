use std::net::IpAddr;

use netproof_conformance::{
    flow::{Port, Protocol},
    manifest::{Backends, ServiceTarget, WorkloadKind},
    pod::{ContainerKind, Lifecycle, PodNetwork},
};

use super::testing::yaml;

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

/// A workload of which the pods have the label `app` with its name.
fn workload(api_version: &str, kind: &str, name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}{more}}}\nspec:\n  \
         template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
         containers: [{{ports: [{{containerPort: 80}}]}}]\n"
    )
}

/// A running pod with this controller.
fn owned_pod(name: &str, api_version: &str, kind: &str, owner: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{{labels}}}\n  \
         ownerReferences: [{}]\nstatus: {{phase: Running, podIP: 10.0.0.1}}\n",
        controller(api_version, kind, owner)
    )
}

fn controller(api_version: &str, kind: &str, name: &str) -> String {
    format!("{{apiVersion: {api_version}, kind: {kind}, name: {name}, controller: true}}")
}

fn policy(name: &str, cidr: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}\n"
    )
}

#[test]
fn a_pod_is_read_with_all_that_decides() {
    let input = yaml(
        "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, empty: null}}
spec:
  nodeName: one
  hostNetwork: true
  containers:
  - ports:
    - {name: http, containerPort: 8080}
    - {containerPort: 53, protocol: UDP}
    - {containerPort: 8080}
  initContainers:
  - restartPolicy: Always
    ports: [{name: proxy, containerPort: 15001, protocol: ''}]
status:
  phase: Running
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]
  hostIP: 192.168.0.1
  hostIPs: [{ip: 192.168.0.1}]
",
    );
    let pod = input.pod();
    assert_eq!(pod.addresses, addresses(&["10.0.0.1", "fd00::1"]));
    assert_eq!((pod.node.as_deref(), pod.network), (Some("one"), PodNetwork::Host));
    assert_eq!(pod.labels["empty"], "");
    let named: Vec<_> = pod.named_ports.iter().map(|port| (&*port.name, port.container)).collect();
    assert_eq!(named, [("http", ContainerKind::Regular), ("proxy", ContainerKind::Init)]);
    let udp = Port { number: 53, protocol: Protocol::Udp };
    assert_eq!(input.cluster.pods[0].declared, [udp, tcp(8080), tcp(15001)]);
    assert_eq!(input.cluster.snapshot.nodes["one"], addresses(&["192.168.0.1"]));
    assert_eq!(input.cluster.assumed_namespaces, ["shop"]);
    assert_eq!(input.cluster.assumed_addresses(), 0);
}

#[test]
fn a_pod_that_has_ended_is_finished() {
    for (phase, lifecycle) in [
        ("Succeeded", Lifecycle::Finished),
        ("Failed", Lifecycle::Finished),
        ("Running", Lifecycle::Live),
    ] {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nstatus: {{phase: {phase}}}\n"
        );
        assert_eq!(yaml(&text).pod().lifecycle, lifecycle);
    }
}

#[test]
fn only_a_pod_that_was_just_written_down_gets_an_address() {
    for (status, is_assumed) in [
        ("", true),
        ("status: null", true),
        ("status: {}", true),
        ("status: {phase: Pending}", false),
    ] {
        let input = yaml(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\n{status}\n"));
        assert_eq!(!input.pod().addresses.is_empty(), is_assumed, "{status}");
        assert_eq!(input.cluster.assumed_addresses() == 1, is_assumed, "{status}");
    }
}

#[test]
fn an_assumed_address_is_in_no_block_but_one_for_all() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
    let first = |policies: &[&str]| {
        let policies: String =
            policies.iter().enumerate().map(|(i, cidr)| policy(&format!("p{i}"), cidr)).collect();
        yaml(&(pod.to_owned() + &policies)).pod().addresses.clone()
    };
    assert_eq!(first(&[]), addresses(&["100.64.0.1"]));
    assert_eq!(first(&["0.0.0.0/0", "::/0"]), addresses(&["100.64.0.1"]));
    assert_eq!(first(&["100.64.0.0/16"]), addresses(&["100.65.0.0"]));
    assert_eq!(first(&["0.0.0.0/0, except: [100.64.0.0/24]"]), addresses(&["100.64.1.0"]));
    assert_eq!(first(&["100.64.0.0/10"]), addresses(&["198.18.0.1"]));
    // Everything is in one of two halves: every address is told from some other.
    assert_eq!(first(&["0.0.0.0/1", "128.0.0.0/1"]), addresses(&[]));
}

#[test]
fn assumed_addresses_have_the_families_of_the_other_pods() {
    let input = yaml(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {phase: Running, podIPs: \
         [{ip: 'fd00::1'}, {ip: 100.64.0.1}]}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
    );
    assert_eq!(input.cluster.snapshot.pods[1].addresses, addresses(&["100::1", "100.64.0.2"]));
}

#[test]
fn templates_stand_for_pods_that_are_not_there() {
    let all: String = [
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("v1", "ReplicationController"),
    ]
    .iter()
    .map(|(api_version, kind)| workload(api_version, kind, &kind.to_lowercase(), ""))
    .collect();
    let cron = "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cronjob}\nspec: \
                {jobTemplate: {spec: {template: {metadata: {labels: {app: cronjob}}}}}}\n";
    let input = yaml(&(all + cron));
    assert_eq!(input.names().len(), 7);
    for (pod, origin) in input.cluster.snapshot.pods.iter().zip(&input.cluster.pods) {
        let kind = origin.stands_for.expect("a template").to_string().to_lowercase();
        assert_eq!((&pod.name.name, &pod.labels["app"]), (&kind, &kind));
        assert!(origin.assumed_address && pod.addresses.len() == 1);
    }
    let job = &input.cluster.snapshot.pods[3];
    assert_eq!((&*job.name.name, &*job.labels["job-name"]), ("job", "job"));
}

#[test]
fn a_workload_whose_pods_are_there_does_not_stand_for_them_again() {
    let deployment = workload("apps/v1", "Deployment", "web", "");
    let owner = format!(", ownerReferences: [{}]", controller("apps/v1", "Deployment", "web"));
    let set = workload("apps/v1", "ReplicaSet", "web-abc", &owner);
    let pod = owned_pod("web-abc-1", "apps/v1", "ReplicaSet", "web-abc", "pod-template-hash: abc");
    assert_eq!(yaml(&(deployment.clone() + &set + &pod)).names(), ["default/web-abc-1"]);
    // The `ReplicaSet` is not among the objects; its name tells which Deployment owns it.
    assert_eq!(yaml(&(deployment.clone() + &pod)).names(), ["default/web-abc-1"]);
    assert_eq!(yaml(&(deployment.clone() + &set)).names(), ["default/web"]);
    let other = owned_pod("x", "apps/v1", "ReplicaSet", "other-abc", "pod-template-hash: abc");
    assert_eq!(yaml(&(deployment.clone() + &other)).names(), ["default/web", "default/x"]);
    // A set of which the owner is not among the objects stands for itself, if it has replicas.
    assert_eq!(yaml(&set).names(), ["default/web-abc"]);
    assert!(
        yaml(&set.replace("spec:\n  template", "spec:\n  replicas: 0\n  template"))
            .names()
            .is_empty()
    );
    let none = deployment.replace("spec:\n  template", "spec:\n  replicas: 0\n  template");
    assert_eq!(yaml(&none).names(), ["default/web"]);
    let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: backup}\n";
    let run = owned_pod("backup-29000-x", "batch/v1", "Job", "backup-29000", "");
    assert_eq!(yaml(&(cron.to_owned() + &run)).names(), ["default/backup-29000-x"]);
}

#[test]
fn owners_that_own_each_other_are_no_endless_way() {
    let owner =
        |name| format!(", ownerReferences: [{}]", controller("apps/v1", "Deployment", name));
    let text = workload("apps/v1", "Deployment", "a", &owner("b"))
        + &workload("apps/v1", "Deployment", "b", &owner("a"))
        + &owned_pod("p", "apps/v1", "Deployment", "a", "");
    assert_eq!(yaml(&text).names(), ["default/p"]);
}

#[test]
fn stand_ins_that_share_a_name_are_called_by_their_kinds() {
    let text =
        workload("apps/v1", "Deployment", "web", "") + &workload("batch/v1", "Job", "web", "");
    let input = yaml(&text);
    assert_eq!(input.names(), ["default/deployment/web", "default/job/web"]);
    assert_eq!(input.cluster.pods[1].stands_for, Some(WorkloadKind::Job));
}

#[test]
fn the_same_twice_is_once_and_another_is_refused() {
    let one = policy("a", "10.0.0.0/8");
    let input = yaml(&(one.clone() + &one));
    assert_eq!((input.cluster.snapshot.policies.len(), input.problems().len()), (1, 0));
    let input = yaml(&(one + &policy("a", "10.0.0.0/9")));
    assert_eq!(
        input.problems(),
        ["input.yaml:7: NetworkPolicy default/a: is at input.yaml:2 already, and says something \
          else there; keep one of the two"]
    );
}

#[test]
fn what_the_api_server_would_refuse_is_refused() {
    let pod = |metadata: &str, more: &str| {
        yaml(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{{metadata}}}\n{more}\n")).problems()
    };
    for (metadata, more, field) in [
        ("", "", "Pod without a name: metadata.name: is missing"),
        ("name: A_b", "", "metadata.name: \"A_b\" is no valid name"),
        ("name: a, namespace: a.b", "", "metadata.namespace: \"a.b\" is no valid name"),
        ("name: a, labels: {-x: z}", "", "metadata.labels.-x: \"-x\" is no label key"),
        ("name: a, labels: {x: y z}", "", "metadata.labels.x: \"y z\" is no label value"),
        (
            "name: a",
            "spec: {containers: [{}, {ports: [{containerPort: 0}]}]}",
            "spec.containers[1].ports[0].containerPort: 0 is no port",
        ),
        (
            "name: a",
            "spec: {containers: [{ports: [{containerPort: 1, name: A}]}]}",
            "spec.containers[0].ports[0].name: \"A\" is no port name",
        ),
        (
            "name: a",
            "spec: {initContainers: [{ports: [{containerPort: 1, protocol: tcp}]}]}",
            "spec.initContainers[0].ports[0].protocol: \"tcp\" is no protocol",
        ),
        (
            "name: a",
            "status: {podIPs: [{ip: 10.0.0.1}, {ip: nine}]}",
            "status.podIPs[1].ip: \"nine\" is no IP address",
        ),
        (
            "name: a",
            "spec: {containers: {}}",
            "spec.containers: invalid type: map, expected a sequence",
        ),
        ("name: a", "spec: []", "spec: invalid type: sequence, expected an object"),
    ] {
        let problems = pod(metadata, more);
        assert!(problems.len() == 1 && problems[0].contains(field), "{field}: {problems:?}");
    }
    assert_eq!(
        yaml(&policy("a", "10.0.0.0/33")).problems(),
        ["input.yaml:2: NetworkPolicy default/a: spec.ingress[0].from[0].ipBlock.cidr: \
          \"10.0.0.0/33\" is no CIDR: write an address and a prefix length, such as 10.9.8.0/24 or \
          2001:db8::/64"]
    );
}

#[test]
fn no_policy_is_overlooked() {
    let header = |api_version, kind| {
        format!(
            "---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\n"
        )
    };
    for api_version in ["networking.k8s.io/v2", "extensions/v1beta1"] {
        assert_eq!(
            yaml(&header(api_version, "NetworkPolicy")).problems(),
            [format!(
                "input.yaml:2: NetworkPolicy b/a: apiVersion: is {api_version:?}, which this \
                 program cannot read; policies of this kind are read in networking.k8s.io/v1"
            )]
        );
    }
    let input = yaml(
        &(header("cilium.io/v2", "CiliumNetworkPolicy")
            + &header("projectcalico.org/v3", "NetworkPolicy")
            + &header("extensions/v1beta1", "Deployment")
            + &header("v1", "ConfigMap")
            + &header("v1", "ConfigMap").replace("name: a", "name: c")),
    );
    assert!(input.names().is_empty());
    let counts = |kinds: &std::collections::BTreeMap<String, usize>| format!("{kinds:?}");
    assert_eq!(
        counts(&input.cluster.ignored_policies),
        r#"{"CiliumNetworkPolicy.cilium.io": 1, "NetworkPolicy.projectcalico.org": 1}"#
    );
    assert_eq!(counts(&input.cluster.skipped), r#"{"ConfigMap": 2, "Deployment.extensions": 1}"#);
}

#[test]
fn services_name_pods_and_their_ports() {
    let input = yaml(
        "apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  clusterIP: 10.96.0.10
  ports:
  - {port: 80, targetPort: http}
  - {port: 81, targetPort: 8081}
  - {port: 82}
  - {port: 83, targetPort: 0}
---
apiVersion: v1
kind: Service
metadata: {name: out}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: v1
kind: Service
metadata: {name: by-hand}
spec: {clusterIP: None, ports: [{port: 80}]}
",
    );
    assert_eq!(input.problems(), [""; 0]);
    let [by_hand, out, web] = input.cluster.services.as_slice() else { panic!("three services") };
    let targets: Vec<_> = web.ports.iter().map(|port| port.target.clone()).collect();
    let number = ServiceTarget::Number;
    assert_eq!(
        targets,
        [ServiceTarget::Name("http".to_owned()), number(8081), number(82), number(83)]
    );
    assert_eq!(web.addresses, addresses(&["10.96.0.10"]));
    assert!(matches!(&web.backends, Backends::Pods(labels) if labels["app"] == "web"));
    assert_eq!(out.backends, Backends::External("example.com".to_owned()));
    assert_eq!((&by_hand.backends, by_hand.addresses.len()), (&Backends::Unknown, 0));
}

#[test]
fn nodes_have_the_addresses_that_they_and_their_pods_tell() {
    let input = yaml(
        "apiVersion: v1\nkind: Node\nmetadata: {name: one}\nstatus: {addresses: [{type: InternalIP, \
         address: 192.168.0.1}, {type: Hostname, address: one}, \
         {type: ExternalIP, address: 1.2.3.4}]}\n\
         ---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: one}\n\
         status: {phase: Running, hostIP: 192.168.0.1, hostIPs: [{ip: 'fd00::9'}, {ip: 192.168.0.1}]}\n",
    );
    assert_eq!(input.names(), ["default/a"]);
    assert_eq!(
        input.cluster.snapshot.nodes["one"],
        addresses(&["192.168.0.1", "1.2.3.4", "fd00::9"])
    );
}
