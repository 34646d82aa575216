//! Chooses few flows that show much, greedily: the flow that shows most comes first.

use std::{cmp::Reverse, collections::BTreeSet, collections::BinaryHeap};

use crate::{compiled::Answer, matrix::Cell};

use super::{
    Chosen, Survey,
    gap::{Gap, GapReason, What},
    goals::Rank,
    mutant::Mutant,
};

/// How many rules, and how many paths, a flow shows that are not shown yet.
type Gain = (usize, usize);

/// A choice that is being made.
struct CoverageChoice<'a> {
    survey: &'a Survey,
    budget: usize,
    is_chosen: Vec<bool>,
    chosen: Vec<usize>,
    is_shown: Vec<bool>,
    /// The gain of each flow as it was last counted, which is an upper bound; the highest first,
    /// then by cell.
    heap: BinaryHeap<(Gain, Reverse<usize>)>,
}

impl Survey {
    /// Chooses flows, at most as many as the budget: those that are required, then those that show
    /// rules, then those that tell mutants from a sound network, then those that show paths between
    /// nodes. The same input always gives the same choice.
    ///
    /// What is required and not of the universe is left out without a word.
    pub fn choose(
        &self,
        required: &BTreeSet<Cell>,
        budget: usize,
        mutants: &[Mutant<'_>],
    ) -> Chosen {
        let mut choice = CoverageChoice::new(self, budget);
        let required: Vec<usize> = required.iter().filter_map(|cell| self.place(cell)).collect();
        for flow in &required {
            choice.take(*flow);
        }
        choice.cover(|(rules, _)| rules > 0);
        for mutant in mutants {
            choice.tell(mutant);
        }
        choice.cover(|gain| gain > (0, 0));
        let mut coverage = self.assess(&choice.is_chosen, &choice.is_chosen, mutants);
        let left_out = required.iter().filter(|flow| !choice.is_chosen[**flow]).count();
        if left_out > 0 {
            let gap = Gap { what: What::Required(left_out), why: GapReason::BudgetEnded };
            coverage.gaps.insert(0, gap);
        }
        let cells = choice.chosen.iter().map(|flow| self.flows[*flow].0.clone()).collect();
        Chosen { cells, coverage }
    }
}

impl<'a> CoverageChoice<'a> {
    fn new(survey: &'a Survey, budget: usize) -> Self {
        let mut choice = Self {
            survey,
            budget,
            is_chosen: vec![false; survey.flows.len()],
            chosen: Vec::new(),
            is_shown: vec![false; survey.goals.all.len()],
            heap: BinaryHeap::new(),
        };
        choice.heap = (0..survey.flows.len())
            .map(|flow| (choice.gain(flow), Reverse(flow)))
            .filter(|(gain, _)| *gain > (0, 0))
            .collect();
        choice
    }

    fn gain(&self, flow: usize) -> Gain {
        let goals = &self.survey.goals;
        let new = goals.shown[flow].iter().filter(|goal| !self.is_shown[**goal as usize]);
        new.fold((0, 0), |(rules, paths), goal| match goals.all[*goal as usize].rank() {
            Rank::Rule => (rules + 1, paths),
            Rank::Path => (rules, paths + 1),
        })
    }

    /// Takes a flow, if the budget allows one more.
    fn take(&mut self, flow: usize) {
        if self.is_chosen[flow] || self.chosen.len() >= self.budget {
            return;
        }
        self.is_chosen[flow] = true;
        self.chosen.push(flow);
        for goal in &self.survey.goals.shown[flow] {
            self.is_shown[*goal as usize] = true;
        }
    }

    /// Takes the flows that show most, as long as this is worth it. A gain never grows, so that
    /// only the one on top has to be counted anew.
    fn cover(&mut self, is_worth: impl Fn(Gain) -> bool) {
        while self.chosen.len() < self.budget {
            let Some((promised, Reverse(flow))) = self.heap.pop() else { return };
            let gain = self.gain(flow);
            if gain < promised {
                if gain > (0, 0) {
                    self.heap.push((gain, Reverse(flow)));
                }
            } else if is_worth(gain) {
                self.take(flow);
            } else {
                self.heap.push((gain, Reverse(flow)));
                return;
            }
        }
    }

    /// Takes the first flow by which a mutant differs, unless one is chosen already.
    fn tell(&mut self, mutant: &Mutant<'_>) {
        if self.chosen.len() >= self.budget
            || self.chosen.iter().any(|flow| self.survey.tells(*flow, mutant))
        {
            return;
        }
        let all = 0..self.survey.flows.len();
        if let Some(flow) = all.into_iter().find(|flow| self.survey.tells(*flow, mutant)) {
            self.take(flow);
        }
    }
}

impl Survey {
    /// Whether a flow tells a mutant from a network that does what the policies say.
    pub(super) fn tells(&self, flow: usize, mutant: &Mutant<'_>) -> bool {
        match self.seen[flow].answer {
            Answer::Unspecified(_) => false,
            answer @ (Answer::Allow | Answer::Deny) => mutant.differs(&self.flows[flow].1, answer),
        }
    }
}

/// Adds flows of a universe to those chosen, up to the budget and evenly spread: what is left of a
/// budget is evidence too.
///
/// ```
/// use std::collections::BTreeSet;
///
/// use netproof_conformance::{
///     coverage::spread,
///     flow::{Port, Protocol},
///     matrix::{Actor, Cell},
/// };
///
/// let cell = |number| {
///     let port = Port { number, protocol: Protocol::Tcp };
///     Cell { from: Actor::sole("web"), to: Actor::sole("db"), port }
/// };
/// let universe: Vec<Cell> = (1..=4).map(cell).collect();
/// assert_eq!(spread(BTreeSet::new(), &universe, 2), [cell(1), cell(3)].into());
/// ```
pub fn spread<'a>(
    mut chosen: BTreeSet<Cell>,
    universe: impl IntoIterator<Item = &'a Cell>,
    budget: usize,
) -> BTreeSet<Cell> {
    let others: Vec<&Cell> = universe.into_iter().filter(|cell| !chosen.contains(*cell)).collect();
    let room = budget.saturating_sub(chosen.len()).min(others.len());
    chosen.extend((0..room).map(|number| others[number * others.len() / room].clone()));
    chosen
}
