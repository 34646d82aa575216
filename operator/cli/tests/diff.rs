//! `netproof diff`, tested by running its binary.

mod cli;

use cli::{Run, directory, netproof, netproof_on};

const PODS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{containerPort: 8080, name: http}]}]}
status: {podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, ports: [{containerPort: 3306, name: sql}]}]}
status: {podIPs: [{ip: 10.0.0.2}]}
---
";

fn policy(ingress: &str) -> String {
    format!(
        "{PODS}apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: db, namespace: shop}}
spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: {ingress}}}
"
    )
}

fn deny(namespace: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
         metadata: {{name: deny, namespace: {namespace}}}\n\
         spec: {{podSelector: {{}}, policyTypes: [Ingress]}}\n"
    )
}

fn diff(old: &str, new: &str, more: &[&str]) -> Run {
    netproof_on("diff", &[("old.yaml", old), ("new.yaml", new)], more)
}

/// The groups of changes, in the form that scripts read.
fn groups(old: &str, new: &str) -> Vec<serde_json::Value> {
    let run = diff(old, new, &["-o", "jsonl"]);
    assert_eq!(run.code, i32::from(!run.stdout.is_empty()), "{}", run.stderr);
    run.json_lines()
}

const FROM_WEB: &str =
    "[{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 3306}]}]";

#[test]
fn the_same_twice_is_no_difference() {
    let one = policy(FROM_WEB);
    let run = diff(&one, &one, &[]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("no answer changes"), "{}", run.stdout);
}

#[test]
fn a_rule_that_goes_is_named_with_the_flows_that_it_admitted() {
    let found = groups(&policy(FROM_WEB), &policy("[]"));
    assert_eq!(found.len(), 1, "{found:?}");
    let from_web = found.iter().find(|one| one["from"][0] == "shop/web").unwrap();
    assert_eq!(from_web["to"], serde_json::json!(["shop/db"]));
    assert_eq!(from_web["ports"], serde_json::json!(["3306/TCP"]));
    assert_eq!((&from_web["old"], &from_web["new"]), (&"Allow".into(), &"Deny".into()));
    assert_eq!(from_web["by"], serde_json::json!(["policy shop/db changed"]));
}

#[test]
fn a_policy_that_comes_isolates_on_all_ports() {
    let found = groups(PODS, &policy("[]"));
    let from_web = found.iter().find(|one| one["from"][0] == "shop/web").unwrap();
    let all = ["all TCP ports", "all UDP ports", "all SCTP ports"];
    assert_eq!(from_web["ports"], serde_json::json!(all));
    assert_eq!(from_web["by"], serde_json::json!(["policy shop/db added"]));
}

#[test]
fn a_range_that_narrows_is_told_as_a_range() {
    let range = |last: u16| policy(&format!("[{{ports: [{{port: 8000, endPort: {last}}}]}}]"));
    let found = groups(&range(8999), &range(8500));
    let from_web = found.iter().find(|one| one["from"][0] == "shop/web").unwrap();
    assert_eq!(from_web["ports"], serde_json::json!(["8501-8999/TCP"]));
}

#[test]
fn labels_of_pods_and_namespaces_are_causes_too() {
    let old = policy(FROM_WEB);
    let new = old.replace("app: web}}\nspec", "app: was}}\nspec");
    let found = groups(&old, &new);
    assert_eq!(found[0]["by"], serde_json::json!(["labels of shop/web changed"]), "{found:?}");
    let by_team = "[{from: [{namespaceSelector: {matchLabels: {team: shop}}}]}]";
    let old = policy(by_team);
    let found = groups(&old, &old.replace("labels: {team: shop}", "labels: {team: other}"));
    assert!(
        found.iter().all(|one| one["by"][0] == "labels of namespace shop changed"),
        "{found:?}"
    );
}

#[test]
fn pods_that_come_and_go_are_told_apart_from_changes() {
    let more = format!(
        "{PODS}apiVersion: v1\nkind: Pod\nmetadata: {{name: new, namespace: shop}}\nstatus: {{podIP: 10.0.0.3}}\n"
    );
    let run = diff(PODS, &more, &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("pods added, and left aside: shop/new"), "{}", run.stdout);
}

#[test]
fn pods_of_the_host_meet_those_of_other_nodes_otherwise() {
    let own = |name: &str, node: u8| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{nodeName: n{node}}}\n\
             status: {{hostIP: 172.18.0.{node}, podIP: 10.0.0.{node}}}\n---\n"
        )
    };
    let host = "apiVersion: v1\nkind: Pod\nmetadata: {name: host, namespace: kube}\n\
                spec: {nodeName: n1, hostNetwork: true}\n\
                status: {hostIP: 172.18.0.1, podIP: 172.18.0.1}\n---\n";
    let old = format!("{}{}{host}", own("here", 1), own("there", 2));
    let new = format!("{old}{}", deny("shop"));
    let found = groups(&old, &new);
    let from_host = found.iter().find(|one| one["from"][0] == "kube/host").unwrap();
    assert_eq!(from_host["to"], serde_json::json!(["shop/there"]), "{found:?}");
    assert_eq!((&from_host["old"], &from_host["new"]), (&"Allow".into(), &"Deny".into()));
}

