use std::collections::BTreeSet;

use super::*;
use crate::testing::{World, world};

/// Two namespaces with pods, DNS and all labels known.
const CLUSTER: &str = "
namespaces: {shop: {team: shop}, data: {team: data}, kube-system: {}}
pods:
  shop/web: {labels: {app: web}, ips: [10.1.0.1]}
  shop/was: {labels: {app: was}, ips: [10.1.0.2], ports: [http 8080/TCP, dns 53/UDP]}
  data/db: {labels: {app: db}, ips: [10.2.0.1, 'fd00::1'], ports: [mysql 3306/TCP]}
  kube-system/coredns: {labels: {k8s-app: kube-dns}, ips: [10.3.0.1], ports: [dns 53/UDP, dns-tcp \
  53/TCP]}
  kube-system/proxy: {labels: {app: proxy}, host: true, ips: [172.18.0.2]}
";

fn cluster(text: &str) -> World {
    world(&format!("{CLUSTER}{text}"))
}

fn findings(world: &World) -> Vec<LintFinding> {
    let written: Vec<_> = world.written.iter().map(LintedPolicy::new).collect();
    lint(&world.snapshot, LintContext { written: &written, declared: None })
}

fn codes(world: &World) -> Vec<(Code, String)> {
    findings(world).into_iter().map(|one| (one.code, one.field)).collect()
}

/// The findings in the policy `data/p` with this spec.
fn found(spec: &str) -> Vec<(Code, String)> {
    codes(&cluster(&format!("policies: {{data/p: {spec}}}")))
}

fn of(code: Code, field: &str) -> Vec<(Code, String)> {
    vec![(code, field.to_owned())]
}

/// The findings in the policy of that namespace with these ingress rules.
fn ingress(namespace: &str, rules: &str) -> Vec<(Code, String)> {
    codes(&cluster(&format!(
        "policies: {{{namespace}/p: {{podSelector: {{}}, ingress: {rules}}}}}"
    )))
}

fn egress(rules: &str) -> Vec<(Code, String)> {
    found(&format!("{{podSelector: {{}}, policyTypes: [Egress], egress: {rules}}}"))
}

const TO_DNS: &str = "{ports: [{port: 53, protocol: UDP}, {port: 53}]}";

#[test]
fn codes_are_stable_and_complete() {
    let texts: Vec<String> = (1..=Code::ALL.len()).map(|number| format!("NP{number:03}")).collect();
    assert_eq!(Code::ALL.map(Code::text).to_vec(), texts);
    assert!(Code::ALL.is_sorted());
    for code in Code::ALL {
        assert!(!code.title().ends_with('.') && code.help().ends_with('.'), "{code}");
    }
    let titles: BTreeSet<&str> = Code::ALL.into_iter().map(Code::title).collect();
    assert_eq!(titles.len(), Code::ALL.len());
}

#[test]
fn subjects_that_are_no_pod() {
    let select = |label: &str| found(&format!("{{podSelector: {{matchLabels: {{{label}}}}}}}"));
    assert_eq!(select("app: dbb"), of(Code::NoSubject, "spec.podSelector"));
    assert_eq!(select("app: db"), []);
    let world = cluster("policies: {data/p: {podSelector: {matchLabels: {app: DB}}}}");
    assert_eq!(
        findings(&world)[0].to_string(),
        "warning NP001: data/p: spec.podSelector: No pod of namespace data has the labels app=DB; \
         data/db comes near (db and DB differ in upper and lower case). Write app=db."
    );
}

#[test]
fn a_namespace_without_pods_is_only_noted() {
    let world = cluster("policies: {other/p: {podSelector: {matchLabels: {app: db}}}}");
    assert_eq!(codes(&world), of(Code::NoPods, "spec.podSelector"));
}

#[test]
fn peers_that_are_no_pod() {
    let peer = |peer: &str| ingress("data", &format!("[{{from: [{peer}]}}]"));
    let field = "spec.ingress[0].from[0].podSelector";
    assert_eq!(peer("{podSelector: {matchLabels: {app: cron}}}"), of(Code::NoPeer, field));
    assert_eq!(peer("{podSelector: {matchLabels: {app: Db}}}"), of(Code::AlmostPeer, field));
    assert_eq!(peer("{podSelector: {matchLabels: {app: db}}}"), []);
    assert_eq!(
        peer("{namespaceSelector: {}, podSelector: {matchLabels: {app: wbe}}}"),
        of(Code::AlmostPeer, field)
    );
}

