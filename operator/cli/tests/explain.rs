//! `netproof explain` and `netproof lint`, tested by running their binary.

mod cli;

use cli::{Run, netproof, netproof_on};

const SHOP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: Web}}
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
metadata: {name: postgres, namespace: shop}
spec: {selector: {app: db}, ports: [{port: 33, targetPort: sql}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 3306}]}]
  egress: [{to: [{podSelector: {}}]}]
";

/// Runs a command on one file, without notes.
fn quietly(command: &str, file: &str, more: &[&str]) -> Run {
    netproof_on(command, &[("shop.yaml", file)], &[&["-q"], more].concat())
}

#[test]
fn a_narrow_miss_is_named() {
    let explain = |to| quietly("explain", SHOP, &["--from", "shop/web", "--to", to]);
    let run = explain("shop/db");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("shop/db isolates the pod"), "{}", run.stdout);
    assert!(
        run.stdout.contains("spec.ingress[0]") && run.stdout.contains("app=Web"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("case"), "{}", run.stdout);
    // A flow to a Service is one to its pods, on the target port.
    let by_service = explain("svc/shop/postgres");
    assert_eq!((by_service.code, by_service.stdout), (1, run.stdout));
    assert_eq!(explain("shop/web").code, 0);
    assert_eq!(explain("shop/nobody").code, 2);
    assert_eq!(explain("192.0.2.1").code, 2, "an address declares no ports");
}

#[test]
fn an_explanation_can_be_read_by_scripts() {
    let ends = ["--from", "shop/db", "--to", "shop/db", "--port", "3306", "-o", "json"];
    let run = quietly("explain", SHOP, &ends);
    assert_eq!(run.code, 2);
    let told = run.json();
    assert_eq!(told[0]["expected"], "Unspecified");
    assert_eq!(told[0]["reason"], "ToItself");
    assert!(told[0]["sentences"].as_array().unwrap().len() > 2);
}

#[test]
fn findings_have_a_place_a_code_and_a_fix() {
    let run = quietly("lint", SHOP, &[]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stdout.contains("shop.yaml:") && run.stdout.contains("Fix: "), "{}", run.stdout);
    let json = quietly("lint", SHOP, &["-o", "json"]).json();
    let findings = json.as_array().unwrap();
    assert_eq!(findings.len(), run.stdout.lines().count());
    let about = |field: &str| findings.iter().any(|one| one["field"].as_str() == Some(field));
    assert!(about("spec.ingress[0].from[0].podSelector"), "the label differs in case: {json}");
    assert!(about("spec.egress"), "its rules are inert: {json}");
}

#[test]
fn an_empty_egress_is_found_and_an_absent_one_is_not() {
    for (egress, code) in [(", egress: []", 1), (", egress: null", 0), ("", 0)] {
        let (pods, _) = SHOP.split_once("apiVersion: networking").unwrap();
        let policy = format!(
            "{pods}apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: db, namespace: shop}}
spec: {{podSelector: {{matchLabels: {{app: db}}}}{egress}}}
"
        );
        let run = quietly("lint", &policy, &[]);
        assert_eq!(run.code, code, "{egress:?}: {}", run.stdout);
        assert_eq!(run.stdout.contains("NP009"), code == 1, "{egress:?}: {}", run.stdout);
    }
}

#[test]
fn sarif_is_what_code_hosts_read() {
    let sarif = quietly("lint", SHOP, &["-o", "sarif"]).json();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["id"].is_string() && rule["help"]["text"].is_string()));
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("file:///") && uri.ends_with("shop.yaml"), "{uri}");
        assert!(place["region"]["startLine"].as_u64() > Some(0));
    }
}

#[test]
fn the_example_has_nothing_to_warn_of() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/three-tier");
    let run = netproof(&["lint", "-f", example]);
    assert_eq!(run.code, 0, "{}", run.stdout);
}
