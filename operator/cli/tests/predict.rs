//! `netproof predict`, tested by running its binary.

mod cli;

use cli::{Run, directory, netproof, netproof_on, netproof_on_with_stdin};

const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
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
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: was}}}], ports: [{port: sql}]}]
";

fn shop(arguments: &[&str]) -> Run {
    netproof_on("predict", &[("shop.yaml", SHOP)], arguments)
}

/// Asks about flows on the standard input.
fn shop_with_flows(flows: &str, more: &[&str]) -> Run {
    let more = [&["--flows", "-"], more].concat();
    netproof_on_with_stdin("predict", &[("shop.yaml", SHOP)], &more, flows)
}

#[test]
fn flows_are_answered_in_their_order_with_the_same_fields() {
    let flows = r#"{"from":"shop/web","to":"shop/db","port":3306,"protocol":"TCP"}

{"to":"shop/web", "from":"shop/db", "port":8080, "protocol":"TCP", "family":"IPv4"}
{"from":"192.0.2.1","to":"shop/db","port":1,"protocol":"UDP"}
{"from":"shop/db","to":"shop/db","port":3306,"protocol":"TCP"}
"#;
    let folder = directory(&[("shop.yaml", SHOP), ("flows.jsonl", flows)]);
    let (objects, flows) = (folder.path("shop.yaml"), folder.path("flows.jsonl"));
    let run = netproof(&["predict", "-f", &objects, "--flows", &flows, "-o", "jsonl"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(netproof(&["predict", "-f", &objects, "--flows", &flows]).stdout, run.stdout);
    assert_eq!(netproof(&["predict", "-f", &objects, "--flows", &flows, "-o", "csv"]).code, 2);
    assert_eq!(
        run.stdout,
        r#"{"from":"shop/web","to":"shop/db","port":3306,"protocol":"TCP","expected":"Deny"}
{"to":"shop/web", "from":"shop/db", "port":8080, "protocol":"TCP", "family":"IPv4","expected":"Allow"}
{"from":"192.0.2.1","to":"shop/db","port":1,"protocol":"UDP","expected":"Deny"}
{"from":"shop/db","to":"shop/db","port":3306,"protocol":"TCP","expected":"Unspecified","reason":"ToItself"}
"#
    );
}

#[test]
fn a_line_that_cannot_be_answered_is_an_error_after_the_others_are() {
    let flows = r#"{"from":"shop/nobody","to":"shop/db","port":3306,"protocol":"TCP"}
[1]
{"from":"shop/web","to":"shop/db","port":0,"protocol":"TCP"}
{"from":"shop/web","to":"shop/db","port":65536,"protocol":"TCP"}
{"from":"shop/web","to":"shop/db","port":80,"protocol":"ICMP"}
{"from":"shop/web","to":"shop/db","port":80,"protocol":"TCP","family":"IPv5"}
{"from":"web","to":"shop/db","port":80,"protocol":"TCP"}
{"from":"shop/web","port":80,"protocol":"TCP"}
{"from":"shop/web","to":"shop/web","port":80,"protocol":"TCP"}
"#;
    let run = shop_with_flows(flows, &[]);
    assert_eq!(run.code, 2);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    for line in 1..=8 {
        assert!(run.stderr.contains(&format!("stdin:{line}: ")), "line {line}: {}", run.stderr);
    }
    assert!(run.stderr.contains("no pod of the input is called shop/nobody"), "{}", run.stderr);
}

#[test]
fn what_decides_is_named_on_request() {
    let flows = r#"{"from":"shop/web","to":"shop/db","port":3306,"protocol":"TCP"}"#;
    let run = shop_with_flows(flows, &["--explain"]);
    assert!(run.stdout.contains(r#""ingress":{"decision":"Deny","isolatedBy":["shop/db"]"#));
}

#[test]
fn one_flow_that_is_asked_of_by_its_ends_is_an_exit_code() {
    let asked = |from, to, port| shop(&["--from", from, "--to", to, "--port", port]).code;
    assert_eq!(asked("shop/web", "shop/web", "8080"), 0);
    assert_eq!(asked("shop/web", "shop/db", "3306"), 1);
    assert_eq!(asked("shop/web", "shop/db", "sql"), 1);
    assert_eq!(asked("shop/db", "shop/db", "3306/TCP"), 2);
    assert_eq!(asked("shop/db", "shop/nobody", "3306"), 2);
    assert_eq!(asked("shop/db", "svc/shop/front", "80"), 0);
    assert_eq!(asked("shop/db", "shop/front", "81"), 2);
    assert_eq!(asked("shop/web", "192.0.2.1", "443"), 0);
}

#[test]
fn all_pairs_are_shown_in_each_form() {
    let table = shop(&[]);
    assert_eq!(table.code, 0);
    assert!(table.stdout.starts_with("2 pods, 1 policies; 4 flows: 2 allowed, 1 denied, 1 left"));
    let csv = shop(&["-o", "csv"]).stdout;
    assert!(csv.starts_with("from,to,port,protocol,expected,reason\n"), "{csv}");
    assert!(csv.contains("shop/web,shop/db,3306,TCP,Deny,\n"), "{csv}");
    assert!(csv.contains("shop/db,shop/db,3306,TCP,Unspecified,ToItself\n"), "{csv}");
    let objects = shop(&["-o", "jsonl"]).json_lines();
    assert_eq!(objects.len(), 4);
    assert_eq!(shop(&["-o", "json"]).json(), serde_json::Value::Array(objects));
    let dot = shop(&["-o", "dot"]).stdout;
    assert!(dot.contains("\"shop/web\" -> \"shop/web\" [label=\"8080/TCP\"]"), "{dot}");
    let html = shop(&["-o", "html"]).stdout;
    assert!(html.starts_with("<!doctype html>") && html.contains("shop/web"));
    assert!(!html.contains("http://") && !html.contains("https://"), "it needs no other file");
}

#[test]
fn a_summary_is_one_line_of_figures() {
    let figures = shop(&["--summary"]).json();
    let figure = |name: &str| figures[name].as_u64().unwrap();
    let counted = ["pods", "policies", "flows", "allow", "deny", "unspecified"].map(figure);
    assert_eq!(counted, [2, 1, 4, 2, 1, 1]);
    assert!(figures["load_ms"].as_f64() > Some(0.0) && figures["predict_ms"].is_number());
    assert!(figure("peak_rss_bytes") > 1 << 20);
    assert_eq!(shop(&["--summary", "--port", "9999"]).json()["flows"], 4);
}

#[test]
fn bad_input_is_told_whole_and_nothing_is_answered() {
    let wrong = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: shop}
spec: {podSelector: {}, ingress: [{from: [{}]}]}
";
    let folder = directory(&[("a.yaml", wrong), ("b.yaml", "kind: ["), ("shop.yaml", SHOP)]);
    let run = netproof(&["predict", "-f", &folder.path("")]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("NetworkPolicy shop/a: spec.ingress[0].from[0]"), "{}", run.stderr);
    assert!(run.stderr.contains("b.yaml"), "{}", run.stderr);
    assert_eq!(netproof(&["predict", "-f", &folder.path("none.yaml")]).code, 2);
    assert_eq!(netproof(&["predict", "--nonsense"]).code, 2);
}

#[test]
fn notes_go_to_standard_error_unless_they_are_hidden() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: other}\n";
    let predict = |more: &[&str]| netproof_on("predict", &[("pod.yaml", pod)], more);
    let told = predict(&["--port", "80"]);
    assert!(told.stderr.contains("namespace other"), "{}", told.stderr);
    let hidden = predict(&["--port", "80", "-q"]);
    assert_eq!((hidden.stderr.as_str(), hidden.stdout), ("", told.stdout));
}

#[test]
fn help_completions_and_the_manual_are_there() {
    let help = netproof(&["predict", "--help"]);
    assert!(help.code == 0 && help.stdout.contains("netproof predict -f manifests/"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(netproof(&["completions", shell]).stdout.contains("predict"), "{shell}");
    }
    assert!(netproof(&["man"]).stdout.contains(".TH netproof"));
}

#[test]
fn a_typo_in_a_policy_is_refused_by_every_command() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
                  metadata: {name: db, namespace: shop}\nspec:\n  podSelector: {}\n  ingress:\n  - form: []\n";
    let folder = directory(&[("shop.yaml", SHOP), ("typo.yaml", policy)]);
    let all = folder.path("");
    let ends = ["--from", "shop/web", "--to", "shop/db", "--port", "3306"];
    for arguments in [
        vec!["predict", "-f", &all],
        [vec!["explain", "-f", &all], ends.to_vec()].concat(),
        vec!["diff", "-f", &all, "-f", &all],
        vec!["lint", "-f", &all],
        #[cfg(feature = "lab")]
        vec!["lab", "-f", &all],
    ] {
        let run = netproof(&arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        let told = "typo.yaml:7: NetworkPolicy shop/db: spec.ingress[0].form: is no field here: \
                    did you mean from?";
        assert!(run.stderr.contains(told), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_repository_is_read_with_one_note_of_what_is_no_object() {
    let folder = directory(&[
        ("shop.yaml", SHOP),
        ("kustomization.yaml", "resources: [shop.yaml]\n"),
        ("values.yaml", "replicas: 2\n"),
        ("package.json", "{}"),
        ("empty.yaml", ""),
    ]);
    let run = netproof(&["predict", "-f", &folder.path(""), "--port", "80"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let notes: Vec<&str> = run.stderr.lines().filter(|line| line.contains("skipped")).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("note: no objects of Kubernetes, and skipped: 4 files: "));
    for file in ["kustomization.yaml", "values.yaml", "package.json", "empty.yaml"] {
        assert!(notes[0].contains(file), "{notes:?}");
        assert_eq!(netproof(&["lint", "-f", &folder.path(file)]).code, 2, "{file}");
    }
}
