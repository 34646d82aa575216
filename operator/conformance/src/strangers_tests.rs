use super::*;
use crate::{
    pod::{Lifecycle, Pod, PodNetwork},
    policy::{cluster::ClusterPolicy, cluster_network_policy, network_policy},
    select::Labels,
    snapshot::Snapshot,
};

fn policy(name: &str, spec: &str) -> crate::policy::Policy {
    let (namespace, name) = name.split_once('/').expect("a namespace");
    let text = format!("{{metadata: {{name: {name}, namespace: {namespace}}}, spec: {spec}}}");
    let object = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    network_policy::compile(&object).unwrap_or_else(|why| panic!("{why}"))
}

fn cluster_policy(priority: u16, rest: &str) -> ClusterPolicy {
    let text = format!(
        "{{metadata: {{name: c}}, spec: {{tier: Admin, priority: {priority}, \
         subject: {{namespaces: {{}}}}, {rest}}}}}"
    );
    let object = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    cluster_network_policy::compile(&object).unwrap_or_else(|why| panic!("{why}"))
}

fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').expect("a value");
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

fn pod(name: &str, text: &str, last: u8) -> Pod {
    let (namespace, name) = name.split_once('/').expect("a namespace");
    Pod {
        name: ObjectRef { namespace: namespace.to_owned(), name: name.to_owned() },
        labels: labels(text),
        addresses: vec![[10, 244, 0, last].into()],
        node: None,
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: Vec::new(),
    }
}

/// Two pods of one namespace, and one of another, with these policies.
fn snapshot(policies: &[crate::policy::Policy]) -> Snapshot {
    Snapshot {
        namespaces: [("s", ""), ("o", "team=o")]
            .map(|(name, text)| (name.to_owned(), labels(text)))
            .into(),
        pods: vec![
            pod("s/web", "app=web", 1),
            pod("s/cli", "app=cli", 2),
            pod("o/other", "app=other", 3),
        ],
        policies: policies.to_vec(),
        ..Snapshot::default()
    }
}

/// What a change means for strangers, given two snapshots.
fn elsewhere(old: &Snapshot, new: &Snapshot, port: Option<Port>) -> Elsewhere {
    let [old, new] = [old, new].map(|snapshot| Compiled::new(snapshot.clone()));
    super::elsewhere(&old, &new, port)
}

/// The changes from one spec of a policy of `s` to another, a line each.
fn changes(old: &str, new: &str) -> Vec<String> {
    between(&[("s/p", old)], &[("s/p", new)])
}

fn between(old: &[(&str, &str)], new: &[(&str, &str)]) -> Vec<String> {
    let [old, new] = [old, new].map(|policies| {
        let compiled: Vec<_> = policies.iter().map(|(name, spec)| policy(name, spec)).collect();
        snapshot(&compiled)
    });
    told(&elsewhere(&old, &new, None))
}

fn told(elsewhere: &Elsewhere) -> Vec<String> {
    let Elsewhere { changes, doubtful } = elsewhere;
    let lines = changes.iter().map(|change| {
        let StrangerChange { policies: _, direction, subjects, others, ports, old, new } = change;
        let subjects: Vec<String> = subjects
            .iter()
            .map(|subjects| match subjects {
                Subjects::Pods(pods) => {
                    pods.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                }
                Subjects::Strangers(words) => words.clone(),
            })
            .collect();
        let ports = ports.join(" ").replace("all TCP ports all UDP ports all SCTP ports", "all");
        format!(
            "{direction} of {}: {old:?} to {new:?} for {} on {ports}",
            subjects.join("; "),
            others.join("; ")
        )
    });
    lines.chain(doubtful.iter().map(|name| format!("doubtful: {name}"))).collect()
}

const WEB: &str = "podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]";
const CLI: &str = "podSelector: {matchLabels: {app: cli}}";

#[test]
fn a_block_that_is_added_widens_for_its_addresses() {
    let old = format!("{{{WEB}, ingress: [{{from: [{{{CLI}}}]}}]}}");
    let new = old.replace("}]}]}", "}, {ipBlock: {cidr: 203.0.113.0/24}}]}]}");
    assert_eq!(
        changes(&old, &new),
        ["ingress of s/web: Deny to Allow for addresses in 203.0.113.0/24 on all"]
    );
    assert_eq!(
        changes(&new, &old),
        ["ingress of s/web: Allow to Deny for addresses in 203.0.113.0/24 on all"]
    );
}

