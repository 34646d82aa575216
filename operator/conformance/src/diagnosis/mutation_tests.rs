use std::collections::BTreeMap;

use super::*;
use crate::{
    compiled::{Answer, Compiled},
    evaluate::expect,
    select::Labels,
    testing::{World, world},
};

/// Holds a fault against lines of `from > to port`, each with what the policies say and what a
/// network with the fault does: `.` passes, `X` does not, `?` is open.
fn check(name: &str, text: &str, lines: &str) {
    check_with(name, &world(text), &Past::default(), lines);
}

fn check_with(name: &str, world: &World, past: &Past, lines: &str) {
    let mutation = Mutation::named(name).expect("a mutation");
    let mutated = mutation.apply(&world.snapshot, past);
    let compiled = Compiled::new(mutated.clone());
    let mut flips = 0;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [from, ">", to, port, truth, faulty] = words[..] else { panic!("{line}") };
        let flow = world.flow(from, to, port);
        let said =
            [&world.snapshot, &mutated].map(|one| mark_of(Answer::from(&expect(one, &flow))));
        assert_eq!(said, [truth, faulty], "{name}: {line}");
        assert_eq!(mark_of(compiled.answer(&flow)), faulty, "{name}, compiled: {line}");
        flips += usize::from(truth != faulty);
    }
    assert!(flips > 0, "{name} changes nothing");
}

fn mark_of(answer: Answer) -> &'static str {
    match answer {
        Answer::Allow => ".",
        Answer::Deny => "X",
        Answer::Unspecified(_) => "?",
    }
}

const PAIR: &str = "
pods:
  x/a: {labels: {app: a}, node: n1, ports: [http 80/TCP]}
  x/b: {labels: {app: b}, node: n2, ports: [http 81/TCP]}
  x/c: {labels: {app: c}, node: n1}
  y/d: {labels: {app: d}, node: n2}
namespaces: {x: {team: x}, y: {team: y}}
policies:
";

fn with(policies: &str) -> String {
    format!("{PAIR}{policies}")
}

#[test]
fn directions_are_ignored() {
    let policies = with(
        "
  x/out: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress]}
  x/in: {podSelector: {matchLabels: {app: b}}}",
    );
    let flows = [["x/a", "x/c"], ["x/c", "x/b"], ["x/a", "x/b"], ["x/c", "x/a"]];
    for (name, answers) in [
        ("ignores-all", ["X .", "X .", "X .", ". ."]),
        ("ignores-ingress", ["X X", "X .", "X X", ". ."]),
        ("ignores-egress", ["X .", "X X", "X X", ". ."]),
        ("blocks-all", ["X X", "X X", "X X", ". X"]),
    ] {
        let lines = flows.iter().zip(answers);
        let lines = lines.map(|([from, to], answer)| format!("{from} > {to} 80/TCP {answer}"));
        check(name, &policies, &lines.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn blocks_all_blocks_addresses_and_what_policies_of_the_cluster_accept() {
    let world = "
pods: {x/a: {}, x/b: {}}
admin:
  open: {priority: 1, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: \
  {}}]}]}";
    check("blocks-all", world, "x/a > x/b 80/TCP . X\nx/a > 192.0.2.1 80/TCP . X");
}

#[test]
fn egress_that_is_only_implied_is_missed() {
    check(
        "egress-needs-policy-types",
        &with(
            "
  x/implied: {podSelector: {matchLabels: {app: a}}, egress: [{to: [{podSelector: {matchLabels: \
  {app: b}}}]}]}
  x/said: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: []}",
        ),
        "x/a > x/b 80/TCP . .\nx/a > x/c 80/TCP X .\nx/b > x/c 80/TCP X X\nx/c > x/a 80/TCP X X",
    );
}

#[test]
fn an_empty_list_admits() {
    check(
        "empty-list-allows",
        &with(
            "
  x/nothing: {podSelector: {matchLabels: {app: a}}}
  x/some: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchLabels: \
  {app: a}}}]}]}",
        ),
        "x/b > x/a 80/TCP X .\nx/b > x/a 9/UDP X .\nx/c > x/b 80/TCP X X",
    );
}

#[test]
fn a_rule_that_a_fault_empties_is_still_a_rule() {
    let world = world(&with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}",
    ));
    let nothing = Past::default();
    let both = ["ignores-ip-block", "empty-list-allows"].map(|name| Mutation::named(name).unwrap());
    let mutated = both.iter().fold(world.snapshot.clone(), |one, next| next.apply(&one, &nothing));
    let flow = world.flow("x/b", "x/a", "80/TCP");
    assert_eq!(mark_of(Answer::from(&expect(&mutated, &flow))), "X");
}

