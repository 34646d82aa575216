//! Asks a tier of cluster policies: by their priorities, then by the order of their rules, the
//! first rule that matches decides.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    admits::{Match, Side},
    outcomes::{Certainty, Outcomes, Questions},
};
use crate::{
    expected::{Decision, Ruling, Unspecified},
    policy::cluster::{Action, ClusterPolicy, Priority, Tier},
    reference::ClusterRuleRef,
};

/// What a tier decides of a side of a flow.
pub(super) struct TierDecision {
    /// What the tier may decide.
    outcomes: Outcomes,
    /// Whether the tier may decide nothing, so that the next tier is asked.
    goes_on: bool,
    /// What the tier decides by the letter: what is not known to match does not, and among equal
    /// priorities the first by kind and name is applied.
    letter: Letter,
}

/// What a tier decides by the letter.
#[derive(Clone)]
enum Letter {
    Decided(Decision),
    /// A rule says that the next tier decides.
    Passed,
    /// No rule of the policy matches the flow.
    Silent,
}

impl TierDecision {
    /// The outcomes of this tier, with those of what comes after where this one decides nothing.
    pub(super) fn or_else(
        self,
        after: impl FnOnce() -> (Outcomes, Decision),
    ) -> (Outcomes, Decision) {
        match (self.goes_on, self.letter) {
            (false, Letter::Decided(decision)) => (self.outcomes, decision),
            (_, letter) => {
                let (outcomes, next) = after();
                let decision = match letter {
                    Letter::Decided(decision) => decision,
                    Letter::Passed | Letter::Silent => next,
                };
                (self.outcomes.or(outcomes), decision)
            }
        }
    }
}

/// Asks all policies of a tier that apply to the subject.
pub(super) fn ask(side: &Side<'_>, tier: Tier, questions: &mut Questions) -> TierDecision {
    let mut equals: BTreeMap<u16, Vec<&ClusterPolicy>> = BTreeMap::new();
    let mut without_priority = Vec::new();
    let policies = side.cluster_policies().iter().copied();
    for policy in policies.filter(|policy| policy.tier == tier) {
        match policy.priority {
            Priority::At(priority) => equals.entry(priority).or_default().push(policy),
            Priority::Open => without_priority.push(policy),
        }
    }
    let by_priority: Vec<_> = equals.into_values().collect();
    if by_priority.is_empty() || without_priority.is_empty() {
        let all = by_priority.into_iter().chain([without_priority]);
        return in_order(side, all, questions);
    }
    let last = |questions: &mut Questions| {
        let order = by_priority.clone().into_iter().chain([without_priority.clone()]);
        in_order(side, order, questions)
    };
    let first = |questions: &mut Questions| {
        let order = [without_priority.clone()].into_iter().chain(by_priority.clone());
        in_order(side, order, questions)
    };
    match questions.ask(Unspecified::BaselineOrder) {
        Certainty::Only(false) => last(questions),
        Certainty::Only(true) => first(questions),
        Certainty::Open => {
            let (last, first) = (last(questions), first(questions));
            TierDecision {
                outcomes: last.outcomes.or(first.outcomes),
                goes_on: last.goes_on || first.goes_on,
                letter: last.letter,
            }
        }
    }
}

/// Groups of policies of one priority, each group before the next.
fn in_order<'a>(
    side: &Side<'_>,
    groups: impl Iterator<Item = Vec<&'a ClusterPolicy>>,
    questions: &mut Questions,
) -> TierDecision {
    let mut asked =
        TierDecision { outcomes: Outcomes::NONE, goes_on: false, letter: Letter::Silent };
    for group in groups {
        let acts = equals(side, group, questions);
        for action in &acts.actions {
            match action {
                Action::Accept => asked.outcomes = asked.outcomes.or(Outcomes::PASSES),
                Action::Deny => asked.outcomes = asked.outcomes.or(Outcomes::STOPS),
                Action::Pass => asked.goes_on = true,
            }
        }
        if let Letter::Silent = asked.letter {
            asked.letter = acts.letter;
        }
        if !acts.nothing {
            return asked;
        }
    }
    TierDecision { goes_on: true, ..asked }
}

/// What a policy, or some of one priority, may do.
struct Acts {
    /// The actions that may be taken.
    actions: BTreeSet<Action>,
    /// Whether no rule may match.
    nothing: bool,
    letter: Letter,
}

impl Acts {
    fn none() -> Self {
        Self { actions: BTreeSet::new(), nothing: true, letter: Letter::Silent }
    }

    /// The acts of two of equal priority: any of both that matches may be applied.
    fn any(mut self, other: Self) -> Self {
        self.actions.extend(other.actions);
        Self {
            actions: self.actions,
            nothing: self.nothing && other.nothing,
            letter: match self.letter {
                Letter::Silent => other.letter,
                Letter::Decided(_) | Letter::Passed => self.letter,
            },
        }
    }

    /// The acts of two in order: the other is asked where this one does nothing.
    fn then(self, other: Self) -> Self {
        if self.nothing { self.any(other) } else { self }
    }
}

fn equals(side: &Side<'_>, mut group: Vec<&ClusterPolicy>, questions: &mut Questions) -> Acts {
    group.sort_by(|one, other| one.name.cmp(&other.name));
    let acts: Vec<Acts> = group.iter().map(|policy| one(side, policy, questions)).collect();
    let different: BTreeSet<_> =
        acts.iter().map(|acts| &acts.actions).filter(|actions| !actions.is_empty()).collect();
    let disagree = different.len() > 1;
    let acts = acts.into_iter();
    if !disagree {
        return acts.fold(Acts::none(), Acts::any);
    }
    match questions.ask(Unspecified::EqualPriority) {
        Certainty::Open => acts.fold(Acts::none(), Acts::any),
        Certainty::Only(false) => acts.fold(Acts::none(), Acts::then),
        Certainty::Only(true) => acts.rev().fold(Acts::none(), Acts::then),
    }
}

/// What one policy may do, by the order of its rules.
fn one(side: &Side<'_>, policy: &ClusterPolicy, questions: &mut Questions) -> Acts {
    let mut acts = Acts::none();
    for (index, rule) in policy.rules(side.direction).iter().enumerate() {
        match side.matches(rule) {
            Match::No => {}
            Match::Yes { peer, port } => {
                acts.actions.insert(rule.action);
                acts.nothing = false;
                let (policy, direction) = (policy.name.clone(), side.direction);
                let reference = ClusterRuleRef { policy, direction, rule: index, peer, port };
                acts.letter = match Ruling::of(rule.action) {
                    Some(ruling) => Letter::Decided(Decision::Ruled(ruling, reference)),
                    None => Letter::Passed,
                };
                break;
            }
            Match::Maybe(why) => match questions.ask(why) {
                Certainty::Only(false) => {}
                Certainty::Only(true) => {
                    acts.actions.insert(rule.action);
                    acts.nothing = false;
                    break;
                }
                Certainty::Open => {
                    acts.actions.insert(rule.action);
                }
            },
        }
    }
    acts
}
