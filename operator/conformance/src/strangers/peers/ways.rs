//! Tells in which ways the answer for two ends changes, port by port.

use std::collections::BTreeMap;

use crate::{
    compiled::{Answer, Compiled},
    flow::{Direction, End, Flow, PodId},
    spans::Span,
};

/// The ports on which an answer changes, and how it does: the ranks before and after.
pub(super) type How = (Vec<Span>, (u8, u8));

/// The rank of an answer. Answers that the API leaves open for different reasons rank the same.
pub(super) fn rank(answer: Answer) -> u8 {
    match answer {
        Answer::Allow => 0,
        Answer::Deny => 1,
        Answer::Unspecified(_) => 2,
    }
}

/// The ways in which the answer for the subject and one other end changes, which may differ by
/// port.
pub(super) fn ways(
    compiled: &[Compiled; 2],
    direction: Direction,
    spans: &[Span],
    other: End,
) -> Vec<(How, (Answer, Answer))> {
    let subject = End::Pod(PodId(0));
    let (from, to) = match direction {
        Direction::Ingress => (other, subject),
        Direction::Egress => (subject, other),
    };
    let mut ways = BTreeMap::<(u8, u8), (Vec<Span>, (Answer, Answer))>::new();
    for span in spans {
        let flow = Flow { from, to, port: span.port(), family: None };
        let [old, new] = [0, 1].map(|n: usize| compiled[n].answer(&flow));
        if rank(old) != rank(new) {
            let way = ways.entry((rank(old), rank(new)));
            way.or_insert_with(|| (Vec::new(), (old, new))).0.push(*span);
        }
    }
    ways.into_iter().map(|(ranks, (spans, answers))| ((spans, ranks), answers)).collect()
}
