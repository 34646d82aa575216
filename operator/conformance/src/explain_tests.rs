use super::*;
use crate::testing::{World, world};

const SHOP: &str = "
namespaces: {shop: {team: shop}, data: {team: data}}
pods:
  shop/web: {labels: {app: web}, node: n1}
  shop/was: {labels: {app: was}}
  data/db: {labels: {app: db}, ports: [mysql 3306/TCP], initPorts: [warm 3307/TCP]}
nodes: {n1: [172.18.0.2]}
";

fn shop(policies: &str) -> World {
    world(&format!("{SHOP}{policies}"))
}

/// A cluster in which `data/db` has a policy with these ingress rules.
fn db(ingress: &str) -> World {
    shop(&format!("policies: {{data/db: {{podSelector: {{}}, ingress: {ingress}}}}}"))
}

/// The last sentence about a flow from `shop/web` to `data/db`.
fn last(world: &World, port: &str) -> String {
    let flow = world.flow("shop/web", "data/db", port);
    explain(&world.snapshot, &flow).sentences().pop().expect("some sentence")
}

/// The sentence about the only element of the only rule of `data/db`.
fn said(ingress: &str, port: &str) -> String {
    let last = last(&db(ingress), port);
    let (_, said) = last.split_once("; ").unwrap_or_else(|| panic!("{last}"));
    said.to_owned()
}

#[test]
fn a_denied_flow_is_told_rule_by_rule() {
    let world =
        db("[{ports: [{port: 80}]}, {from: [{namespaceSelector: {matchLabels: {team: shop}}, \
                    podSelector: {matchLabels: {app: was}}}], ports: [{port: 3306}]}]");
    let flow = world.flow("shop/web", "data/db", "3306/TCP");
    assert_eq!(
        explain(&world.snapshot, &flow).to_string(),
        "shop/web (app=web; namespace team=shop; 10.255.0.3; node n1) to data/db (app=db; \
         namespace team=data; 10.255.0.1) on 3306/TCP: Deny.
Egress of shop/web: no NetworkPolicy isolates the pod, so that nothing is kept in.
Ingress of data/db: data/db isolates the pod, and no rule lets it through.
  Rule 1 of data/db (spec.ingress[0]) admits everyone on 80/TCP; 3306/TCP is another port.
  Rule 2 of data/db (spec.ingress[1]) admits pods with app=was in namespaces with team=shop on \
  3306/TCP; shop/web has app=web (namespaceSelector and podSelector are one element, so that both \
  have to match; as two elements, either would do).
"
    );
}

#[test]
fn an_allowed_flow_names_the_rule_and_its_place() {
    let world =
        db("[{from: [{podSelector: {}}, {namespaceSelector: {}}], ports: [{port: mysql}]}]");
    assert_eq!(
        last(&world, "3306/TCP"),
        "  Rule 1 of data/db (spec.ingress[0].from[1], ports[0]) lets it through: it admits all \
         pods \
         in namespace data or all pods in all namespaces on the port named mysql (TCP)."
    );
}

#[test]
fn near_labels_are_named() {
    let with = |selector: &str| {
        said(
            &format!("[{{from: [{{namespaceSelector: {{}}, podSelector: {selector}}}]}}]"),
            "1/TCP",
        )
    };
    for (selector, near) in [
        ("{matchLabels: {app: Web}}", "web and Web differ in upper and lower case"),
        ("{matchLabels: {app: webb}}", "web and webb differ in one letter"),
        ("{matchLabels: {App: web}}", "but app, which differs from App in upper and lower case"),
        ("{matchLabels: {appp: web}}", "but app, which differs from appp in one letter"),
        ("{matchLabels: {name: web}}", "but app=web"),
    ] {
        let said = with(selector);
        assert!(said.contains(near), "{said}");
    }
    assert!(!with("{matchLabels: {app: batch}}").contains("differ"));
}

#[test]
fn the_label_name_of_a_namespace_is_told_from_its_own() {
    assert_eq!(
        said("[{from: [{namespaceSelector: {matchLabels: {name: shop}}}]}]", "1/TCP"),
        "namespace shop has no label name (but kubernetes.io/metadata.name=shop)."
    );
}

#[test]
fn a_pod_selector_alone_means_the_own_namespace() {
    assert_eq!(
        said("[{from: [{podSelector: {matchLabels: {app: web}}}]}]", "1/TCP"),
        "shop/web is in namespace shop, and without a namespaceSelector only pods of data are \
         meant."
    );
}

#[test]
fn an_and_that_two_elements_would_not_match_is_no_near_miss() {
    let both = |team: &str, app: &str| {
        said(
            &format!(
                "[{{from: [{{namespaceSelector: {{matchLabels: {{team: {team}}}}}, \
                 podSelector: {{matchLabels: {{app: {app}}}}}}}]}}]"
            ),
            "1/TCP",
        )
    };
    assert!(both("shop", "batch").contains("as two elements"));
    // As an element of its own, the podSelector would mean pods of data.
    assert!(!both("ops", "web").contains("as two elements"));
    assert!(!both("ops", "batch").contains("as two elements"));
}

