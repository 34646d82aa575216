//! Finds pods among the objects that show the same change as strangers like them.

use std::collections::BTreeMap;

use super::{
    homes::{StrangerNamespace, matches},
    terms::StrangerTerms,
    ways::{How, rank},
};
use crate::{
    flow::{Direction, End, Flow},
    reference::ObjectRef,
    strangers::{
        normal::DirectionPolicies,
        subjects::{ChangedSubject, SubjectIdentity, is_own},
    },
};

/// Pods among the objects that a subject meets, a few for each home and for each way in which the
/// selectors of pods match.
pub(super) type Met<'a> = BTreeMap<(usize, Vec<bool>), Vec<&'a ObjectRef>>;

pub(super) fn met<'a>(
    sides: &[DirectionPolicies<'a>; 2],
    subject: &ChangedSubject,
    homes: &[StrangerNamespace],
    terms: &StrangerTerms<'_>,
) -> Met<'a> {
    const FEW: usize = 4;
    let mut met = Met::new();
    let SubjectIdentity::Here(_) = subject.who else { return met };
    let by_vector: BTreeMap<(bool, Vec<bool>), usize> = homes
        .iter()
        .enumerate()
        .map(|(place, home)| ((home.is_own, matches(terms, home)), place))
        .collect();
    for pod in sides[1].snapshot.pods.iter().filter(|pod| is_own(pod)) {
        let name = pod.name.namespace.clone();
        let labels = [0, 1].map(|n| sides[n].snapshot.namespaces.get(&name).cloned());
        let is_own = name == subject.pods[0].name.namespace;
        let home = StrangerNamespace { name, labels, words: String::new(), is_own };
        if let Some(place) = by_vector.get(&(is_own, matches(terms, &home))) {
            let pods = met.entry((*place, terms.matching_pods(&pod.labels))).or_default();
            if pods.len() < FEW {
                pods.push(&pod.name);
            }
        }
    }
    met
}

/// Whether a subject among the objects and one of these pods show the same change, which is then
/// told of them and not of strangers.
pub(super) fn is_told_here(
    sides: &[DirectionPolicies<'_>; 2],
    subject: &ChangedSubject,
    peers: &[&ObjectRef],
    way: &How,
) -> bool {
    let (SubjectIdentity::Here(subjects), (spans, ranks)) = (&subject.who, way) else {
        return false;
    };
    let Some(span) = spans.first() else { return false };
    let answer = |n: usize, subject: &ObjectRef, peer: &ObjectRef| {
        let side: &DirectionPolicies<'_> = &sides[n];
        let (subject, peer) = (End::Pod(side.id(subject)?), End::Pod(side.id(peer)?));
        let (from, to) = match side.direction {
            Direction::Ingress => (peer, subject),
            Direction::Egress => (subject, peer),
        };
        let flow = Flow { from, to, port: span.port(), family: None };
        Some(rank(side.compiled.answer(&flow)))
    };
    subjects.iter().take(2).any(|subject| {
        let others = peers.iter().filter(|peer| **peer != subject);
        others.into_iter().any(|peer| {
            (answer(0, subject, peer), answer(1, subject, peer)) == (Some(ranks.0), Some(ranks.1))
        })
    })
}
