//! Checks what holds of every cluster and every flow, on random ones with every corner in them.

mod compiled;
mod coverage;
mod diagnosed;
mod explained;
mod hostile;
mod oracle;
mod strangers;
mod world;

use netproof_conformance::{
    evaluate::expect,
    expected::{Because, Decision, Expected, Ruling},
    flow::{End, Flow, PodId},
    policy::{
        admin_network_policy, baseline_admin_network_policy,
        cluster::{Action, ClusterPolicy, ClusterPorts},
        cluster_network_policy,
        label_selector::LabelSelector,
        network_policy::{EgressRule, IngressRule, NetworkPolicy, compile},
    },
    reference::{ClusterRuleRef, ObjectRef},
    snapshot::Snapshot,
};
use proptest::{prelude::*, sample::Index};

use world::{ClusterPolicies, World, cluster, egress_rule, ingress_rule, policy, world};

/// Answers from the strictest to the most open. A change that only adds rules never moves an answer
/// down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Deny,
    Unspecified,
    Allow,
}

impl From<Expected> for Verdict {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Allow(_) => Self::Allow,
            Expected::Deny(_) => Self::Deny,
            Expected::Unspecified(_) => Self::Unspecified,
        }
    }
}

fn verdict(snapshot: &Snapshot, flow: &Flow) -> Verdict {
    expect(snapshot, flow).into()
}

/// The configuration for properties of whole worlds: each has hundreds of flows, so fewer worlds
/// are enough. `PROPTEST_CASES` asks for more.
fn some_worlds() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.div_ceil(8), ..default }
}