#[test]
fn blocks_of_addresses_are_misread() {
    let policies = "
pods:
  x/a: {labels: {app: a}, ips: [10.0.0.1]}
  x/b: {labels: {app: b}, ips: [10.0.0.2]}
  x/c: {labels: {app: c}, ips: [10.0.1.3]}
policies:
  x/a:
    podSelector: {matchLabels: {app: a}}
    ingress:
    - from: [{ipBlock: {cidr: 10.0.0.0/16, except: [10.0.1.0/24]}}]
    - from: [{podSelector: {matchLabels: {app: c}}}]
      ports: [{port: 81}]
  x/b: {podSelector: {matchLabels: {app: b}}, ingress: [{}]}";
    check(
        "ignores-ip-block",
        policies,
        "
x/b > x/a 80/TCP . X
x/c > x/a 81/TCP . .
10.0.9.9 > x/a 80/TCP . X",
    );
    check(
        "ignores-except",
        policies,
        "
x/b > x/a 80/TCP . .
x/c > x/a 80/TCP X .
10.0.1.9 > x/a 80/TCP X .
10.1.0.9 > x/a 80/TCP X X",
    );
    check(
        "spreads-except",
        policies,
        "
x/b > x/a 80/TCP . .
x/c > x/a 81/TCP . X
x/c > x/b 81/TCP . .
10.0.1.9 > x/a 80/TCP X X",
    );
}

#[test]
fn an_exception_spreads_to_all_policies_of_its_subjects_and_no_further() {
    check(
        "spreads-except",
        "
pods:
  x/both: {labels: {app: both, open: 'yes'}, ips: [10.0.0.1]}
  x/open: {labels: {open: 'yes'}, ips: [10.0.0.2]}
  x/c: {labels: {app: c}, ips: [10.0.1.3, 'fd00::3']}
  x/six: {labels: {app: both}, ips: ['fd00::1', 10.0.0.4]}
policies:
  x/open: {podSelector: {matchLabels: {open: 'yes'}}, ingress: [{}]}
  x/to: {podSelector: {matchLabels: {app: c}}, policyTypes: [Egress], egress: [{}]}
  x/holes:
    podSelector: {matchLabels: {app: both}}
    policyTypes: [Ingress, Egress]
    ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.1.0/24]}}]}, {from: \
    [{podSelector: {}}]}]
    egress: [{}]",
        "
x/c > x/both 80/TCP . X
x/c > x/open 80/TCP . .
x/c > x/six 80/TCP . .
x/both > x/c 80/TCP . .
x/open > x/both 80/TCP . .
10.0.1.7 > x/both 80/TCP . X
192.0.2.1 > x/both 80/TCP . .
fd00::9 > x/six 80/TCP X X",
    );
}

#[test]
fn ranges_and_names_of_ports_are_misread() {
    let ranges = with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 80, endPort: 82}, {port: \
  90}]}, {ports: [{port: 99}]}]}",
    );
    check(
        "end-port-first-only",
        &ranges,
        "
x/b > x/a 80/TCP . .
x/b > x/a 82/TCP . X
x/b > x/a 90/TCP . .",
    );
    check(
        "drops-rules-with-end-port",
        &ranges,
        "
x/b > x/a 80/TCP . X
x/b > x/a 90/TCP . X
x/b > x/a 99/TCP . .",
    );
    let names = with(
        "
  x/all: {podSelector: {}, ingress: [{ports: [{port: http}, {port: 90}]}, {ports: [{port: 99}]}]}",
    );
    check(
        "drops-rules-with-named-port",
        &names,
        "
x/b > x/a 80/TCP . X
x/b > x/a 90/TCP . X
x/b > x/a 99/TCP . .",
    );
    check(
        "named-port-of-first-pod",
        &names,
        "
x/b > x/a 80/TCP . .
x/a > x/b 81/TCP . X
x/a > x/b 80/TCP X .
x/a > x/c 80/TCP X .
x/a > x/c 81/TCP X X",
    );
}

#[test]
fn the_first_pod_decides_for_egress_too_but_not_towards_addresses() {
    check(
        "named-port-of-first-pod",
        &with(
            "
  x/a: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{ports: [{port: \
  http}, {port: dns, protocol: UDP}]}]}",
        ),
        "
