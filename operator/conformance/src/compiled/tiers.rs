//! The order of the tiers, for up to 64 flows of one subject at once: a bit for each.

use super::{
    profiles::{Profile, TierPolicies},
    rules::{CompiledClusterRule, Rules},
};
use crate::{flow::Direction, policy::cluster::Action};

/// Which of the flows may pass, and which may be stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OutcomeMasks {
    pub(super) passes: u64,
    pub(super) stops: u64,
}

/// Which of the flows a rule matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matches {
    pub(super) certainly: u64,
    /// Those that it matches for certain among them.
    pub(super) perhaps: u64,
}

/// By the order of the tiers. `admitted` are the flows that a rule of an isolating `NetworkPolicy`
/// admits; it is asked for where they could decide.
pub(super) fn outcomes(
    profile: &Profile,
    direction: Direction,
    rules: &Rules,
    matches: &impl Fn(&CompiledClusterRule) -> Matches,
    admitted: impl FnOnce() -> u64,
) -> OutcomeMasks {
    let ask = Ask { side: super::rules::side(direction), rules, matches };
    let mut outcomes = OutcomeMasks::default();
    let reached = ask.tier(&profile.admin, u64::MAX, &mut outcomes);
    if profile.isolating.is_empty() {
        outcomes.passes |= ask.tier(&profile.baseline, reached, &mut outcomes);
    } else if reached != 0 {
        let admitted = admitted();
        outcomes.passes |= reached & admitted;
        outcomes.stops |= reached & !admitted;
    }
    outcomes
}

struct Ask<'a, M> {
    side: usize,
    rules: &'a Rules,
    matches: &'a M,
}

/// What a policy, or a group of one priority, may do to flows.
struct ActionMasks {
    accepts: u64,
    denies: u64,
    passes: u64,
    nothing: u64,
}

impl<M: Fn(&CompiledClusterRule) -> Matches> Ask<'_, M> {
    /// Adds what the tier may decide of the flows that reach it, and returns those for which it may
    /// decide nothing.
    fn tier(&self, asked: &TierPolicies, reached: u64, outcomes: &mut OutcomeMasks) -> u64 {
        let last = [asked.without_priority.clone()];
        if asked.by_priority.is_empty() || asked.without_priority.is_empty() {
            return self.in_order(asked.by_priority.iter().chain(&last), reached, outcomes);
        }
        self.in_order(asked.by_priority.iter().chain(&last), reached, outcomes)
            | self.in_order(last.iter().chain(&asked.by_priority), reached, outcomes)
    }

    fn in_order<'g>(
        &self,
        groups: impl Iterator<Item = &'g Vec<u32>>,
        mut reached: u64,
        outcomes: &mut OutcomeMasks,
    ) -> u64 {
        let mut passed_on = 0;
        for group in groups {
            let acts = self.equals(group);
            outcomes.passes |= reached & acts.accepts;
            outcomes.stops |= reached & acts.denies;
            passed_on |= reached & acts.passes;
            reached &= acts.nothing;
        }
        passed_on | reached
    }

    fn equals(&self, group: &[u32]) -> ActionMasks {
        let mut all = ActionMasks { accepts: 0, denies: 0, passes: 0, nothing: u64::MAX };
        for &policy in group {
            // Flows that no rule so far matches for certain.
            let mut left = u64::MAX;
            for rule in &self.rules.cluster[policy as usize].rules[self.side] {
                let found = (self.matches)(rule);
                let acts = left & found.perhaps;
                match rule.action {
                    Action::Accept => all.accepts |= acts,
                    Action::Deny => all.denies |= acts,
                    Action::Pass => all.passes |= acts,
                }
                left &= !found.certainly;
            }
            all.nothing &= left;
        }
        all
    }
}
