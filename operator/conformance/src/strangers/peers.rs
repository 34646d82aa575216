//! Finds the strangers at the other end of a subject's flows of whom the policies say something
//! else.

mod homes;
mod like_strangers;
mod met;
mod people;
mod terms;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    addresses::{self, Range},
    labels::{Combinations, combinations},
    normal::DirectionPolicies,
    subjects::{ChangedSubject, only},
};
use crate::{
    compiled::{Answer, Compiled},
    flow::{End, PodId, Port},
    select::Labels,
    spans::{Span, spans},
};
use homes::homes;
use like_strangers::LikeStrangers;
use met::{is_told_here, met};
use people::People;
use terms::StrangerTerms;
use ways::{How, ways};

/// How many different strangers are tried with one subject: so many pods, and so many addresses.
const STRANGERS: usize = 1024;

/// The differences that were found for one subject.
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// Whether any stranger is, to the subject's policies, like one that was tried.
    pub(super) is_complete: bool,
}

/// Strangers of whom something else is said, and the ports on which it is.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) others: Vec<String>,
    pub(super) ports: Vec<String>,
    pub(super) old: Answer,
    pub(super) new: Answer,
}

/// Compares what is said of a subject and strangers before and after.
pub(super) fn compare(
    sides: &[DirectionPolicies<'_>; 2],
    subject: &ChangedSubject,
    port: Option<Port>,
) -> Compared {
    let direction = sides[0].direction;
    let known =
        [0, 1].map(|n| only(&subject.pods[n].name.namespace, subject.namespaces[n].as_ref()));
    let selecting = [0, 1].map(|n| sides[n].selecting(&subject.pods[n], &known[n]));
    let terms = StrangerTerms::of(&selecting);
    let mut is_complete = !terms.has_more;
    let ranges = addresses::ranges(&terms.blocks);
    let mut homes = homes(sides, subject, &terms, &mut is_complete);
    let Combinations { all: labels, is_complete: all_labels } =
        combinations(terms.pods.iter().copied());
    is_complete &= all_labels;
    let labels = told_apart(labels, |labels| terms.matching_pods(labels));
    let most = (STRANGERS / labels.len().max(1)).max(1);
    if homes.len() > most || ranges.len() > STRANGERS {
        is_complete = false;
        homes.truncate(most);
    }
    let names = terms.names();
    let free = addresses::for_pods(&ranges, &terms.blocks);
    let people = People { subject, direction, labels: &labels, free: &free, names: &names };
    let mut all: BTreeMap<How, (LikeStrangers, (Answer, Answer))> = BTreeMap::new();
    let is_here = |range: &Range| range.only().is_some_and(|one| is_anybodys(one, sides));
    let met = met(sides, subject, &homes, &terms);
    for (place, home) in homes.iter().enumerate() {
        // Each namespace is asked by itself: another may have its name and other labels.
        let snapshots = [0, 1].map(|n| people.snapshot(n, &selecting[n], home));
        let spans = match port {
            Some(port) => vec![Span::one(port)],
            None => spans(&[&snapshots[0], &snapshots[1]]),
        };
        let compiled = snapshots.map(Compiled::new);
        let ways = |end| ways(&compiled, direction, &spans, end);
        for (id, labels_of_pod) in (1..).zip(&labels) {
            let peers = met.get(&(place, terms.matching_pods(labels_of_pod)));
            let peers = peers.map_or(&[][..], Vec::as_slice);
            let ways = ways(End::Pod(PodId(id))).into_iter();
            for (way, answers) in ways.filter(|(way, _)| !is_told_here(sides, subject, peers, way))
            {
                let told = all.entry(way).or_insert_with(|| (LikeStrangers::default(), answers));
                told.0.pods.push((home, labels_of_pod));
            }
        }
        // An address is in no namespace, so it is asked about once, with the subject's own.
        if home.is_own {
            for range in ranges.iter().take(STRANGERS).filter(|range| !is_here(range)) {
                for (way, answers) in ways(End::Address(range.address())) {
                    let told =
                        all.entry(way).or_insert_with(|| (LikeStrangers::default(), answers));
                    told.0.ranges.push(*range);
                }
            }
        }
    }
    let differences = all.into_iter().map(|((spans, _), (told, (old, new)))| Difference {
        others: told.words(&ranges, labels.len()),
        ports: people.words(spans),
        old,
        new,
    });
    Compared { differences: differences.collect(), is_complete }
}

/// Whether an address is that of a pod or a node that is among the objects.
fn is_anybodys(address: IpAddr, sides: &[DirectionPolicies<'_>; 2]) -> bool {
    sides.iter().all(|side| {
        let of_pods = side.snapshot.pods.iter().flat_map(|pod| &pod.addresses);
        of_pods.chain(side.snapshot.nodes.values().flatten()).any(|one| *one == address)
    })
}

/// The first of each group of labels that `vector` does not tell apart.
fn told_apart(all: Vec<Labels>, vector: impl Fn(&Labels) -> Vec<bool>) -> Vec<Labels> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|labels| seen.insert(vector(labels))).collect()
}