#[test]
fn peers_in_no_namespace() {
    let peer = |label: &str| {
        ingress(
            "data",
            &format!("[{{from: [{{namespaceSelector: {{matchLabels: {{{label}}}}}}}]}}]"),
        )
    };
    let field = "spec.ingress[0].from[0].namespaceSelector";
    assert_eq!(peer("team: ops"), of(Code::NoNamespace, field));
    assert_eq!(peer("team: shopp"), of(Code::AlmostNamespace, field));
    assert_eq!(peer("name: shop"), of(Code::NamespaceName, field));
    assert_eq!(peer("team: shop"), []);
    // A namespace that is selected by its name may be there without being among the objects.
    assert_eq!(peer("kubernetes.io/metadata.name: elsewhere"), []);
}

#[test]
fn unknown_labels_of_a_namespace_are_no_evidence() {
    let world = world(
        "{pods: {a/a: {}}, policies: {a/p: {podSelector: {}, ingress: [{from: [\
         {namespaceSelector: {matchLabels: {team: ops}}}]}]}}}",
    );
    assert_eq!(codes(&world), []);
}

#[test]
fn rules_for_a_direction_that_is_left_out() {
    assert_eq!(
        found("{podSelector: {}, policyTypes: [Ingress], egress: [{}]}"),
        of(Code::InertRules, "spec.egress")
    );
    assert_eq!(
        found("{podSelector: {}, policyTypes: [Egress], ingress: [{}], egress: [{}]}"),
        of(Code::InertRules, "spec.ingress")
    );
    assert_eq!(found("{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}"), []);
    assert_eq!(found("{podSelector: {}, ingress: [{}], egress: [{}]}"), []);
}