x/a > x/b 81/TCP . X
x/a > x/b 80/TCP X .
x/a > x/b 80/UDP X X
x/a > 192.0.2.1 80/TCP ? ?
x/a > 192.0.2.1 80/SCTP X X",
    );
}

#[test]
fn ports_and_their_protocols_are_ignored() {
    let policies = with(
        "
  x/all: {podSelector: {}, ingress: [{ports: [{port: http}, {port: 90, protocol: UDP}]}]}",
    );
    check(
        "ignores-protocol",
        &policies,
        "
x/b > x/a 80/TCP . .
x/b > x/a 80/UDP X .
x/a > x/b 80/UDP X X
x/b > x/a 90/SCTP X .
x/b > x/a 91/UDP X X",
    );
    check("ignores-ports", &policies, "x/b > x/a 7/SCTP X .\nx/b > x/a 80/TCP . .");
    let protocol = with(
        "
  x/all: {podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}",
    );
    check("ignores-protocol", &protocol, "x/b > x/a 80/TCP X .\nx/b > x/a 80/UDP . .");
}

#[test]
fn selectors_of_a_peer_and_peers_of_a_rule_are_added_up_wrongly() {
    let and = with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: \
  {team: y}}, podSelector: {matchLabels: {app: b}}}]}]}
  y/d: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]}",
    );
    check(
        "reads-and-as-or",
        &and,
        "
x/b > x/a 80/TCP X .
y/d > x/a 80/TCP X .
x/c > x/a 80/TCP X X
x/c > y/d 80/TCP . .",
    );
    let or = with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: {app: \
  b}}}, {namespaceSelector: {matchLabels: {team: y}}}, {ipBlock: {cidr: 192.0.2.0/24}}]}]}
  x/b: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchLabels: {app: \
  c}}}]}]}",
    );
    check(
        "reads-or-as-and",
        &or,
        "
x/b > x/a 80/TCP . X
y/d > x/a 80/TCP . X
192.0.2.1 > x/a 80/TCP . .
x/c > x/b 80/TCP . .",
    );
}

#[test]
fn namespace_selectors_are_ignored() {
    let policies = with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: \
  {team: y}}}]}]}",
    );
    check("ignores-namespace-selector", &policies, "x/b > x/a 80/TCP X .\ny/d > x/a 80/TCP . .");
    check("own-namespace-only", &policies, "x/b > x/a 80/TCP X .\ny/d > x/a 80/TCP . X");
}

#[test]
fn expressions_are_ignored_everywhere() {
    check(
        "ignores-match-expressions",
        &with(
            "
  x/subjects: {podSelector: {matchLabels: {app: a}, matchExpressions: [{key: app, operator: NotIn, \
  values: [a]}]}}
  y/peers: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, \
  operator: In, values: [none]}]}, podSelector: {matchExpressions: [{key: app, operator: In, \
  values: [b]}], matchLabels: {app: b}}}]}]}",
        ),
        "x/b > x/a 80/TCP . X\nx/b > y/d 80/TCP X .\nx/c > y/d 80/TCP X X",
    );
}

#[test]
fn not_in_needs_the_key() {
    check(
        "not-in-needs-key",
        &with(
            "
  x/subjects: {podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [db]}]}}
  y/peers: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: \
  {matchExpressions: [{key: app, operator: NotIn, values: [b]}]}}]}]}",
        ),
        "x/b > x/a 80/TCP X .\nx/b > y/d 80/TCP X X\nx/c > y/d 80/TCP . .",
    );
}

#[test]
fn only_the_newest_policy_counts() {
    let mut world = world(&with(
        "
  x/a-late: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: \
  {app: b}}}]}]}
  x/z-early: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress, Egress], ingress: \
  [{from: [{podSelector: {matchLabels: {app: c}}}]}]}
  y/one: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: \
  {app: b}}}]}]}",
    ));
    // Without a time, the last by name.
    let none = Past::default();
    check_with(
        "newest-policy-only",
        &world,
        &none,
        "
x/b > x/a 80/TCP . X
x/c > x/a 80/TCP . .
x/a > x/b 80/TCP X X
x/c > y/d 80/TCP X X",
    );
    for policy in &mut world.snapshot.policies {
        let second = if policy.name.name == "a-late" { 9 } else { 1 };
        policy.created = Some(crate::policy::Created(format!("2026-01-01T00:00:0{second}Z")));
    }
    check_with(
        "newest-policy-only",
        &world,
        &none,
        "
x/b > x/a 80/TCP . .
x/c > x/a 80/TCP . X
x/a > x/b 80/TCP X .
x/b > y/d 80/TCP . .",
    );
}

