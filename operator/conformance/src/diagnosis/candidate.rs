//! Candidates for an explanation of the findings: a fault and its place, or two of them.

use std::fmt;

use super::{
    mutation::{Mutation, Past},
    prediction::Mutated,
    scope::Scope,
};
use crate::snapshot::Snapshot;

/// The name of two faults at once.
pub(super) const COMBINATION: &str = "combination";

/// A fault with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In what respect the network is wrong, wherever that is.
    pub mutation: &'static Mutation,
    /// For which subjects, or on which paths, the network is wrong.
    pub scope: Scope,
    /// Which of the evidence's pasts a fault of memory speaks of, by its place there; 0 for all
    /// other faults.
    pub past: usize,
}

/// What may explain the findings: one fault, or two at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The faults, in the order in which they are applied. Never empty.
    pub faults: Vec<Fault>,
}

impl Candidate {
    pub(super) fn single(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }

    /// Two faults, put into the order in which they are applied.
    pub(super) fn pair(one: &Fault, other: &Fault) -> Self {
        let mut faults = vec![one.clone(), other.clone()];
        faults.sort_by_key(|fault| (fault.mutation.stage, fault.mutation.place()));
        Self { faults }
    }

    /// The stable name: the mutation's, or that it is a combination.
    pub fn name(&self) -> &'static str {
        match self.faults.as_slice() {
            [fault] => fault.mutation.name,
            [..] => COMBINATION,
        }
    }

    /// Where the fault is, in words; none if that is everywhere. Of two faults, each with its name.
    pub fn place(&self) -> Option<String> {
        match self.faults.as_slice() {
            [fault] if fault.scope == Scope::Cluster => None,
            [fault] => Some(fault.scope.to_string()),
            faults => {
                let places =
                    faults.iter().map(|one| format!("{} {}", one.mutation.name, one.scope));
                Some(places.collect::<Vec<_>>().join(" and "))
            }
        }
    }

    /// How much there is to say of the candidate: the lesser, the simpler.
    pub(super) fn simplicity(&self) -> (usize, u8) {
        let scopes = self.faults.iter().map(|fault| fault.scope.simplicity());
        (self.faults.len(), scopes.max().unwrap_or_default())
    }

    /// How much the candidate claims: of two that predict the same, the lesser is named.
    pub(super) fn claims(&self) -> impl Ord + use<> {
        let faults = self.faults.iter();
        let reach = faults.clone().map(|fault| fault.mutation.reach).max();
        let places: Vec<_> =
            faults.map(|one| (one.mutation.place(), one.scope.clone(), one.past)).collect();
        (reach, places)
    }

    /// What a network with these faults makes of a snapshot. A fault on a path may only be the
    /// single one.
    pub(super) fn mutate(&self, snapshot: &Snapshot, pasts: &[Past]) -> Mutated {
        let nothing = Past::default();
        let apply = |before: Snapshot, fault: &Fault| {
            let past = pasts.get(fault.past).unwrap_or(&nothing);
            let after = fault.mutation.apply(&before, past);
            fault.scope.restrict(&before, after)
        };
        let mutated = self.faults.iter().fold(snapshot.clone(), apply);
        let path = self.faults.iter().find_map(|fault| fault.scope.path());
        Mutated { snapshot: mutated, path: path.cloned() }
    }
}

/// Completes "behaves as a network that …".
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one, other] = self.faults.as_slice()
            && one.mutation == other.mutation
            && one.scope != Scope::Cluster
            && other.scope != Scope::Cluster
        {
            return write!(f, "{}, {} and {} only", one.mutation.claim, one.scope, other.scope);
        }
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str(", and ")?;
            }
            f.write_str(fault.mutation.claim)?;
            match &fault.scope {
                Scope::Cluster => {}
                scope => write!(f, ", {scope} only")?,
            }
        }
        Ok(())
    }
}
