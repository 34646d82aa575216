//! Checks that every end of a flow with another answer after a change of policies is told of, among
//! the objects or not.

use netproof_conformance::{
    compiled::Compiled,
    flow::{End, Flow, PodId},
    pod::{Lifecycle, Pod, PodNetwork},
    snapshot::Snapshot,
    spans::spans,
    strangers::{Elsewhere, elsewhere},
};
use proptest::{prelude::*, sample::Index};

use super::{
    Verdict, reverse, some_worlds, verdict,
    world::{World, cluster_policies, policy, world},
};

/// Whether policies can isolate a pod, and flows can reach it.
fn is_own(pod: &Pod) -> bool {
    pod.network == PodNetwork::Own && pod.lifecycle == Lifecycle::Live
}

/// The snapshot with the first few of its pods alone.
fn here(snapshot: &Snapshot, kept: u32) -> Compiled {
    let pods = snapshot.pods.iter().take(kept as usize).cloned().collect();
    Compiled::new(Snapshot { pods, ..snapshot.clone() })
}

/// Whether nothing is told of a change.
fn is_fine(old: &Compiled, new: &Compiled) -> bool {
    let ends = || (0u32..).map(PodId).take(old.snapshot().pods.len()).map(End::Pod);
    let pairs = ends().flat_map(|from| ends().map(move |to| (from, to)));
    let spans = spans(&[old.snapshot(), new.snapshot()]);
    let mut flows = pairs.flat_map(|(from, to)| {
        spans.iter().map(move |span| Flow { from, to, port: span.port(), family: None })
    });
    elsewhere(old, new, None) == Elsewhere::default()
        && flows.all(|flow| Verdict::from(old.expect(&flow)) == Verdict::from(new.expect(&flow)))
}

/// A flow that is answered otherwise, with an end that is none of the first few pods.
fn changed(world: &World, [old, new]: [&Snapshot; 2], kept: u32) -> Option<Flow> {
    let counts = |end: End| match end {
        End::Pod(id) => is_own(old.pod(id)),
        End::Address(_) => true,
    };
    let is_stranger = |end: End| match end {
        End::Pod(id) => id.0 >= kept,
        End::Address(_) => true,
    };
    world.flows().into_iter().find(|flow| {
        let ends = [flow.from, flow.to];
        flow.from != flow.to
            && ends.into_iter().all(counts)
            && ends.into_iter().any(is_stranger)
            && verdict(old, flow) != verdict(new, flow)
    })
}

proptest! {
    #![proptest_config(some_worlds())]

    #[test]
    fn nobody_who_is_answered_otherwise_is_passed_over(
        before in world(), one in policy(), place in any::<Index>(), kept in 0u32..4,
    ) {
        let mut next = before.clone();
        // One policy changes at a time: others may hide what it changes.
        if !next.policies.is_empty() {
            let changed = place.get_mut(&mut next.policies);
            changed.spec = one.spec;
        }
        let [old, new] = [before.snapshot(), next.snapshot()];
        if is_fine(&here(&old, kept), &here(&new, kept)) {
            prop_assert_eq!(changed(&before, [&old, &new], kept), None);
        }
    }

    #[test]
    fn no_policy_of_the_cluster_is_passed_over(
        before in world(), after in cluster_policies(), kept in 0u32..4,
    ) {
        let mut next = before.clone();
        next.cluster_policies = after;
        let [old, new] = [before.snapshot(), next.snapshot()];
        if is_fine(&here(&old, kept), &here(&new, kept)) {
            prop_assert_eq!(changed(&before, [&old, &new], kept), None);
        }
    }

    #[test]
    fn an_order_that_means_nothing_concerns_nobody(world in world()) {
        let old = world.snapshot();
        let mut reversed = world.clone();
        reversed.policies.iter_mut().for_each(reverse);
        let mut new = reversed.snapshot();
        new.policies.reverse();
        let [old, new] = [old, new].map(Compiled::new);
        prop_assert_eq!(elsewhere(&old, &new, None), Elsewhere::default());
    }
}