#[test]
fn an_empty_egress_without_types() {
    let check = |types: &str| {
        let world = cluster(&format!("policies: {{data/p: {{podSelector: {{}}{types}}}}}"));
        let written = [LintedPolicy::with_empty_egress(&world.written[0])];
        let known = LintContext { written: &written, declared: None };
        lint(&world.snapshot, known).into_iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!(check(""), [Code::EmptyEgress]);
    assert_eq!(check(", policyTypes: [Ingress]"), []);
}

#[test]
fn everyone_beside_narrow_rules() {
    let narrow = "{from: [{podSelector: {}}], ports: [{port: 80}]}";
    let both = |wide: &str| ingress("data", &format!("[{narrow}, {wide}]"));
    assert_eq!(both("{ports: [{port: 80}]}"), of(Code::Everyone, "spec.ingress[1]"));
    assert_eq!(both("{ports: [{port: 443}]}"), []);
    assert_eq!(both("{}"), of(Code::Anything, "spec.ingress[1]"));
}

#[test]
fn exceptions() {
    let block = |except: &str| {
        ingress(
            "data",
            &format!("[{{from: [{{ipBlock: {{cidr: 192.0.0.0/8, except: [{except}]}}}}]}}]"),
        )
    };
    let field = "spec.ingress[0].from[0].ipBlock.except";
    assert_eq!(block("'::ffff:192.0.0.0/104'"), of(Code::ExceptAll, &format!("{field}[0]")));
    assert_eq!(
        block("192.168.0.0/16, 192.168.1.0/24"),
        of(Code::ExceptTwice, &format!("{field}[1]"))
    );
    assert_eq!(block("192.168.0.0/16, 192.169.0.0/16"), []);
}

#[test]
fn an_exception_that_another_element_admits() {
    let two = |other: &str| {
        ingress(
            "data",
            &format!(
                "[{{from: [{{ipBlock: {{cidr: 192.0.0.0/8, except: [192.168.0.0/16]}}}}, \
                 {{ipBlock: {{cidr: {other}}}}}]}}]"
            ),
        )
    };
    let field = "spec.ingress[0].from[0].ipBlock.except[0]";
    assert_eq!(two("192.0.0.0/8, except: [192.1.0.0/16]").len(), 2);
    assert_eq!(two("192.168.0.0/15"), of(Code::ExceptReadmitted, field));
    // A block that admits only a part of the hole is meant.
    assert_eq!(two("192.168.5.0/24"), []);
}

#[test]
fn a_block_over_pods() {
    let block =
        |cidr: &str| ingress("data", &format!("[{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]"));
    let field = "spec.ingress[0].from[0].ipBlock.cidr";
    assert_eq!(block("10.1.0.0/16"), of(Code::BlockOfPods, field));
    assert_eq!(block("10.1.0.0/16, except: [10.1.0.0/24]"), []);
    assert_eq!(block("10.1.0.0/16, except: [10.1.0.1/32]"), of(Code::BlockOfPods, field));
    // The block contains the address of a node.
    assert_eq!(block("172.18.0.0/16"), []);
}

#[test]
fn one_family_of_two() {
    let all = |namespace: &str, more: &str| {
        ingress(namespace, &format!("[{{from: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}{more}]}}]"))
    };
    let field = "spec.ingress[0].from[0].ipBlock.cidr";
    assert_eq!(all("data", ""), of(Code::OneFamily, field));
    assert_eq!(all("data", ", {ipBlock: {cidr: '::/0'}}"), []);
    assert_eq!(all("shop", ""), []);
}

#[test]
fn names_of_ports() {
    let port = |port: &str| ingress("data", &format!("[{{ports: [{{{port}}}]}}]"));
    let field = "spec.ingress[0].ports[0].port";
    assert_eq!(port("port: mysq"), of(Code::UndeclaredName, field));
    assert_eq!(port("port: mysql, protocol: UDP"), of(Code::NameOfOtherProtocol, field));
    assert_eq!(port("port: mysql"), []);
}

#[test]
fn names_of_ports_of_peers() {
    let to = |name: &str, app: &str| {
        egress(&format!(
            "[{TO_DNS}, {{to: [{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: \
             {app}}}}}}}], \
             ports: [{{port: {name}}}]}}]"
        ))
    };
    assert_eq!(to("mysql", "was"), of(Code::UndeclaredName, "spec.egress[1].ports[0].port"));
    assert_eq!(to("http", "was"), []);
}

#[test]
fn numbers_of_ports_only_where_declarations_are_known() {
    let world = cluster("policies: {data/p: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}");
    let lint_with = |numbers: &[u16]| {
        let ports = |number: &u16| Port { number: *number, protocol: crate::flow::Protocol::Tcp };
        let declared = vec![numbers.iter().map(ports).collect(); world.snapshot.pods.len()];
        let known = LintContext { written: &[], declared: Some(&declared) };
        lint(&world.snapshot, known).into_iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!(lint_with(&[3306]), [Code::UndeclaredNumber]);
    assert_eq!(lint_with(&[3306, 80]), []);
    assert_eq!(lint_with(&[]), []);
    assert_eq!(codes(&world), []);
}

#[test]
fn egress_without_dns() {
    let to_shop = "{to: [{namespaceSelector: {matchLabels: {team: shop}}}], ports: [{port: 8080}]}";
    assert_eq!(egress("[]"), of(Code::NoEgressNorDns, "spec.egress"));
    assert_eq!(egress(&format!("[{to_shop}]")), of(Code::NoDns, "spec.egress"));
    assert_eq!(egress(&format!("[{to_shop}, {TO_DNS}]")), []);
    assert_eq!(
        egress(&format!("[{to_shop}, {{ports: [{{port: 53, protocol: UDP}}]}}]")),
        of(Code::NoDnsByTcp, "spec.egress")
    );
    assert_eq!(egress("[{}]"), []);
}

#[test]
fn dns_may_be_in_another_policy() {
    let with = |subjects: &str| {
        codes(&cluster(&format!(
            "policies: {{data/deny: {{podSelector: {{}}, policyTypes: [Egress]}}, \
             data/dns: {{podSelector: {subjects}, policyTypes: [Egress], egress: [{TO_DNS}]}}}}"
        )))
    };
    assert_eq!(with("{}"), []);
    assert!(
        with("{matchLabels: {app: was}}")
            .contains(&(Code::NoEgressNorDns, "spec.egress".to_owned()))
    );
}

#[test]
fn rules_and_policies_twice() {
    let rule = "{from: [{podSelector: {}}]}";
    assert_eq!(
        ingress("data", &format!("[{rule}, {rule}]")),
        of(Code::SameRule, "spec.ingress[1]")
    );
    let two = |other: &str| {
        codes(&cluster(&format!(
            "policies: {{data/a: {{podSelector: {{}}, ingress: [{rule}]}}, \
             data/b: {{podSelector: {{}}, ingress: [{other}]}}}}"
        )))
    };
    assert_eq!(two(rule), of(Code::SamePolicy, "spec"));
    assert_eq!(two("{from: [{podSelector: {matchLabels: {app: db}}}]}"), []);
}

#[test]
fn redundant_rules() {
    let beside = |other: &str| {
        ingress(
            "data",
            &format!("[{{from: [{{podSelector: {{}}}}], ports: [{{port: 80}}]}}, {other}]"),
        )
    };
    let db = "from: [{podSelector: {matchLabels: {app: db}}}]";
    assert_eq!(
        beside(&format!("{{{db}, ports: [{{port: 80}}]}}")),
        of(Code::Redundant, "spec.ingress[1]")
    );
    assert_eq!(beside(&format!("{{{db}, ports: [{{port: 81}}]}}")), []);
}

#[test]
fn an_or_that_was_meant_as_and() {
    let or = |app: &str| {
        ingress(
            "data",
            &format!(
                "[{{from: [{{namespaceSelector: {{matchLabels: {{team: shop}}}}}}, \
                 {{podSelector: {{matchLabels: {{app: {app}}}}}}}]}}]"
            ),
        )
    };
    assert_eq!(or("web"), of(Code::OrMeantAsAnd, "spec.ingress[0].from[1].podSelector"));
    assert_eq!(or("db"), []);
}

#[test]
fn peers_that_may_not_send() {
    let with = |port: u16| {
        codes(&cluster(&format!(
            "policies: {{data/db: {{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: \
             {{}}, \
             podSelector: {{matchLabels: {{app: web}}}}}}], ports: [{{port: 3306}}]}}]}}, \
             shop/web: {{podSelector: {{}}, policyTypes: [Egress], egress: [{TO_DNS}, {{ports: \
             [{{port: {port}}}]}}]}}}}"
        )))
    };
    assert_eq!(with(80), of(Code::OneSided, "spec.ingress[0].from[0]"));
    assert_eq!(with(3306), []);
}

#[test]
fn host_pods_as_subjects() {
    let select = |app: &str| {
        codes(&cluster(&format!(
            "policies: {{kube-system/p: {{podSelector: {{matchLabels: {{{app}}}}}}}}}"
        )))
    };
    assert_eq!(select("app: proxy"), of(Code::HostSubject, "spec.podSelector"));
    assert_eq!(select("k8s-app: kube-dns"), []);
}

/// The findings in a cluster policy `p` of this tier, beside `o` of priority 1 that denies what the
/// shop sends.
fn tier(tier: &str, priority: u16, rules: &str) -> Vec<(Code, String)> {
    codes(&cluster(&format!(
        "cluster: {{o: {{tier: {tier}, priority: 1, subject: {{namespaces: {{}}}}, \
         ingress: [{{action: Deny, from: [{{namespaces: {{matchLabels: {{team: shop}}}}}}]}}]}}, \
         p: {{tier: {tier}, priority: {priority}, subject: {{namespaces: {{}}}}, ingress: \
         {rules}}}}}"
    )))
}

#[test]
fn equal_priorities_that_disagree() {
    let accept = |team: &str| {
        format!("[{{action: Accept, from: [{{namespaces: {{matchLabels: {{team: {team}}}}}}}]}}]")
    };
    assert_eq!(tier("Admin", 1, &accept("shop")), of(Code::EqualPriority, "spec.priority"));
    assert_eq!(tier("Admin", 2, &accept("shop")), []);
    assert_eq!(tier("Admin", 1, &accept("data")), []);
}

#[test]
fn rules_of_the_cluster_that_are_never_reached() {
    let all = "{action: Accept, from: [{namespaces: {}}]}";
    let some = "{action: Deny, from: [{namespaces: {matchLabels: {team: shop}}}]}";
    assert_eq!(
        tier("Admin", 2, &format!("[{all}, {some}]")),
        of(Code::Unreached, "spec.ingress[1]")
    );
    assert_eq!(tier("Admin", 2, &format!("[{some}, {all}]")), []);
}

#[test]
fn pass_in_baseline() {
    let pass = "[{action: Pass, from: [{namespaces: {matchLabels: {team: data}}}]}]";
    assert_eq!(tier("Baseline", 2, pass), of(Code::PassInBaseline, "spec.ingress[0].action"));
    assert_eq!(tier("Admin", 2, pass), []);
}

#[test]
fn subjects_and_peers_of_cluster_policies() {
    let with = |subject: &str, peer: &str| {
        codes(&cluster(&format!(
            "cluster: {{p: {{tier: Admin, priority: 1, subject: {{namespaces: {{matchLabels: \
             {subject}}}}}, \
             ingress: [{{action: Deny, from: [{{namespaces: {{matchLabels: {peer}}}}}]}}]}}}}"
        )))
    };
    assert_eq!(with("{team: nobody}", "{team: shop}"), of(Code::NoSubject, "spec.subject"));
    assert_eq!(
        with("{team: data}", "{team: shpo}"),
        of(Code::AlmostNamespace, "spec.ingress[0].from[0]")
    );
    assert_eq!(with("{team: data}", "{team: shop}"), []);
}

/// What the Kubernetes documentation recommends.
#[test]
fn recipes_are_no_mistakes() {
    for recipe in [
        "{podSelector: {}, policyTypes: [Ingress]}",
        "{podSelector: {}, ingress: [{}], policyTypes: [Ingress]}",
        "{podSelector: {}, egress: [{}], policyTypes: [Egress]}",
        "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}",
        "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: \
         {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: \
         kube-dns}}}], \
         ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}]}",
        "{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress], \
         ingress: [{from: [{ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}}, \
         {namespaceSelector: {matchLabels: {team: shop}}}, {podSelector: {matchLabels: {app: \
         db}}}], \
         ports: [{protocol: TCP, port: 6379}]}], \
         egress: [{to: [{ipBlock: {cidr: 192.168.0.0/24}}], ports: [{protocol: TCP, port: 5978}]}, \
         {ports: [{protocol: UDP, port: 53}, {port: 53}]}]}",
        "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: \
         192.168.0.0/24}}], \
         ports: [{protocol: TCP, port: 32000, endPort: 32768}]}, {ports: [{protocol: UDP, port: \
         53}, {port: 53}]}]}",
        "{podSelector: {}, ingress: [{ports: [{protocol: SCTP, port: 7777}]}]}",
        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: \
         [{key: team, operator: In, values: [shop, frontend]}]}}]}]}",
    ] {
        assert_eq!(found(recipe), [], "{recipe}");
        // The recipe is checked alone too, without the rest of the cluster.
        let alone = world(&format!("policies: {{data/p: {recipe}}}"));
        assert_eq!(codes(&alone), of(Code::NoPods, "spec.podSelector"), "{recipe}");
    }
}