#[test]
fn ports_say_how_near_they_come() {
    for (ports, near) in [
        ("{protocol: UDP, port: 3306}", "the port fits but not its protocol, TCP"),
        ("{port: 3300, endPort: 3305}", "3306/TCP is just beyond the range, which ends at 3305"),
        ("{port: 3305}", "3306/TCP is another port"),
        ("{port: mysq}", "declares no port of that name, but mysql"),
        ("{port: http}", "declares no port of that name (it declares mysql (3306/TCP) and warm"),
        ("{port: warm}", "declares it as warm (3307/TCP), which is not 3306/TCP"),
        ("{protocol: UDP, port: mysql}", "the port fits but not its protocol"),
    ] {
        let said = said(&format!("[{{ports: [{ports}]}}]"), "3306/TCP");
        assert!(said.contains(near), "{said}");
    }
}

#[test]
fn a_name_on_an_init_container_is_open_and_each_answer_is_told() {
    assert_eq!(
        last(&db("[{ports: [{port: warm}]}]"), "3307/TCP"),
        "Open: the API leaves open whether the ports of init containers resolve by name. If it \
         does, the flow is allowed; if the name does not resolve, the flow is denied."
    );
}

#[test]
fn the_port_of_a_service_is_known_if_services_are() {
    let world = db("[{ports: [{port: 80}]}]");
    let flow = world.flow("shop/web", "data/db", "3306/TCP");
    let service = ObjectRef { namespace: "data".into(), name: "mysql".into() };
    let port = Port { number: 80, ..flow.port };
    let target = RouteTarget::Named("mysql".into());
    let services = [ServiceRoute { service, pods: Selector::everything(), port, target }];
    let background = Background { services: &services, ..Background::default() };
    let said = explain_with(&world.snapshot, &flow, background).to_string();
    assert!(said.contains("that is the port of Service data/mysql"), "{said}");
}

#[test]
fn blocks_say_how_near_they_come() {
    for (block, near) in [
        ("{cidr: 10.0.0.0/8, except: [10.255.0.0/24]}", "is in 10.255.0.0/24, which its except"),
        ("{cidr: 10.255.0.0/32}", "is outside, though 10.255.0.0/30 would have it"),
        ("{cidr: 192.168.0.0/16}", "shop/web is outside."),
        ("{cidr: 'fd00::/8'}", "the other IP family"),
    ] {
        let said = said(&format!("[{{from: [{{ipBlock: {block}}}]}}]"), "1/TCP");
        assert!(said.contains(near), "{said}");
    }
}

#[test]
fn a_rule_on_the_other_side_only_is_pointed_out() {
    let world = shop(
        "policies: {data/db: {podSelector: {}, ingress: [{}]}, \
         shop/web: {podSelector: {}, policyTypes: [Egress]}}",
    );
    assert_eq!(
        last(&world, "1/TCP"),
        "Both sides have to let it through: ingress of data/db does, and egress of shop/web needs \
         a \
         rule for it too."
    );
}

#[test]
fn rules_that_policy_types_makes_inert_are_pointed_out() {
    let world =
        shop("policies: {data/db: {podSelector: {}, policyTypes: [Egress], ingress: [{}]}}");
    let written: Vec<_> = world.written.iter().collect();
    let flow = world.flow("shop/web", "data/db", "1/TCP");
    let background = Background { written: &written, ..Background::default() };
    assert_eq!(
        explain_with(&world.snapshot, &flow, background).sentences().pop().as_deref(),
        Some(
            "data/db selects the pod and has rules for ingress, but its policyTypes leaves Ingress \
             out, so that they do nothing."
        )
    );
}

#[test]
fn tiers_are_told_in_their_order() {
    let world = shop(
        "
cluster:
  late: {tier: Admin, priority: 20, subject: {namespaces: {}}, ingress: [{action: Deny, from: \
  [{namespaces: {}}]}]}
  early: {tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [
    {name: mysql, action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: \
    {number: 3306}}}]},
    {action: Pass, from: [{namespaces: {matchLabels: {team: shop}}}]}]}
  base: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: \
  [{namespaces: {}}]}]}
",
    );
    let flow = world.flow("shop/web", "data/db", "80/TCP");
    let told = explain(&world.snapshot, &flow).sentences();
    assert_eq!(
        told[2..],
        [
            "Ingress of data/db: ClusterNetworkPolicy early (Admin tier, priority 10) passes it on \
             to the next tier.",
            "  Rule 1 \"mysql\" (spec.ingress[0]) accepts all pods in all namespaces on 3306/TCP; \
             80/TCP is another port.",
            "  Rule 2 (spec.ingress[1].from[0]) matches: it passes on all pods in namespaces with \
             team=shop on every port.",
            "Ingress of data/db: no NetworkPolicy isolates the pod.",
            "Ingress of data/db: ClusterNetworkPolicy base (Baseline tier, priority 1) denies it.",
            "  Rule 1 (spec.ingress[0].from[0]) matches: it denies all pods in all namespaces on \
             every port.",
        ],
    );
}

#[test]
fn the_ends_that_no_policy_can_have_say_so() {
    let world = db("[]");
    let flow = world.flow("172.18.0.2", "shop/web", "1/TCP");
    let told = explain(&world.snapshot, &flow).sentences();
    assert_eq!(
        told[1..],
        [
            "Egress of 172.18.0.2: it is no pod, so that no policy applies to it.",
            "Ingress of shop/web: 172.18.0.2 is the node that the pod runs on, which is always let \
             in."
        ]
    );
}

#[test]
fn ends_without_addresses_are_not_asked() {
    let world = world("pods: {a/a: {ips: []}, a/b: {}}");
    let told = explain(&world.snapshot, &world.flow("a/a", "a/b", "1/TCP"));
    assert_eq!(told.way, Way::NotAsked(Unspecified::NoAddress));
    assert_eq!(told.sentences().len(), 1);
}
