use super::*;
use crate::{
    flow::{PodId, Port, Protocol},
    matrix::Actor,
    testing::world,
};

/// Three pods on two nodes; `shop/web` and `data/db` listen on two ports each.
const SHOP: &str = "
namespaces: {shop: {team: shop}, data: {team: data}}
pods:
  shop/web: {labels: {app: web}, node: n1}
  shop/was: {labels: {app: was}, node: n2}
  data/db: {labels: {app: db}, node: n1}
";

fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

/// The survey of a cluster in which every pod attempts every other on these ports, and each of
/// these addresses too.
fn survey(text: &str, ports: &[Port], outside: &[&str]) -> Survey {
    let snapshot = world(text).snapshot;
    let pods = (0u32..).zip(&snapshot.pods);
    let pods: Vec<_> = pods.map(|(id, pod)| (End::Pod(PodId(id)), pod.name.to_string())).collect();
    let addresses = outside
        .iter()
        .map(|text| (End::Address(text.parse().expect("an address")), (*text).to_owned()));
    let receivers: Vec<_> = pods.iter().cloned().chain(addresses).collect();
    let mut universe = Vec::new();
    for (from, sender) in &pods {
        for (to, receiver) in receivers.iter().filter(|(to, _)| to != from) {
            for port in ports {
                let [from_actor, to_actor] = [sender, receiver].map(Actor::sole);
                let cell = Cell { from: from_actor, to: to_actor, port: *port };
                universe.push((cell, Flow { from: *from, to: *to, port: *port, family: None }));
            }
        }
    }
    Survey::new(snapshot, universe)
}

fn shop(policies: &str) -> Survey {
    survey(&format!("{SHOP}policies: {{{policies}}}"), &[tcp(80), tcp(3306)], &[])
}

/// The survey of the shop with a policy of `data/db` that has these rules for ingress.
fn db(ingress: &str) -> Survey {
    shop(&format!("data/db: {{podSelector: {{}}, ingress: {ingress}}}"))
}

fn all(survey: &Survey) -> Chosen {
    survey.choose(&BTreeSet::new(), 1000, &[])
}

/// The gaps, as sentences.
fn gaps(survey: &Survey) -> Vec<String> {
    all(survey).coverage.gaps.iter().map(ToString::to_string).collect()
}

/// What every chosen flow shows of rules.
fn drawn(survey: &Survey, cells: &BTreeSet<Cell>) -> Vec<String> {
    let is_rule = |what: &What| !matches!(what, What::Path { .. });
    let shown = cells.iter().flat_map(|cell| {
        let shows = survey.shows(cell).into_iter().filter(is_rule);
        shows.map(move |what| format!("{cell}: {what}"))
    });
    shown.map(|line| line.replace(" lacks", "")).collect()
}

#[test]
fn a_rule_is_shown_from_both_sides() {
    let survey = db(
        "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: was}}}], ports: [{port: \
         3306}]}]",
    );
    let chosen = all(&survey);
    assert_eq!(
        drawn(&survey, &chosen.cells),
        [
            "shop/was to data/db port 80/TCP: data/db ingress[0] a denied flow that just misses it",
            "shop/was to data/db port 3306/TCP: data/db ingress[0] an allowed flow that needs it",
        ]
    );
    let Coverage { rules, exercised, half_exercised, gaps } = chosen.coverage;
    assert_eq!((rules, exercised, half_exercised, gaps), (1, 1, 0, vec![]));
}

#[test]
fn every_pair_of_nodes_is_taken() {
    let survey = db("[{from: [{namespaceSelector: {}}], ports: [{port: 3306}]}]");
    let chosen = all(&survey);
    let paths: BTreeSet<String> = chosen
        .cells
        .iter()
        .flat_map(|cell| survey.shows(cell))
        .filter(|what| matches!(what, What::Path { .. }))
        .map(|what| what.to_string())
        .collect();
    // Nothing between n1 and n2 is denied in that direction, nor on n2.
    assert_eq!(
        paths.into_iter().collect::<Vec<_>>(),
        [
            "node n1 to node n1 lacks a denied flow",
            "node n1 to node n1 lacks an allowed flow",
            "node n1 to node n2 lacks an allowed flow",
            "node n2 to node n1 lacks a denied flow",
            "node n2 to node n1 lacks an allowed flow",
        ]
    );
}

#[test]
fn an_isolation_without_rules_wants_a_flow_that_it_denies() {
    let survey = db("[]");
    let chosen = all(&survey);
    assert!(
        drawn(&survey, &chosen.cells)[0]
            .ends_with("data/db ingress (no rules) a flow that it denies")
    );
    assert_eq!((chosen.coverage.rules, chosen.coverage.exercised), (1, 1));
}

