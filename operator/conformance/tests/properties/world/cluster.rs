//! Makes random policies of the cluster, as they are written: few, small, and of few priorities, so
//! that they meet and every way to settle what is open can be tried.

use netproof_conformance::policy::{
    admin_network_policy::{self as admin, AdminNetworkPolicy, AdminNetworkPolicySpec},
    baseline_admin_network_policy::{BaselineAdminNetworkPolicy, BaselineAdminNetworkPolicySpec},
    cluster_network_policy::{
        self as cluster, ClusterNetworkPolicy, ClusterNetworkPolicySpec, NamespacedPod, Peer,
        Subject,
    },
    network_policy::Metadata,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde::de::DeserializeOwned;

use super::{NAMES, NUMBERS, selector, word};

/// The policies of a cluster that are in no namespace.
#[derive(Clone, Debug, Default)]
pub struct ClusterPolicies {
    pub cluster: Vec<ClusterNetworkPolicy>,
    pub admin: Vec<AdminNetworkPolicy>,
    pub baseline: Option<BaselineAdminNetworkPolicy>,
}

pub fn cluster_policies() -> impl Strategy<Value = ClusterPolicies> {
    let some = (vec(cluster(), 0..4), vec(admin(), 0..3), option::of(baseline()));
    let some = some.prop_map(|(mut cluster, mut admin, baseline)| {
        for (index, policy) in cluster.iter_mut().enumerate() {
            policy.metadata.name = format!("p{index}");
        }
        for (index, policy) in admin.iter_mut().enumerate() {
            policy.metadata.name = format!("p{index}");
        }
        ClusterPolicies { cluster, admin, baseline }
    });
    prop_oneof![1 => Just(ClusterPolicies::default()), 3 => some]
}

fn metadata(name: &str) -> Metadata {
    Metadata { name: name.to_owned(), ..Metadata::default() }
}

fn priority() -> impl Strategy<Value = Option<i64>> {
    select(&[0, 0, 1, 1000]).prop_map(Some)
}

pub fn cluster() -> impl Strategy<Value = ClusterNetworkPolicy> {
    let ingress = (action(&["Accept", "Deny", "Pass"]), peers(false), protocols());
    let ingress = ingress.prop_map(|(action, from, protocols)| cluster::IngressRule {
        name: String::new(),
        action,
        from,
        protocols,
    });
    let egress = (action(&["Accept", "Deny", "Pass"]), peers(true), protocols());
    let egress = egress.prop_map(|(action, to, protocols)| cluster::EgressRule {
        name: String::new(),
        action,
        protocols: protocols.filter(|all| may_name(&to, all, is_protocol_name)),
        to,
    });
    let rules = (vec(ingress, 0..3), vec(egress, 0..3));
    (word(&["Admin", "Baseline"]), priority(), subject(), rules).prop_map(
        |(tier, priority, subject, (ingress, egress))| ClusterNetworkPolicy {
            metadata: metadata("some"),
            spec: ClusterNetworkPolicySpec { tier: Some(tier), priority, subject, ingress, egress },
        },
    )
}

fn admin() -> impl Strategy<Value = AdminNetworkPolicy> {
    (priority(), subject(), admin_rules(&["Allow", "Deny", "Pass"])).prop_map(
        |(priority, subject, (ingress, egress))| AdminNetworkPolicy {
            metadata: metadata("some"),
            spec: AdminNetworkPolicySpec { priority, subject, ingress, egress },
        },
    )
}

fn baseline() -> impl Strategy<Value = BaselineAdminNetworkPolicy> {
    (subject(), admin_rules(&["Allow", "Deny"])).prop_map(|(subject, (ingress, mut egress))| {
        for peer in egress.iter_mut().flat_map(|rule| &mut rule.to) {
            // This kind has no peers by domain names.
            if peer.domain_names.take().is_some() {
                *peer = newer();
            }
        }
        BaselineAdminNetworkPolicy {
            metadata: metadata("default"),
            spec: BaselineAdminNetworkPolicySpec { subject, ingress, egress },
        }
    })
}

type AdminRules = (Vec<admin::IngressRule>, Vec<admin::EgressRule>);

fn admin_rules<const N: usize>(
    actions: &'static [&'static str; N],
) -> impl Strategy<Value = AdminRules> {
    let ingress = (action(actions), peers(false), ports());
    let ingress = ingress.prop_map(|(action, from, ports)| admin::IngressRule {
        name: String::new(),
        action,
        from,
        ports,
    });
    let egress = (action(actions), peers(true), ports());
    let egress = egress.prop_map(|(action, to, ports)| admin::EgressRule {
        name: String::new(),
        action,
        ports: ports.filter(|all| may_name(&to, all, |port| port.named_port.is_some())),
        to,
    });
    (vec(ingress, 0..3), vec(egress, 0..3))
}

fn action<const N: usize>(
    actions: &'static [&'static str; N],
) -> impl Strategy<Value = Option<String>> {
    word(actions).prop_map(Some)
}