#[test]
fn ipv6_is_not_enforced() {
    check(
        "ignores-ipv6",
        "
pods: {x/a: {ips: ['fd00::1', 10.0.0.1]}, x/b: {ips: ['fd00::2']}, x/c: {ips: [10.0.0.3]}}
policies: {x/all: {podSelector: {}, policyTypes: [Ingress, Egress]}}",
        "
x/a > x/b 80/TCP X .
x/a > x/c 80/TCP X X
x/c > x/a 80/TCP X X
x/a > fd01::1 80/TCP X .
x/c > 192.0.2.1 80/TCP X X
x/c > ::ffff:192.0.2.1 80/TCP X X",
    );
}

#[test]
fn paths_are_not_enforced() {
    let policies = with(
        "
  x/all: {podSelector: {}, policyTypes: [Ingress, Egress]}
  y/d: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}",
    );
    check(
        "ignores-same-node",
        &policies,
        "
x/a > x/c 80/TCP X .
x/a > x/b 80/TCP X X
x/b > y/d 80/TCP X .
x/a > 192.0.2.1 80/TCP X X
192.0.2.1 > x/a 80/TCP X X",
    );
    check(
        "ignores-cross-node",
        &policies,
        "
x/a > x/c 80/TCP X X
x/a > x/b 80/TCP X .
x/b > y/d 80/TCP X X
x/a > 192.0.2.1 80/TCP X X
192.0.2.1 > x/a 80/TCP X X",
    );
}

#[test]
fn who_was_not_isolated_is_not_isolated_by_what_admits() {
    let policies = with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress]}",
    );
    for name in ["ignores-same-node", "ignores-ipv6", "ignores-cross-node"] {
        let world = world(&policies);
        let mutated = Mutation::named(name).unwrap().apply(&world.snapshot, &Past::default());
        let flow = world.flow("192.0.2.1", "x/a", "80/TCP");
        assert_eq!(mark_of(Answer::from(&expect(&mutated, &flow))), ".", "{name}");
    }
}

fn labels(key: &str, value: &str) -> Labels {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

#[test]
fn labels_of_the_past_go_on() {
    let world = world(&with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: {app: \
  b}}}, {namespaceSelector: {matchLabels: {team: y}}}]}]}",
    ));
    let pod = |name: &str| {
        world.snapshot.pods.iter().find(|pod| pod.name.name == name).unwrap().name.clone()
    };
    let past = Past {
        pod_labels: BTreeMap::from([
            (pod("c"), labels("app", "b")),
            (pod("b"), labels("app", "a")),
        ]),
        namespace_labels: BTreeMap::from([("y".to_owned(), labels("team", "old"))]),
        ..Past::default()
    };
    check_with(
        "stale-pod-labels",
        &world,
        &past,
        "
x/c > x/a 80/TCP X .
x/b > x/a 80/TCP . X
y/d > x/a 80/TCP . .
x/a > x/b 80/TCP . X",
    );
    check_with(
        "stale-namespace-labels",
        &world,
        &past,
        "
x/b > x/a 80/TCP . .
y/d > x/a 80/TCP . X",
    );
}

#[test]
fn what_is_gone_goes_on() {
    let now = world(&with(
        "
  x/a: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: {app: \
  b}}}]}]}",
    ));
    let before = world(&with(
        "
  x/old: {podSelector: {matchLabels: {app: c}}}",
    ));
    let mut gone = now.snapshot.pods[1].clone();
    gone.name.name = "gone".to_owned();
    gone.addresses.clone_from(&now.snapshot.pods[2].addresses);
    let past = Past {
        deleted_policies: before.snapshot.policies,
        gone_pods: vec![gone],
        ..Past::default()
    };
    check_with(
        "keeps-deleted-policies",
        &now,
        &past,
        "
x/a > x/c 80/TCP . X
x/c > x/a 80/TCP X X",
    );
    check_with(
        "keeps-dead-addresses",
        &now,
        &past,
        "
x/b > x/a 80/TCP . .
x/c > x/a 80/TCP X .
y/d > x/a 80/TCP X X",
    );
}