#[test]
fn each_gap_says_why_and_what_to_do() {
    let from = |app: &str, more: &str| {
        format!(
            "{{from: [{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: \
             {app}}}}}}}]{more}}}"
        )
    };
    let both = |rule: String| format!("data/db: {{podSelector: {{}}, ingress: [{rule}]}}");
    let cases = [
        (
            "data/x: {podSelector: {matchLabels: {app: none}}, ingress: [{}]}".to_owned(),
            vec![
                "data/x ingress[0] lacks an allowed flow that needs it: no endpoint is a subject \
                 of the policy; add one with the labels that it selects",
                "data/x ingress[0] lacks a denied flow that just misses it: no endpoint is a \
                 subject of the policy; add one with the labels that it selects",
            ],
        ),
        (
            "data/x: {podSelector: {matchLabels: {app: none}}}".to_owned(),
            vec![
                "data/x ingress (no rules) lacks a flow that it denies: no endpoint is a subject \
                 of the policy; add one with the labels that it selects",
            ],
        ),
        (
            both(from("cron", "")),
            vec![
                "data/db ingress[0] lacks an allowed flow that needs it: no endpoint at the other \
                 end matches its peers; add one that does",
            ],
        ),
        (
            both(from("was", ", ports: [{port: 9090}]")),
            vec![
                "data/db ingress[0] lacks an allowed flow that needs it: nobody listens on a port \
                 of the rule; give an endpoint that port",
            ],
        ),
        (
            both("{}".to_owned()),
            vec![
                "data/db ingress[0] lacks a denied flow that just misses it: it admits everyone on \
                 every port, so that nothing can miss it",
            ],
        ),
        (
            both("{from: [{namespaceSelector: {}}], ports: [{protocol: TCP}]}".to_owned()),
            vec![
                "data/db ingress[0] lacks a denied flow that just misses it: no flow misses it in \
                 just one respect; add an endpoint that is none of its peers, or another port",
            ],
        ),
        (
            both(from("was", "")) + ", data/wide: {podSelector: {}, ingress: [{}]}",
            vec![
                "data/db ingress[0] lacks an allowed flow that needs it: shadowed by data/wide \
                 ingress[0]; add an endpoint to which only this one applies, or remove it",
                "data/db ingress[0] lacks a denied flow that just misses it: shadowed by data/wide \
                 ingress[0]; add an endpoint to which only this one applies, or remove it",
                "data/wide ingress[0] lacks a denied flow that just misses it: it admits everyone \
                 on every port, so that nothing can miss it",
            ],
        ),
        (
            both(from("was", ""))
                + ", shop/out: {podSelector: {matchLabels: {app: was}}, policyTypes: [Egress]}",
            vec![
                "data/db ingress[0] lacks an allowed flow that needs it: what would show it is \
                 denied on the other side by shop/out egress; add an endpoint that is not",
            ],
        ),
    ];
    for (policies, wanted) in cases {
        assert_eq!(gaps(&shop(&policies)), wanted, "{policies}");
    }
}

#[test]
fn peers_and_ports_that_do_not_meet_are_told() {
    let text = format!(
        "{SHOP}policies: {{data/db: {{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: \
         {{}}, podSelector: {{matchLabels: {{app: was}}}}}}], ports: [{{port: 3306}}]}}]}}}}"
    );
    let whole = survey(&text, &[tcp(80), tcp(3306)], &[]);
    let parted = whole
        .flows
        .iter()
        .filter(|(cell, _)| cell.from.endpoint != "shop/was" || cell.port == tcp(80));
    let survey = Survey::new(whole.compiled.snapshot().clone(), parted.cloned());
    let gaps = gaps(&survey);
    assert_eq!(
        gaps,
        ["data/db ingress[0] lacks an allowed flow that needs it: no flow has both a peer and a \
             port of the rule; add a check, or a port to an endpoint, that joins them"]
    );
}

#[test]
fn what_the_api_leaves_open_shows_nothing() {
    let text = "
namespaces: {shop: {}}
pods:
  shop/a: {labels: {app: a}, node: n1, host: true}
  shop/b: {labels: {app: b}, node: n2}
policies: {shop/b: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]}}
";
    let gaps = gaps(&survey(text, &[tcp(80)], &[]));
    let open = "needs it: the API leaves open how policies treat host-network pods";
    assert!(gaps.iter().any(|gap| gap.contains(open)), "{gaps:?}");
}

#[test]
fn a_rule_of_the_cluster_is_shown_by_a_flow_that_it_decides() {
    let deny = "cluster: {deny: {tier: Admin, priority: 1, subject: {namespaces: {matchLabels: \
    {team: data}}}, \
                ingress: [{action: Deny, from: [{namespaces: {}}]}, {action: Deny, from: \
                [{namespaces: {}}]}]}}";
    let survey = survey(&format!("{SHOP}{deny}"), &[tcp(80)], &[]);
    let chosen = all(&survey);
    let Coverage { rules, exercised, gaps, .. } = chosen.coverage;
    let gaps: Vec<String> = gaps.iter().map(ToString::to_string).collect();
    assert_eq!((rules, exercised), (2, 0));
    assert_eq!(
        gaps,
        [
            "ClusterNetworkPolicy deny ingress[0] lacks a flow that it decides: shadowed by \
             ClusterNetworkPolicy deny ingress[0].from[0]; add an endpoint to which only this one \
             applies, or remove it",
            "ClusterNetworkPolicy deny ingress[1] lacks a flow that it decides: no flow comes to \
             it; add an endpoint that it matches and no rule before it does",
        ]
    );
}

