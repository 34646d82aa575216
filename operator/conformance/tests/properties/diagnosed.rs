//! Checks on random clusters that a diagnosis is never surer than its evidence.

use netproof_conformance::{
    compiled::{Answer, Compiled},
    diagnosis::{
        Candidate, Diagnosis, Evidence, Observation, diagnose,
        mutation::{MUTATIONS, Past},
        scope::Scope,
    },
    flow::Flow,
    snapshot::Snapshot,
    verdict::Outcome,
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{some_worlds, world::world};

/// What is seen of flows in a network that enforces this snapshot; flows that are open have the
/// outcome `open`.
fn seen(network: &Snapshot, flows: &[Flow], open: &Outcome) -> Vec<Observation> {
    let network = Compiled::new(network.clone());
    let outcome = |flow: &Flow| match network.answer(flow) {
        Answer::Allow => Outcome::Connected,
        Answer::Deny => Outcome::TimedOut,
        Answer::Unspecified(_) => open.clone(),
    };
    let observation =
        |flow: &Flow| Observation { flow: *flow, outcome: outcome(flow), flaps: false };
    flows.iter().map(observation).collect()
}

fn diagnosed(snapshot: &Snapshot, observations: Vec<Observation>, unprobed: &[Flow]) -> Diagnosis {
    let unprobed = unprobed.to_vec();
    diagnose(&Evidence { snapshot, observations, unprobed, pasts: vec![], time: None })
}

proptest! {
    #![proptest_config(some_worlds())]

    #[test]
    fn without_findings_nothing_is_wrong(world in world(), is_open in any::<bool>()) {
        let (snapshot, flows) = (world.snapshot(), world.flows());
        let open = if is_open { Outcome::Connected } else { Outcome::Refused };
        match diagnosed(&snapshot, seen(&snapshot, &flows, &open), &[]) {
            Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => {}
            other => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_fault_is_among_what_explains_all_that_it_does(
        world in world(),
        mutation in any::<Index>(),
        probed in 1usize..4,
        is_open in any::<bool>(),
    ) {
        let (snapshot, flows) = (world.snapshot(), world.flows());
        let mutation = mutation.get(&MUTATIONS);
        let network = mutation.apply(&snapshot, &Past::default());
        let open = if is_open { Outcome::Connected } else { Outcome::Refused };
        let (probed, unprobed): (Vec<_>, Vec<_>) =
            flows.iter().enumerate().partition(|(place, _)| place % probed == 0);
        let [probed, unprobed] = [probed, unprobed]
            .map(|some| some.into_iter().map(|(_, flow)| *flow).collect::<Vec<_>>());
        let observations = seen(&network, &probed, &open);
        let truth = Compiled::new(snapshot.clone());
        let mutated = Compiled::new(network);
        match diagnosed(&snapshot, observations, &unprobed) {
            Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => {}
            Diagnosis::Explained(found) => {
                let is = |one: &Candidate| {
                    matches!(&one.faults[..], [one]
                        if one.mutation == mutation && one.scope == Scope::Cluster)
                };
                let others = found.rivals.iter().chain(&found.equivalents);
                let is_named = [&found.chosen].into_iter().chain(others).any(is);
                // A fault that leaves every finding open predicts none of them.
                let predicts = probed.iter().any(|flow| {
                    matches!(
                        (truth.answer(flow), mutated.answer(flow)),
                        (Answer::Allow, Answer::Deny) | (Answer::Deny, Answer::Allow)
                    )
                });
                prop_assert!(is_named || !predicts, "{}: {found:?}", mutation.name);
                prop_assert!(found.explains <= found.findings);
                prop_assert_eq!(found.rivals.is_empty(), found.next_probes.is_empty());
                prop_assert!(found.next_probes.iter().all(|flow| unprobed.contains(flow)));
            }
            Diagnosis::Unexplained(found) => {
                let predicts = probed.iter().any(|flow| {
                    matches!(
                        (truth.answer(flow), mutated.answer(flow)),
                        (Answer::Allow, Answer::Deny) | (Answer::Deny, Answer::Allow)
                    )
                });
                prop_assert!(!predicts, "{}: {found:?}", mutation.name);
            }
            other @ Diagnosis::OfTime(_) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn what_rules_everything_out_does_so_alone(
        world in world(),
        wrong in vec(any::<Index>(), 1..5),
    ) {
        let (snapshot, flows) = (world.snapshot(), world.flows());
        let mut observations = seen(&snapshot, &flows, &Outcome::TimedOut);
        for index in wrong {
            let outcome = &mut index.get_mut(&mut observations).outcome;
            *outcome = match outcome {
                Outcome::Connected => Outcome::TimedOut,
                _ => Outcome::Connected,
            };
        }
        let is_single = |diagnosis: &Diagnosis| match diagnosis {
            Diagnosis::Explained(found) => found.chosen.faults.len() == 1,
            Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => true,
            Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => false,
        };
        if let Diagnosis::Unexplained(found) = diagnosed(&snapshot, observations.clone(), &[]) {
            observations.retain(|one| found.ruled_out_by.contains(&one.flow));
            let alone = diagnosed(&snapshot, observations, &[]);
            prop_assert!(!is_single(&alone), "{alone:?}");
            if let Some(best) = found.best {
                prop_assert!(best.explains > 0 && !best.contradicted_by.is_empty());
            }
        }
    }
}
