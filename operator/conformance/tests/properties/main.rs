//! What holds of every cluster and every flow, on random ones with every corner in them.

mod compiled;
mod hostile;
mod oracle;
mod world;

use netproof_conformance::{
    evaluate::expect,
    expected::{Because, Decision, Expected},
    flow::{End, Flow, PodId},
    policy::network_policy::{EgressRule, IngressRule, NetworkPolicy, compile},
    snapshot::{ObjectRef, Snapshot},
};
use proptest::{prelude::*, sample::Index};

use world::{World, egress_rule, ingress_rule, policy, world};

/// From the strictest to the most open. What only adds to the rules never moves an answer down.
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

/// A world has hundreds of flows, so that fewer worlds do. `PROPTEST_CASES` asks for more.
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
                    Decision::Exempt | Decision::NotIsolated | Decision::Ruled(..) => {}
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
                prop_assert!(matches!(because.ingress, Decision::Exempt | Decision::NotIsolated));
            }
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
    fn whatever_is_written_compiles_or_is_refused(mut policy in policy(), word in hostile::word()) {
        policy.spec.pod_selector.match_labels.insert(word.clone(), Some(word.clone()));
        if compile(&policy).is_ok() {
            // What is accepted as a key is within the bytes of labels.
            prop_assert!(word.bytes().all(|byte| byte.is_ascii_graphic()));
        }
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

impl World {
    fn snapshot(&self) -> Snapshot {
        let compiled = |policy| compile(policy).expect("the API server would store it");
        Snapshot {
            namespaces: self.namespaces.clone(),
            pods: self.pods.clone(),
            policies: self.policies.iter().map(compiled).collect(),
            nodes: self.nodes.clone(),
            ..Snapshot::default()
        }
    }
}