#[test]
fn silence_from_outside_wants_somebody_who_is_heard() {
    let egress =
        "policies: {shop/out: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}}";
    let survey = survey(&format!("{SHOP}{egress}"), &[tcp(80)], &["192.0.2.1"]);
    let chosen = all(&survey);
    let reaches = |from: &str| {
        chosen
            .cells
            .iter()
            .any(|cell| cell.to.endpoint == "192.0.2.1" && cell.from.endpoint == from)
    };
    assert!(reaches("data/db") || reaches("shop/was"), "{:?}", chosen.cells);
}

#[test]
fn a_mutant_is_told_by_a_flow_or_named() {
    let survey = db("[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: was}}}]}]");
    let mut open = survey.compiled.snapshot().clone();
    open.policies.clear();
    let mutants =
        [Mutant::of("IgnoresAll", open), Mutant::of("Sound", survey.compiled.snapshot().clone())];
    let chosen = survey.choose(&BTreeSet::new(), 1000, &mutants);
    assert!(chosen.cells.iter().any(|cell| {
        mutants[0].differs(&survey.flows[survey.place(cell).expect("it is there")].1, Answer::Deny)
    }));
    let gaps: Vec<String> = chosen.coverage.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(
        gaps,
        ["Sound lacks a flow that tells it: no flow of the test behaves otherwise there; add \
             endpoints or ports that do"]
    );
}

#[test]
fn a_mutant_by_which_no_rule_is_lost_has_a_flow_of_its_own() {
    let survey = db("[]");
    let odd = Mutant::new("LosesWebToWas", |flow: &Flow| {
        let lost = flow.from == End::Pod(PodId(2)) && flow.port == tcp(3306);
        if lost { Answer::Deny } else { Answer::Allow }
    });
    let chosen = survey.choose(&BTreeSet::new(), 1000, &[odd]);
    assert_eq!(chosen.coverage.gaps, []);
}

#[test]
fn the_budget_is_kept_and_what_it_cost_is_said() {
    let survey = db(
        "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: was}}}], ports: [{port: \
         3306}]}]",
    );
    let web: BTreeSet<Cell> = survey
        .flows
        .iter()
        .map(|(cell, _)| cell.clone())
        .filter(|cell| cell.from.endpoint == "shop/web")
        .collect();
    let chosen = survey.choose(&web, 2, &[]);
    assert_eq!(chosen.cells.len(), 2);
    assert!(chosen.cells.is_subset(&web));
    let gaps: Vec<String> = chosen.coverage.gaps.iter().take(2).map(ToString::to_string).collect();
    assert_eq!(
        gaps,
        [
            "2 flows that checks ask for are left out: the budget of flows ended first; raise \
             maxFlows",
            "data/db ingress[0] lacks an allowed flow that needs it: the budget of flows ended \
             first; raise maxFlows",
        ]
    );
    let one = survey.choose(&BTreeSet::new(), 1, &[]);
    assert_eq!((one.cells.len(), one.coverage.half_exercised), (1, 1), "rules come before paths");
}

#[test]
fn only_what_was_judged_counts() {
    let survey = db(
        "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: was}}}], ports: [{port: \
         3306}]}]",
    );
    let Chosen { cells, .. } = all(&survey);
    let allowed: BTreeSet<Cell> = cells
        .iter()
        .filter(|cell| cell.from.endpoint == "shop/was" && cell.port == tcp(3306))
        .cloned()
        .collect();
    let none = survey.coverage(&BTreeSet::new(), &cells, &[]);
    assert_eq!((none.rules, none.exercised, none.half_exercised), (1, 0, 0));
    let half = survey.coverage(&allowed, &cells, &[]);
    assert_eq!((half.exercised, half.half_exercised), (0, 1));
    assert_eq!(
        half.gaps[0].to_string(),
        "data/db ingress[0] lacks a denied flow that just misses it: shop/was to data/db port \
         80/TCP would show it, and has no verdict"
    );
    assert_eq!(survey.coverage(&cells, &cells, &[]).exercised, 1);
}

#[test]
fn what_is_left_of_a_budget_is_spread_evenly() {
    let survey = db("[]");
    let cells: Vec<Cell> = survey.flows.iter().map(|(cell, _)| cell.clone()).collect();
    let first: BTreeSet<Cell> = cells[..1].iter().cloned().collect();
    let spread_to = |budget| spread(first.clone(), &cells, budget);
    assert_eq!(spread_to(1), first);
    assert_eq!(spread_to(5).len(), 5);
    assert_eq!(spread_to(1000).len(), cells.len());
    assert!(spread_to(0).len() == 1, "what was chosen is never taken back");
}
