//! Finds out why no flow of the universe meets a goal.

use crate::{
    expected::{Because, Decision, Expected, Unspecified},
    flow::{Direction, End, Flow},
    policy::{Peers, Ports},
    reference::RuleRef,
    report::references,
};

use super::{
    Survey,
    clauses::Clause,
    gap::GapReason,
    goals::Goal,
    tables::{KnownFlow, Sided},
    what_if::RuleChange,
};

/// How many flows are looked at closely for one goal: the first ones speak for the others.
const SOME: usize = 64;

/// What becomes of the flows that would show a clause and do not.
#[derive(Default)]
struct Findings {
    /// What decides these flows in any case: what all of them have in common, if anything.
    shadows: Option<Vec<String>>,
    other_side: Option<Vec<String>>,
    open: Option<Unspecified>,
}

impl Survey {
    /// Why no flow meets this goal.
    pub(super) fn why_never(&self, goal: &Goal) -> GapReason {
        match *goal {
            Goal::Needs(clause) => self.why_not_needed(clause),
            Goal::JustMisses(clause) => self.why_not_missed(clause),
            Goal::Denied(clause) => {
                let all = self.examined(clause, |_, _| true);
                self.close(clause, &all, GapReason::NoSubject)
            }
            Goal::Decides(clause) => self.why_not_deciding(clause),
            // These are goals only if some flow meets them.
            Goal::Path { .. } | Goal::Reached(..) => GapReason::BudgetEnded,
        }
    }

    fn why_not_needed(&self, clause: usize) -> GapReason {
        if !self.has_subject(clause) {
            return GapReason::NoSubject;
        }
        let is_peer = |side: &Sided| self.tables.is_peer(clause, side);
        let is_port = |seen: &KnownFlow| self.tables.is_port(clause, seen);
        let admitted = self.examined(clause, |side, seen| is_peer(side) && is_port(seen));
        let otherwise = if self.examined(clause, |side, _| is_peer(side)).is_empty() {
            GapReason::NoPeer
        } else if self.examined(clause, |_, seen| is_port(seen)).is_empty() {
            GapReason::NoPort
        } else {
            GapReason::NotTogether
        };
        self.close(clause, &admitted, otherwise)
    }

    fn why_not_missed(&self, clause: usize) -> GapReason {
        if !self.has_subject(clause) {
            return GapReason::NoSubject;
        }
        let rule = self.clauses.all[clause].rule(self.compiled.snapshot());
        if rule.is_some_and(|(_, rule)| rule.peers == Peers::Everyone && rule.ports == Ports::All) {
            return GapReason::NothingMisses;
        }
        let near =
            |side: &Sided, seen: &KnownFlow| self.tables.just_misses(clause, side, seen).is_some();
        self.close(clause, &self.examined(clause, near), GapReason::NoNearMiss)
    }

    fn why_not_deciding(&self, clause: usize) -> GapReason {
        let snapshot = self.compiled.snapshot();
        let Clause::Cluster { policy, direction, .. } = self.clauses.all[clause] else {
            return GapReason::NeverDecides;
        };
        let policy = &snapshot.cluster_policies[policy];
        let subject = |(_, flow): &&(_, Flow)| match own(direction, flow.from, flow.to) {
            End::Pod(id) => policy.subjects.matches(snapshot.pod(id), &snapshot.namespaces),
            End::Address(_) => false,
        };
        let mut subjects = self.flows.iter().filter(subject).map(|(_, flow)| flow).peekable();
        if subjects.peek().is_none() {
            return GapReason::NoSubject;
        }
        let mut open = None;
        for flow in subjects {
            let expected = self.compiled.expect(flow);
            if let Expected::Unspecified(why) = expected {
                open.get_or_insert(why);
            } else if self.clauses.ruling(&expected).any(|one| one == clause) {
                return match self.what_if(clause, RuleChange::Without, flow) {
                    Expected::Unspecified(why) => GapReason::LeftOpen(why),
                    without => GapReason::Shadowed(references(&without)),
                };
            }
        }
        open.map_or(GapReason::NeverDecides, GapReason::LeftOpen)
    }

    fn has_subject(&self, clause: usize) -> bool {
        !self.examined(clause, |_, _| true).is_empty()
    }