#[test]
fn an_exception_is_told_as_what_it_leaves_out() {
    let with = |block: &str| format!("{{{WEB}, ingress: [{{from: [{{ipBlock: {{{block}}}}}]}}]}}");
    let (whole, holed) =
        (with("cidr: 0.0.0.0/0"), with("cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.0/16]"));
    assert_eq!(
        changes(&whole, &holed),
        ["ingress of s/web: Allow to Deny for addresses in 10.0.0.0/8, 192.168.0.0/16 on all"]
    );
    let nothing = format!("{{{WEB}}}");
    assert_eq!(
        changes(&nothing, &holed),
        ["ingress of s/web: Deny to Allow for every IPv4 address outside of 10.0.0.0/8, \
          192.168.0.0/16 on all"]
    );
    assert_eq!(
        changes(&nothing, &with("cidr: '2001:db8::/32'")),
        ["ingress of s/web: Deny to Allow for addresses in 2001:db8::/32 on all"]
    );
}

#[test]
fn namespaces_and_pods_that_are_not_here_are_told_by_their_labels() {
    let from = |peer: &str| format!("{{{WEB}, ingress: [{{from: [{peer}]}}]}}");
    let nobody = from("{podSelector: {matchLabels: {app: cli}}}");
    let and = |peer: &str| from(&format!("{{podSelector: {{matchLabels: {{app: cli}}}}}}, {peer}"));
    for (peer, whom) in [
        ("{namespaceSelector: {matchLabels: {team: x}}}", "pods in namespaces labelled team=x"),
        (
            "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pay}}}",
            "pods in namespace pay",
        ),
        ("{podSelector: {matchLabels: {app: db}}}", "pods labelled app=db in namespace s"),
        (
            "{namespaceSelector: {matchLabels: {team: o}}, podSelector: {matchLabels: {app: db}}}",
            "pods labelled app=db in namespaces labelled team=o",
        ),
    ] {
        assert_eq!(
            changes(&nobody, &and(peer)),
            [format!("ingress of s/web: Deny to Allow for {whom} on all")],
            "{peer}"
        );
    }
}

#[test]
fn subjects_that_are_not_here_are_told_by_their_labels() {
    let of = |app: &str| format!("{{podSelector: {{matchLabels: {{app: {app}}}}}}}");
    let told = changes(&of("x"), &of("y"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("ingress of pods labelled app=x in namespace s: Deny to Allow"));
    assert!(told[1].starts_with("ingress of pods labelled app=y in namespace s: Allow to Deny"));
    let told = between(&[], &[("nobody/p", "{podSelector: {}}")]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("ingress of pods in namespace nobody: Allow to Deny"), "{told:?}");
}

#[test]
fn egress_ports_and_protocols_are_told_too() {
    let to = |ports: &str| {
        format!(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{ports: [{ports}], \
             to: [{{ipBlock: {{cidr: 198.51.100.0/24}}}}]}}]}}"
        )
    };
    assert_eq!(
        changes(&to("{port: 53}"), &to("{port: 53, protocol: UDP}")),
        [
            "egress of s/web s/cli: Allow to Deny for addresses in 198.51.100.0/24 on 53/TCP",
            "egress of s/web s/cli: Deny to Allow for addresses in 198.51.100.0/24 on 53/UDP",
        ]
    );
}

#[test]
fn a_port_by_its_name_matters_to_pods_that_have_one_of_that_name() {
    let with = |ports: &str| format!("{{{WEB}, ingress: [{{ports: [{ports}]}}]}}");
    let told = changes(&with("{port: 80}"), &with("{port: 80}, {port: http}"));
    assert_eq!(
        told,
        ["ingress of pods labelled app=web in namespace s that call ports as the policies do: \
             Deny to Allow for every address outside; pods in namespace s; pods in other \
             namespaces \
             on http/TCP"]
    );
}

#[test]
fn a_pair_that_another_policy_stops_tells_nothing() {
    // The sender may send to everyone now, but not one of those who are here receives anything.
    let deny = "{podSelector: {}, policyTypes: [Ingress]}";
    let all = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], \
               egress: [{to: [{podSelector: {}}]}]}";
    let none = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}";
    let told = between(&[("s/d", deny), ("s/p", none)], &[("s/d", deny), ("s/p", all)]);
    assert_eq!(told, ["egress of s/web: Deny to Allow for pods in namespace s on all"]);
}