#[test]
fn findings_are_in_order_and_once() {
    let world = cluster(
        "policies: {shop/b: {podSelector: {matchLabels: {app: x}}}, \
         shop/a: {podSelector: {matchLabels: {app: y}}, policyTypes: [Ingress], egress: [{}]}}",
    );
    let mut shuffled = world.snapshot.clone();
    shuffled.policies.reverse();
    shuffled.pods.reverse();
    let written: Vec<_> = world.written.iter().rev().map(LintedPolicy::new).collect();
    let known = LintContext { written: &written, declared: None };
    let found = findings(&world);
    assert!(found.is_sorted() && found.len() == 3);
    assert_eq!(found, lint(&shuffled, known));
}

/// The policies of the example, which open no DNS on purpose, as they say.
#[test]
fn the_example_is_no_mistake() {
    let mut world = world(
        "
namespaces: {shop: {}, ops: {team: ops}}
pods:
  shop/web: {labels: {app: web}, ports: [http 8080/TCP]}
  shop/was: {labels: {app: was}, ports: [http 8080/TCP, metrics 9090/TCP]}
  shop/db: {labels: {app: db}, ports: [mysql 3306/TCP, metrics 9104/TCP]}
",
    );
    let text = include_str!("../../../examples/three-tier/policies.yaml");
    let read = |text: &str| serde_saphyr::from_str::<NetworkPolicy>(text).expect("a policy");
    world.written = text.split("\n---\n").map(read).collect();
    let compile = crate::policy::network_policy::compile;
    world.snapshot.policies =
        world.written.iter().map(|one| compile(one).expect("valid")).collect();
    let found = findings(&world);
    assert!(found.iter().all(|one| one.code.severity() == Severity::Note), "{found:?}");
    let noted: BTreeSet<Code> = found.iter().map(|one| one.code).collect();
    assert_eq!(noted, BTreeSet::from([Code::NoPeer, Code::NoDns]));
}