#[test]
fn each_policy_is_named_with_the_flows_that_it_changed() {
    let pod = |namespace: &str, last: u8| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod, namespace: {namespace}}}\n\
             status: {{podIP: 10.0.0.{last}}}\n---\n"
        )
    };
    let old = format!("{}{}{}", pod("one", 1), pod("two", 2), pod("three", 3));
    let new = format!("{old}{}---\n{}", deny("one"), deny("two"));
    let found = groups(&old, &new);
    for namespace in ["one", "two"] {
        let pod = format!("{namespace}/pod");
        let to = |one: &&serde_json::Value| one["from"][0] == "three/pod" && one["to"][0] == pod;
        let by = &found.iter().find(to).unwrap()["by"];
        assert_eq!(by, &serde_json::json!([format!("policy {namespace}/deny added")]));
    }
}

#[test]
fn one_port_is_not_called_all() {
    let run = diff(PODS, PODS, &["--port", "3306"]);
    assert!(run.stdout.starts_with("no answer changes on 3306/TCP, of 4 pairs"), "{}", run.stdout);
}

#[test]
fn a_review_gets_a_table() {
    let run = diff(&policy(FROM_WEB), &policy("[]"), &["-o", "markdown"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stdout.contains("| Allow → Deny | 1 | shop/web | shop/db | 3306/TCP |"),
        "{}",
        run.stdout
    );
    let whole = diff(&policy(FROM_WEB), &policy("[]"), &["-o", "json"]).json();
    assert_eq!((&whole["pairs"], whole["changes"].as_array().unwrap().len()), (&4.into(), 1));
}

#[test]
fn input_that_cannot_be_compared_is_an_error() {
    let folder = directory(&[("a.yaml", PODS), ("bad.yaml", "kind: [")]);
    let (good, bad) = (folder.path("a.yaml"), folder.path("bad.yaml"));
    assert_eq!(netproof(&["diff", "-f", &good]).code, 2);
    assert_eq!(netproof(&["diff", "-f", &good, "-f", &good, "-f", &good]).code, 2);
    assert_eq!(netproof(&["diff", "-f", &good, "-f", &bad]).code, 2);
    assert_eq!(netproof(&["diff", "-f", "-", "-f", "-"]).code, 2);
}

#[test]
fn what_changes_for_addresses_outside_is_a_difference() {
    let with_block = FROM_WEB.replace("}}}]", "}}}, {ipBlock: {cidr: 203.0.113.0/24}}]");
    let (old, new) = (policy(FROM_WEB), policy(&with_block));
    for (old, new, words, answers) in
        [(&old, &new, "widening", ["Deny", "Allow"]), (&new, &old, "narrowing", ["Allow", "Deny"])]
    {
        let found = groups(old, new);
        assert_eq!(found.len(), 1, "{found:?}");
        let told = &found[0];
        assert_eq!(told["from"], serde_json::json!(["addresses in 203.0.113.0/24"]));
        assert_eq!(told["to"], serde_json::json!(["shop/db"]));
        assert_eq!(told["ports"], serde_json::json!(["3306/TCP"]));
        assert_eq!([&told["old"], &told["new"]], answers);
        assert_eq!((&told["effect"], &told["elsewhere"]), (&words.into(), &true.into()));
        assert_eq!(told["by"], serde_json::json!(["policy shop/db changed"]));
        for output in ["table", "markdown", "json"] {
            let run = diff(old, new, &["-o", output]);
            assert_eq!(run.code, 1, "{output}");
            assert!(!run.stdout.contains("no answer changes"), "{}", run.stdout);
            for word in [words, "203.0.113.0/24", "shop/db"] {
                assert!(run.stdout.contains(word), "{output} lacks {word}: {}", run.stdout);
            }
        }
    }
}

#[test]
fn what_changes_for_pods_that_are_not_here_is_a_difference() {
    let team = "[{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]";
    let found = groups(&policy("[]"), &policy(team));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["from"], serde_json::json!(["pods in namespaces labelled team=x"]));
    // The policy is for an empty namespace, or selects no pod of this one.
    for policy in [
        deny("empty"),
        deny("shop").replace("podSelector: {}", "podSelector: {matchLabels: {app: x}}"),
    ] {
        let run = diff(PODS, &format!("{PODS}{policy}"), &[]);
        assert_eq!(run.code, 1, "{}", run.stdout);
        assert!(run.stdout.contains("which are not here"), "{}", run.stdout);
    }
    // There may be no pods at all.
    let run = diff(&deny("shop"), &deny("shop").replace("Ingress", "Egress"), &[]);
    assert_eq!(run.code, 1, "{}", run.stdout);
}

#[test]
fn another_way_to_write_the_same_is_no_difference() {
    let one = policy(
        "[{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 80}]}, {ports: [{port: 81}]}]",
    );
    let other = policy(
        "[{ports: [{port: 81, protocol: TCP}]}, {ports: [{protocol: TCP, port: 80}], from: [{ipBlock: {cidr: 10.9.8.7/8}}]}]\n  , policyTypes: [Ingress]",
    )
    .replace("{name: db, namespace: shop}", "{name: db, namespace: shop, labels: {a: b}}");
    let run = diff(&one, &other, &[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.starts_with("no answer changes"), "{}", run.stdout);
}

#[test]
fn a_policy_whose_concern_cannot_be_tried_is_not_called_the_same() {
    let policy = |name: &str| {
        format!(
            "{PODS}apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n\
             metadata: {{name: names}}\nspec: {{tier: Admin, priority: 1, \
             subject: {{namespaces: {{}}}}, egress: [{{action: Deny, to: [{{domainNames: [{name}]}}]}}]}}\n"
        )
    };
    let run = diff(&policy("a.example"), &policy("b.example"), &[]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("may have changed"), "{}", run.stdout);
    assert!(run.stdout.contains("policy ClusterNetworkPolicy names changed"), "{}", run.stdout);
}
