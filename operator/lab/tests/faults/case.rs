//! The conformance cases as objects that the lab takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::Path,
};

use netproof_conformance::flow::{Family, Port, Protocol};
use serde::Deserialize;
use serde_json::{Value, json};

/// A small cluster and its cases, as they are written (`conformance/cases/README.md`).
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pods: BTreeMap<String, PodText>,
    #[serde(default)]
    nodes: BTreeMap<String, Vec<IpAddr>>,
    cases: Vec<CaseText>,
}

#[derive(Deserialize)]
struct CaseText {
    claim: String,
    #[serde(default)]
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pods: BTreeMap<String, PodText>,
    #[serde(default)]
    policies: Vec<Value>,
    #[serde(default, rename = "clusterNetworkPolicies")]
    cluster: Vec<Value>,
    #[serde(default, rename = "adminNetworkPolicies")]
    admin: Vec<Value>,
    #[serde(default, rename = "baselineAdminNetworkPolicies")]
    baseline: Vec<Value>,
    #[serde(default)]
    rejected: Vec<Value>,
    #[serde(default)]
    expect: BTreeMap<String, String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodText {
    labels: BTreeMap<String, String>,
    ips: Option<Vec<IpAddr>>,
    node: Option<String>,
    ports: Vec<String>,
    init_ports: Vec<String>,
    host: bool,
    finished: bool,
}

/// A case that a network can be held against.
#[derive(Clone)]
pub struct Case {
    /// File and claim.
    pub name: String,
    /// Namespaces and pods.
    pub cluster: Vec<Value>,
    /// `NetworkPolicies`.
    pub policies: Vec<Value>,
    /// The ports that it asks about.
    pub ports: Vec<Port>,
    /// Addresses outside that it asks about.
    pub outside: Vec<IpAddr>,
}

impl Case {
    /// All of its objects.
    pub fn objects(&self) -> Vec<Value> {
        self.cluster.iter().chain(&self.policies).cloned().collect()
    }

    /// The families of addresses that its pods have.
    pub fn families(&self) -> BTreeSet<Family> {
        let pods = self.cluster.iter().filter(|object| object["kind"] == "Pod");
        let addresses =
            pods.flat_map(|pod| pod["status"]["podIPs"].as_array().into_iter().flatten());
        addresses.filter_map(|one| Some(Family::of(one["ip"].as_str()?.parse().ok()?))).collect()
    }
}

/// All cases of `NetworkPolicies` that the API server would store, of pods with networks of their own.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the cases are there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| of_file(path)).collect()
}

fn of_file(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).expect("a readable file");
    let file: File = serde_saphyr::from_str(&text).expect("a file of cases");
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    file.cases.iter().filter_map(|case| of_case(&name, &file, case)).collect()
}

fn of_case(name: &str, file: &File, case: &CaseText) -> Option<Case> {
    let cluster_wide = case.cluster.len() + case.admin.len() + case.baseline.len();
    if cluster_wide > 0 || !case.rejected.is_empty() || case.expect.is_empty() {
        return None;
    }
    let namespaces = merged(&file.namespaces, &case.namespaces);
    let namespaces = namespaces.iter().map(|(name, labels)| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    });
    let pods = merged(&file.pods, &case.pods);
    let pods: Vec<Value> = pods
        .iter()
        .zip(1u8..)
        .filter(|((_, pod), _)| pod.ips.as_ref().is_none_or(|ips| !ips.is_empty()))
        .map(|((name, pod), number)| pod.object(name, number))
        .collect();
    let own = pods.iter().filter(|pod| pod["spec"]["hostNetwork"].is_null());
    if own.count() < 2 {
        return None;
    }
    let policies = case.policies.iter().map(|policy| {
        let mut policy = policy.clone();
        policy["apiVersion"] = json!("networking.k8s.io/v1");
        policy["kind"] = json!("NetworkPolicy");
        policy
    });
    let ports: BTreeSet<Port> = case.expect.keys().flat_map(|heading| ports(heading)).collect();
    let ports: Vec<Port> =
        ports.into_iter().filter(|port| port.protocol != Protocol::Sctp).collect();
    let of_nodes: BTreeSet<IpAddr> = file.nodes.values().flatten().copied().collect();
    let columns = case.expect.values().filter_map(|drawing| drawing.lines().next());
    let outside: BTreeSet<IpAddr> = columns
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.parse().ok())
        .filter(|address: &IpAddr| !of_nodes.contains(address) && is_outside(*address, &pods))
        .collect();
    (!ports.is_empty()).then(|| Case {
        name: format!("{name}: {}", case.claim),
        cluster: namespaces.chain(pods).collect(),
        policies: policies.collect(),
        ports,
        outside: outside.into_iter().collect(),
    })
}

/// Whether it is nobody's here, and can be somebody's at all.
fn is_outside(address: IpAddr, pods: &[Value]) -> bool {
    let held = pods.iter().flat_map(|pod| pod["status"]["podIPs"].as_array().into_iter().flatten());
    let mut held = held.filter_map(|one| one["ip"].as_str()?.parse::<IpAddr>().ok());
    address == address.to_canonical() && !address.is_loopback() && held.all(|one| one != address)
}

fn merged<T: Clone>(all: &BTreeMap<String, T>, ours: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    all.clone().into_iter().chain(ours.clone()).collect()
}

/// The ports of a heading such as `80/TCP 53/UDP IPv6`.
fn ports(heading: &str) -> impl Iterator<Item = Port> + '_ {
    heading.split_whitespace().filter_map(|word| {
        let (number, protocol) = word.split_once('/')?;
        let protocol = match protocol {
            "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            _ => Protocol::Sctp,
        };
        Some(Port { number: number.parse().ok()?, protocol })
    })
}

impl PodText {
    fn object(&self, name: &str, number: u8) -> Value {
        let (namespace, name) = name.split_once('/').expect("a namespace and a name");
        let own = vec![IpAddr::from([10, 255, 0, number])];
        let addresses = self.ips.as_ref().unwrap_or(&own);
        let addresses: Vec<_> = addresses.iter().map(|one| json!({"ip": one})).collect();
        let mut object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": self.labels},
            "spec": {"containers": [{"name": "c", "ports": declared(&self.ports)}]},
            "status": {"phase": if self.finished { "Succeeded" } else { "Running" }, "podIPs": addresses},
        });
        if !self.init_ports.is_empty() {
            object["spec"]["initContainers"] =
                json!([{"name": "i", "ports": declared(&self.init_ports)}]);
        }
        if let Some(node) = &self.node {
            object["spec"]["nodeName"] = json!(node);
        }
        if self.host {
            object["spec"]["hostNetwork"] = json!(true);
        }
        object
    }
}

fn declared(ports: &[String]) -> Vec<Value> {
    let declared = ports.iter().map(|text| {
        let (name, port) = text.split_once(' ').expect("a name and a port");
        let (number, protocol) = port.split_once('/').expect("a number and a protocol");
        let number: u16 = number.parse().expect("a number");
        json!({"name": name, "containerPort": number, "protocol": protocol})
    });
    declared.collect()
}