#[test]
fn what_means_the_same_is_no_change() {
    let written = |spec: &str| format!("{{podSelector: {{matchLabels: {{app: web}}}}, {spec}}}");
    let rule = |rest: &str| written(&format!("ingress: [{{{rest}}}]"));
    for (one, other) in [
        (written("ingress: []"), written("policyTypes: [Ingress]")),
        (rule("ports: [{port: 80}]"), rule("ports: [{port: 80, protocol: TCP}]")),
        (rule("ports: [{port: 80}]"), rule("ports: [{port: 80, endPort: 80}]")),
        (rule("ports: [{port: 80}, {port: 81}]"), rule("ports: [{port: 80, endPort: 81}]")),
        (
            rule("ports: [{port: 80}, {port: 81}]"),
            written("ingress: [{ports: [{port: 81}]}, {ports: [{port: 80}]}]"),
        ),
        (
            rule("from: [{ipBlock: {cidr: 10.1.2.3/8}}]"),
            rule("from: [{ipBlock: {cidr: 10.0.0.0/8}}]"),
        ),
        (
            rule("from: [{ipBlock: {cidr: 10.0.0.0/8}}]"),
            rule("from: [{ipBlock: {cidr: 10.0.0.0/9}}, {ipBlock: {cidr: 10.128.0.0/9}}]"),
        ),
        (
            rule("from: [{podSelector: {matchLabels: {a: b}}}, {podSelector: {}}]"),
            rule("from: [{podSelector: {}}]"),
        ),
        (
            rule("from: [{podSelector: {matchLabels: {a: b}}}]"),
            rule(
                "from: [{podSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}}]",
            ),
        ),
        (rule("from: []"), rule("ports: []")),
        (
            rule("from: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]"),
            rule("from: [{ipBlock: {cidr: '::/0'}}, {ipBlock: {cidr: 0.0.0.0/0}}]"),
        ),
    ] {
        assert_eq!(changes(&one, &other), [""; 0], "{one} {other}");
        assert_eq!(changes(&other, &one), [""; 0], "{other} {one}");
    }
    let policy = rule("from: [{ipBlock: {cidr: 10.0.0.0/8}}]");
    assert_eq!(between(&[("s/a", &policy)], &[("s/b", &policy)]), [""; 0], "another name");
}

#[test]
fn what_another_policy_says_anyway_is_no_change() {
    let all = "{podSelector: {}, ingress: [{}]}";
    let more = format!("{{{WEB}, ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}");
    assert_eq!(between(&[("s/all", all)], &[("s/all", all), ("s/more", &more)]), [""; 0]);
}

#[test]
fn policies_of_the_cluster_are_told_for_strangers_too() {
    let with = |policy: ClusterPolicy| Snapshot { cluster_policies: vec![policy], ..snapshot(&[]) };
    let to = |network: &str| {
        with(cluster_policy(
            1,
            &format!("egress: [{{action: Deny, to: [{{networks: ['{network}']}}]}}]"),
        ))
    };
    let lines = told(&elsewhere(&to("10.0.0.0/8"), &to("10.0.0.0/9"), None));
    assert!(lines.iter().any(|line| line.contains("addresses in 10.128.0.0/9")), "{lines:?}");
    let from = |team: &str| {
        with(cluster_policy(
            1,
            &format!(
                "ingress: [{{action: Deny, from: [{{namespaces: {{matchLabels: {{team: \
                 {team}}}}}}}]}}]"
            ),
        ))
    };
    let lines = told(&elsewhere(&from("x"), &from("y"), None));
    assert!(
        lines.iter().any(|line| line.contains("pods in namespaces labelled team=x")),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("pods in namespaces labelled team=y")),
        "{lines:?}"
    );
    assert_eq!(told(&elsewhere(&from("x"), &from("x"), None)), [""; 0]);
}

#[test]
fn what_no_stranger_was_made_up_for_is_doubtful() {
    let with = |name: &str| Snapshot {
        cluster_policies: vec![cluster_policy(
            1,
            &format!("egress: [{{action: Deny, to: [{{domainNames: [{name}]}}]}}]"),
        )],
        ..snapshot(&[])
    };
    let lines = told(&elsewhere(&with("a.example"), &with("b.example"), None));
    assert_eq!(lines, ["doubtful: ClusterNetworkPolicy c"]);
}

#[test]
fn one_port_is_asked_of_where_it_is_the_only_one() {
    let rule = |port: u16| format!("{{{WEB}, ingress: [{{ports: [{{port: {port}}}]}}]}}");
    let [old, new] = [80, 81].map(|port| snapshot(&[policy("s/p", &rule(port))]));
    let port = |number| Port { number, protocol: crate::flow::Protocol::Tcp };
    assert_eq!(told(&elsewhere(&old, &new, Some(port(82)))), [""; 0]);
    assert_eq!(told(&elsewhere(&old, &new, Some(port(80)))).len(), 1);
}