proptest! {
    #![proptest_config(some_worlds())]

    #[test]
    fn a_second_evaluation_agrees(world in world()) {
        let snapshot = world.snapshot();
        for flow in world.flows() {
            let expected = expect(&snapshot, &flow);
            prop_assert_eq!(
                Verdict::from(expected.clone()), oracle::verdict(&world, &flow),
                "{:?} is {:?}", flow, expected,
            );
        }
    }

    #[test]
    fn what_decides_is_never_empty_and_says_what_the_answer_says(world in world()) {
        let snapshot = world.snapshot();
        for flow in world.flows() {
            let (because, passes) = match expect(&snapshot, &flow) {
                Expected::Allow(because) => (because, true),
                Expected::Deny(because) => (because, false),
                Expected::Unspecified(_) => continue,
            };
            prop_assert_eq!(because.passes(), passes);
            for decision in [&because.egress, &because.ingress] {
                match decision {
                    Decision::Exempt | Decision::NotIsolated => {}
                    Decision::Ruled(ruling, rule) => {
                        prop_assert_eq!(ruled(&snapshot, rule), Some(*ruling));
                    }
                    Decision::AllowedBy(rules) => {
                        prop_assert!(rules.is_sorted() && !rules.is_empty());
                    }
                    Decision::DeniedBy(policies) => {
                        prop_assert!(policies.is_sorted() && !policies.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn order_of_objects_never_matters(world in world(), shift in any::<Index>()) {
        let before = world.snapshot();
        let mut after = before.clone();
        after.policies.reverse();
        after.cluster_policies.reverse();
        let count = after.pods.len();
        let shift = shift.index(count.max(1));
        after.pods.rotate_left(shift);
        let moved = |end| match end {
            End::Pod(PodId(id)) => {
                let place = (id as usize + count - shift) % count;
                End::Pod(PodId(u32::try_from(place).expect("few pods")))
            }
            End::Address(_) => end,
        };
        for flow in world.flows() {
            let same = Flow { from: moved(flow.from), to: moved(flow.to), ..flow };
            prop_assert_eq!(expect(&before, &flow), expect(&after, &same));
        }
    }

    #[test]
    fn order_within_a_policy_never_matters(world in world()) {
        let before = world.snapshot();
        let mut reversed = world.clone();
        reversed.policies.iter_mut().for_each(reverse);
        reverse_within_rules(&mut reversed.cluster_policies);
        let after = reversed.snapshot();
        for flow in world.flows() {
            prop_assert_eq!(verdict(&before, &flow), verdict(&after, &flow));
        }
    }

    #[test]
    fn pods_that_are_no_end_of_a_flow_do_not_matter(world in world()) {
        let whole = world.snapshot();
        let mut alone = whole.clone();
        for flow in world.flows() {
            let ends = [flow.from, flow.to];
            for (id, pod) in (0..).zip(&mut alone.pods) {
                if !ends.contains(&End::Pod(PodId(id))) {
                    pod.labels.clear();
                    pod.addresses.clear();
                }
            }
            prop_assert_eq!(expect(&whole, &flow), expect(&alone, &flow));
            alone.pods.clone_from(&whole.pods);
        }
    }

    #[test]
    fn adding_a_rule_where_there_is_isolation_never_tightens(
        mut world in world(),
        mut isolating in policy(),
        ingress in ingress_rule(),
        egress in egress_rule(),
    ) {
        isolating.spec.policy_types = vec!["Ingress".to_owned(), "Egress".to_owned()];
        world.policies.push(isolating.clone());
        let before = world.snapshot();
        isolating.spec.ingress.push(ingress);
        isolating.spec.egress.push(egress);
        *world.policies.last_mut().expect("just pushed") = isolating;
        let after = world.snapshot();
        for flow in world.flows() {
            prop_assert!(verdict(&before, &flow) <= verdict(&after, &flow), "{:?}", flow);
        }
    }

    #[test]
    fn adding_a_policy_without_rules_never_loosens(mut world in world(), mut added in policy()) {
        let before = world.snapshot();
        added.spec.ingress.clear();
        added.spec.egress.clear();
        world.policies.push(added);
        let after = world.snapshot();
        for flow in world.flows() {
            prop_assert!(verdict(&before, &flow) >= verdict(&after, &flow), "{:?}", flow);
        }
    }

    #[test]
    fn a_policy_that_turns_an_answer_is_named_in_it(
        mut world in world(),
        mut added in policy(),
    ) {
        let before = world.snapshot();
        "added".clone_into(&mut added.metadata.name);
        let name = compile(&added).expect("valid").name;
        world.policies.push(added);
        let after = world.snapshot();
        for flow in world.flows() {
            match (expect(&before, &flow), expect(&after, &flow)) {
                (Expected::Deny(_), Expected::Allow(because))
                | (Expected::Allow(_), Expected::Deny(because)) => {
                    prop_assert!(names(&because, &name), "{:?}", flow);
                }
                (_, _) => {}
            }
        }
    }

    #[test]
    fn a_policy_of_a_namespace_without_pods_changes_nothing(
        mut world in world(),
        mut added in policy(),
    ) {
        let before = world.snapshot();
        "nobody-here".clone_into(&mut added.metadata.namespace);
        world.policies.push(added);
        let after = world.snapshot();
        for flow in world.flows() {
            prop_assert_eq!(expect(&before, &flow), expect(&after, &flow));
        }
    }

    #[test]
    fn a_direction_that_no_policy_isolates_stays_open(mut world in world()) {
        for policy in &mut world.policies {
            policy.spec.policy_types = vec!["Egress".to_owned()];
        }
        let snapshot = world.snapshot();
        for flow in world.flows() {
            if let Expected::Allow(because) | Expected::Deny(because) = expect(&snapshot, &flow) {
                prop_assert!(!matches!(
                    because.ingress,
                    Decision::AllowedBy(_) | Decision::DeniedBy(_)
                ));
            }
        }
    }

    #[test]
    fn a_policy_of_the_cluster_without_rules_changes_nothing(
        mut world in world(),
        mut added in cluster(),
    ) {
        let before = world.snapshot();
        "added".clone_into(&mut added.metadata.name);
        added.spec.ingress.clear();
        added.spec.egress.clear();
        world.cluster_policies.cluster.push(added);
        let after = world.snapshot();
        for flow in world.flows() {
            prop_assert_eq!(verdict(&before, &flow), verdict(&after, &flow));
        }
    }

    #[test]
    fn a_policy_of_a_tier_that_is_never_reached_changes_nothing(
        mut world in world(),
        mut isolating in policy(),
        mut added in cluster(),
    ) {
        isolating.spec.policy_types = vec!["Ingress".to_owned(), "Egress".to_owned()];
        isolating.spec.pod_selector = LabelSelector::default();
        for pod in &world.pods {
            isolating.metadata.namespace.clone_from(&pod.name.namespace);
            world.policies.push(isolating.clone());
        }
        let before = world.snapshot();
        "added".clone_into(&mut added.metadata.name);
        added.spec.tier = Some("Baseline".to_owned());
        world.cluster_policies.cluster.push(added);
        let after = world.snapshot();
        for flow in world.flows() {
            prop_assert_eq!(expect(&before, &flow), expect(&after, &flow));
        }
    }
}

proptest! {
    #[test]
    fn whatever_parses_compiles_or_is_refused(text in hostile::policy()) {
        if let Ok(policy) = serde_saphyr::from_str::<NetworkPolicy>(&text)
            && let Err(refused) = compile(&policy)
        {
            let (top, _) = refused.field.split_once('.').unwrap_or((&refused.field, ""));
            prop_assert!(["metadata", "spec"].contains(&top));
        }
    }

    #[test]
    fn whatever_parses_compiles_or_is_refused_for_the_cluster_too(
        text in hostile::cluster_policy(),
    ) {
        let cluster = serde_saphyr::from_str(&text).ok();
        let cluster = cluster.and_then(|one| cluster_network_policy::compile(&one).err());
        let admin = serde_saphyr::from_str(&text).ok();
        let admin = admin.and_then(|one| admin_network_policy::compile(&one).err());
        let baseline = serde_saphyr::from_str(&text).ok();
        let baseline = baseline.and_then(|one| baseline_admin_network_policy::compile(&one).err());
        for refused in [cluster, admin, baseline].into_iter().flatten() {
            let (top, _) = refused.field.split_once('.').unwrap_or((&refused.field, ""));
            prop_assert!(["metadata", "spec"].contains(&top));
        }
    }

    #[test]
    fn whatever_is_written_compiles_or_is_refused(mut policy in policy(), word in hostile::word()) {
        policy.spec.pod_selector.match_labels.insert(word.clone(), Some(word.clone()));
        if compile(&policy).is_ok() {
            // What is accepted as a key is within the bytes of labels.
            prop_assert!(word.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}

/// What the rule that is named rules, if there is such a rule with such a peer and such a port.
fn ruled(snapshot: &Snapshot, named: &ClusterRuleRef) -> Option<Ruling> {
    let policy = snapshot.cluster_policies.iter().find(|policy| policy.name == named.policy)?;
    let rule = policy.rules(named.direction).get(named.rule)?;
    rule.peers.get(named.peer)?;
    match (&rule.ports, named.port) {
        (ClusterPorts::All, None) => {}
        (ClusterPorts::Only(ports), Some(port)) if port < ports.len() => {}
        (ClusterPorts::All, Some(_)) | (ClusterPorts::Only(_), _) => return None,
    }
    match rule.action {
        Action::Accept => Some(Ruling::Accept),
        Action::Deny => Some(Ruling::Deny),
        Action::Pass => None,
    }
}

fn names(because: &Because, name: &ObjectRef) -> bool {
    [&because.egress, &because.ingress].into_iter().any(|decision| match decision {
        Decision::Exempt | Decision::NotIsolated | Decision::Ruled(..) => false,
        Decision::AllowedBy(rules) => rules.iter().any(|rule| rule.policy == *name),
        Decision::DeniedBy(policies) => policies.contains(name),
    })
}

fn reverse(policy: &mut NetworkPolicy) {
    policy.spec.ingress.reverse();
    policy.spec.egress.reverse();
    policy.spec.policy_types.reverse();
    for IngressRule { ports, from } in &mut policy.spec.ingress {
        ports.reverse();
        from.reverse();
    }
    for EgressRule { ports, to } in &mut policy.spec.egress {
        ports.reverse();
        to.reverse();
    }
}

/// Reverses the lists in each rule: the order of rules matters, the order in a rule does not.
fn reverse_within_rules(policies: &mut ClusterPolicies) {
    let ClusterPolicies { cluster, admin, baseline } = policies;
    for spec in cluster.iter_mut().map(|policy| &mut policy.spec) {
        for rule in &mut spec.ingress {
            rule.from.reverse();
            rule.protocols.iter_mut().for_each(|protocols| protocols.reverse());
        }
        for rule in &mut spec.egress {
            rule.to.reverse();
            rule.protocols.iter_mut().for_each(|protocols| protocols.reverse());
        }
    }
    let admin = admin.iter_mut().map(|policy| (&mut policy.spec.ingress, &mut policy.spec.egress));
    let baseline = baseline.iter_mut();
    let baseline = baseline.map(|policy| (&mut policy.spec.ingress, &mut policy.spec.egress));
    for (ingress, egress) in admin.chain(baseline) {
        for rule in ingress {
            rule.from.reverse();
            rule.ports.iter_mut().for_each(|ports| ports.reverse());
        }
        for rule in egress {
            rule.to.reverse();
            rule.ports.iter_mut().for_each(|ports| ports.reverse());
        }
    }
}

impl ClusterPolicies {
    fn compile(&self) -> Vec<ClusterPolicy> {
        let cluster = self.cluster.iter().map(cluster_network_policy::compile);
        let admin = self.admin.iter().map(admin_network_policy::compile);
        let baseline = self.baseline.iter().map(baseline_admin_network_policy::compile);
        let all = cluster.chain(admin).chain(baseline);
        all.map(|policy| policy.expect("the API server would store it")).collect()
    }
}

impl World {
    fn snapshot(&self) -> Snapshot {
        let compiled = |policy| compile(policy).expect("the API server would store it");
        Snapshot {
            namespaces: self.namespaces.clone(),
            pods: self.pods.clone(),
            policies: self.policies.iter().map(compiled).collect(),
            cluster_policies: self.cluster_policies.compile(),
            nodes: self.nodes.clone(),
            ..Snapshot::default()
        }
    }
}