fn is_protocol_name(port: &cluster::ProtocolMatch) -> bool {
    port.destination_named_port.is_some()
}

/// Whether a rule may name ports: names are refused beside peers that are no pods.
fn may_name<T>(peers: &[Peer], ports: &[T], is_name: impl Fn(&T) -> bool) -> bool {
    let has_no_pods = |peer: &Peer| {
        peer.nodes.is_some() || peer.networks.is_some() || peer.domain_names.is_some()
    };
    !(peers.iter().any(has_no_pods) && ports.iter().any(is_name))
}

fn subject() -> impl Strategy<Value = Option<Subject>> {
    let namespaces = selector()
        .prop_map(|selector| Subject { namespaces: Some(selector), ..Subject::default() });
    let pods = pods().prop_map(|pods| Subject { pods: Some(pods), ..Subject::default() });
    prop_oneof![2 => namespaces, 1 => pods].prop_map(Some)
}

fn pods() -> impl Strategy<Value = NamespacedPod> {
    (selector(), selector()).prop_map(|(namespaces, pods)| NamespacedPod {
        namespace_selector: Some(namespaces),
        pod_selector: Some(pods),
    })
}

fn peers(is_egress: bool) -> impl Strategy<Value = Vec<Peer>> {
    let namespaces =
        selector().prop_map(|selector| Peer { namespaces: Some(selector), ..Peer::default() });
    let pods = pods().prop_map(|pods| Peer { pods: Some(pods), ..Peer::default() });
    let nodes = selector().prop_map(|selector| Peer { nodes: Some(selector), ..Peer::default() });
    let networks = (0u8..8, 28u8..=32, 124u8..=128).prop_map(|(low, four, six)| {
        let ranges = vec![format!("10.0.0.{low}/{four}"), format!("fd00::{low:x}/{six}")];
        Peer { networks: Some(ranges), ..Peer::default() }
    });
    let names = Just(Peer { domain_names: Some(vec!["a.b".to_owned()]), ..Peer::default() });
    let newer = Just(newer());
    let weight = u32::from(is_egress);
    let any = prop_oneof![
        9 => namespaces,
        6 => pods,
        1 => newer,
        weight => nodes,
        3 * weight => networks,
        weight => names,
    ];
    vec(any, 1..3)
}

/// An element with one field that a later version of the API may have.
fn newer<T: DeserializeOwned>() -> T {
    serde_saphyr::from_str("{newer: 1}").expect("any field will do")
}

fn protocols() -> impl Strategy<Value = Option<Vec<cluster::ProtocolMatch>>> {
    let numbers = prop_oneof![
        2 => select(&NUMBERS).prop_map(|number| cluster::PortNumbers {
            number: Some(number.into()),
            range: None,
        }),
        1 => range().prop_map(|(start, end)| cluster::PortNumbers {
            number: None,
            range: Some(cluster::PortRange { start: Some(start), end: Some(end) }),
        }),
    ];
    let of_protocol = (0..4usize, numbers).prop_map(|(protocol, numbers)| {
        let ports = Some(cluster::Ports { destination_port: Some(numbers) });
        let none = cluster::ProtocolMatch::default();
        match protocol {
            0 => cluster::ProtocolMatch { udp: ports, ..none },
            1 => cluster::ProtocolMatch { sctp: ports, ..none },
            _ => cluster::ProtocolMatch { tcp: ports, ..none },
        }
    });
    let named = word(&NAMES).prop_map(|name| cluster::ProtocolMatch {
        destination_named_port: Some(name),
        ..cluster::ProtocolMatch::default()
    });
    let newer = Just(()).prop_map(|()| newer());
    option::weighted(0.5, vec(prop_oneof![8 => of_protocol, 6 => named, 1 => newer], 1..3))
}

fn ports() -> impl Strategy<Value = Option<Vec<admin::PortMatch>>> {
    let protocol = || option::weighted(0.6, word(&["TCP", "TCP", "UDP", "SCTP"]));
    let number = (select(&NUMBERS), protocol()).prop_map(|(number, protocol)| admin::PortMatch {
        port_number: Some(admin::PortNumber { protocol, port: Some(number.into()) }),
        ..admin::PortMatch::default()
    });
    let range = (range(), protocol()).prop_map(|((start, end), protocol)| admin::PortMatch {
        port_range: Some(admin::PortRange { protocol, start: Some(start), end: Some(end) }),
        ..admin::PortMatch::default()
    });
    let named = word(&NAMES).prop_map(|name| admin::PortMatch {
        named_port: Some(name),
        ..admin::PortMatch::default()
    });
    let newer = Just(()).prop_map(|()| newer());
    option::weighted(0.5, vec(prop_oneof![4 => number, 4 => range, 6 => named, 1 => newer], 1..3))
}

/// A range from one of the numbers up to a higher one.
fn range() -> impl Strategy<Value = (i64, i64)> {
    (0..NUMBERS.len() - 1).prop_flat_map(|first| {
        (Just(NUMBERS[first].into()), select(&NUMBERS[first + 1..]).prop_map(i64::from))
    })
}