    /// The first flows of which the clause has a subject at their side, and this holds.
    fn examined(&self, clause: usize, holds: impl Fn(&Sided, &KnownFlow) -> bool) -> Vec<usize> {
        let direction = self.clauses.all[clause].direction();
        let flows = self.seen.iter().enumerate().filter(|(_, seen)| {
            let mut sides = seen.sides.iter().flatten();
            sides.any(|side| {
                side.direction == direction
                    && self.tables.is_isolating(clause, side)
                    && holds(side, seen)
            })
        });
        flows.map(|(flow, _)| flow).take(SOME).collect()
    }

    /// Looks closely at flows that would show a clause.
    fn close(&self, clause: usize, flows: &[usize], otherwise: GapReason) -> GapReason {
        let mut found = Findings::default();
        for flow in flows {
            self.note(clause, *flow, &mut found);
        }
        match found {
            Findings { shadows: Some(by), .. } => GapReason::Shadowed(by),
            Findings { other_side: Some(by), .. } => GapReason::OtherSide(by),
            Findings { open: Some(why), .. } => GapReason::LeftOpen(why),
            Findings { .. } => otherwise,
        }
    }

    fn note(&self, clause: usize, flow: usize, found: &mut Findings) {
        let (_, flow) = &self.flows[flow];
        let because = match self.compiled.expect(flow) {
            Expected::Unspecified(why) => {
                found.open.get_or_insert(why);
                return;
            }
            Expected::Allow(because) | Expected::Deny(because) => because,
        };
        let direction = self.clauses.all[clause].direction();
        let Because { egress, ingress } = &because;
        let (own, other) = match direction {
            Direction::Egress => (egress, ingress),
            Direction::Ingress => (ingress, egress),
        };
        let by = self.others(clause, own);
        if !by.is_empty() {
            match &mut found.shadows {
                None => found.shadows = Some(by),
                // Where no one shadows it all, the first ones stand for the others.
                Some(common) if common.iter().any(|one| by.contains(one)) => {
                    common.retain(|one| by.contains(one));
                }
                Some(_) => {}
            }
        } else if !other.allows() {
            found.other_side.get_or_insert_with(|| deniers(other, direction));
        } else if let Some(why) = self.left_open(clause, flow) {
            found.open.get_or_insert(why);
        }
    }

    /// Whether the API leaves open what would become of the flow, were the clause another.
    fn left_open(&self, clause: usize, flow: &Flow) -> Option<Unspecified> {
        RuleChange::ALL.into_iter().find_map(|change| match self.what_if(clause, change, flow) {
            Expected::Unspecified(why) => Some(why),
            Expected::Allow(_) | Expected::Deny(_) => None,
        })
    }

    /// What decides on a side, other than the clause and its like.
    fn others(&self, clause: usize, decision: &Decision) -> Vec<String> {
        match decision {
            Decision::AllowedBy(rules) => {
                let mut names: Vec<String> = rules
                    .iter()
                    .filter(|rule| !self.is_of(clause, rule))
                    .map(|rule| RuleRef { peer: None, port: None, ..rule.clone() }.to_string())
                    .collect();
                names.dedup();
                names
            }
            Decision::Ruled(_, rule) => {
                vec![format!("{} {}[{}]", rule.policy, rule.direction, rule.rule)]
            }
            Decision::Exempt | Decision::NotIsolated | Decision::DeniedBy(_) => Vec::new(),
        }
    }

    fn is_of(&self, clause: usize, rule: &RuleRef) -> bool {
        let Clause::Rule { direction, rule: place, .. } = self.clauses.all[clause] else {
            return false;
        };
        self.clauses.policy(clause, self.compiled.snapshot()) == Some(&rule.policy)
            && (direction, place) == (rule.direction, rule.rule)
    }
}

fn own(direction: Direction, from: End, to: End) -> End {
    match direction {
        Direction::Egress => from,
        Direction::Ingress => to,
    }
}

/// What denies on the side that is not of this direction.
fn deniers(decision: &Decision, own: Direction) -> Vec<String> {
    let other = match own {
        Direction::Egress => Direction::Ingress,
        Direction::Ingress => Direction::Egress,
    };
    match decision {
        Decision::DeniedBy(names) => names.iter().map(|name| format!("{name} {other}")).collect(),
        Decision::Ruled(_, rule) => vec![rule.to_string()],
        Decision::Exempt | Decision::NotIsolated | Decision::AllowedBy(_) => Vec::new(),
    }
}
