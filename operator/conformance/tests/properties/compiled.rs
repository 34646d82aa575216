//! Checks that answers of a compiled snapshot never differ from the plain evaluation.

use std::collections::HashMap;

use netproof_conformance::{
    compiled::{Answer, Compiled, Counts, PairAnswers},
    evaluate::expect,
    flow::{End, Flow, PodId, Port},
    pod::PodNetwork,
    policy::network_policy::compile,
};
use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::{
    some_worlds,
    world::{World, crowd, policy, world},
};

/// The flows of all pods to some, one by one.
fn counted(
    compiled: &Compiled,
    port: Port,
    to: &[PodId],
) -> (Counts, HashMap<(PodId, PodId), Answer>) {
    let snapshot = compiled.snapshot();
    let (mut counts, mut answers) = (Counts::default(), HashMap::new());
    for from in (0u32..).map(PodId).take(snapshot.pods.len()) {
        for to in to {
            let flow = Flow { from: End::Pod(from), to: End::Pod(*to), port, family: None };
            let answer = Answer::from(&expect(snapshot, &flow));
            *match answer {
                Answer::Allow => &mut counts.allow,
                Answer::Deny => &mut counts.deny,
                Answer::Unspecified(_) => &mut counts.unspecified,
            } += 1;
            answers.insert((from, *to), answer);
        }
    }
    (counts, answers)
}

/// A world, and some of its pods in their order.
fn world_and_receivers() -> impl Strategy<Value = (World, Vec<usize>)> {
    world().prop_flat_map(|world| {
        let pods: Vec<usize> = (0..world.pods.len()).collect();
        let count = pods.len();
        (Just(world), subsequence(pods, 0..=count))
    })
}

proptest! {
    #![proptest_config(some_worlds())]

    #[test]
    fn each_answer_is_the_plain_one(world in world()) {
        let snapshot = world.snapshot();
        let compiled = Compiled::new(snapshot.clone());
        for flow in world.flows() {
            let expected = expect(&snapshot, &flow);
            prop_assert_eq!(compiled.answer(&flow), Answer::from(&expected), "{:?}", flow);
            prop_assert_eq!(compiled.expect(&flow), expected, "{:?}", flow);
        }
    }

    #[test]
    fn a_policy_that_changes_leaves_the_plain_answers(
        world in world(), changes in vec(policy(), 1..6), names in vec(0usize..8, 6),
    ) {
        let receivers: Vec<PodId> = (0u32..).map(PodId).take(world.pods.len()).collect();
        let port = world.ports()[0];
        let mut matrix = PairAnswers::new(Compiled::new(world.snapshot()), port, receivers.clone());
        for (mut change, name) in changes.into_iter().zip(names) {
            change.metadata.name = format!("p{name}");
            matrix.replace(compile(&change).expect("valid"));
            let (counts, _) = counted(matrix.compiled(), port, &receivers);
            prop_assert_eq!(matrix.pairs().counts(), counts);
            for flow in world.flows() {
                let expected = expect(matrix.compiled().snapshot(), &flow);
                prop_assert_eq!(matrix.compiled().expect(&flow), expected.clone(), "{:?}", flow);
                let answer = matrix.compiled().answer(&flow);
                prop_assert_eq!(answer, Answer::from(&expected), "{:?}", flow);
            }
        }
    }

    #[test]
    fn all_pairs_are_the_plain_ones((world, receivers) in world_and_receivers()) {
        let compiled = Compiled::new(world.snapshot());
        let receivers: Vec<PodId> =
            receivers.into_iter().map(|pod| PodId(u32::try_from(pod).expect("few"))).collect();
        for port in world.ports() {
            let (counts, answers) = counted(&compiled, port, &receivers);
            let pairs = compiled.pairs(port, &receivers);
            prop_assert_eq!(pairs.counts(), counts);

            let all: Vec<PodId> =
                (0u32..).map(PodId).take(compiled.snapshot().pods.len()).collect();
            prop_assert_eq!(pairs.between(&all, &receivers), counts);

            // Pods of one signature have the same answers, but for those that they have with each
            // other, themselves and pods of the host's network.
            let signatures = pairs.signatures();
            let own = |pod: &&PodId| {
                compiled.snapshot().pod(**pod).network == PodNetwork::Own
            };
            for one in all.iter().filter(own) {
                for other in all.iter().filter(own) {
                    let [a, b] = [one, other].map(|pod| signatures[pod.0 as usize]);
                    if a != b {
                        continue;
                    }
                    let is_open = |answer: &Answer| match answer {
                        Answer::Unspecified(_) => None,
                        answer => Some(*answer),
                    };
                    for to in receivers.iter().filter(own).filter(|to| ![one, other].contains(to)) {
                        prop_assert_eq!(
                            is_open(&answers[&(*one, *to)]), is_open(&answers[&(*other, *to)])
                        );
                    }
                    let is_receiver = |pod: &PodId| receivers.contains(pod);
                    prop_assert_eq!(is_receiver(one), is_receiver(other));
                    for from in all.iter().filter(own).filter(|from| ![one, other].contains(from)) {
                        if is_receiver(one) {
                            prop_assert_eq!(
                                is_open(&answers[&(*from, *one)]),
                                is_open(&answers[&(*from, *other)])
                            );
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: some_worlds().cases.div_ceil(4), ..some_worlds() })]

    #[test]
    fn all_pairs_of_a_crowd_are_the_plain_ones(world in crowd()) {
        let compiled = Compiled::new(world.snapshot());
        let all: Vec<PodId> = (0u32..).map(PodId).take(world.pods.len()).collect();
        let some: Vec<PodId> = all.iter().copied().step_by(3).collect();
        for port in world.ports() {
            for receivers in [&all, &some] {
                let (counts, _) = counted(&compiled, port, receivers);
                prop_assert_eq!(compiled.pairs(port, receivers).counts(), counts);
            }
        }
    }
}
