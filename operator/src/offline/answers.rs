//! Who answers: a snapshot prepared for many questions. And how answers are called.

use std::{collections::HashMap, hash::{DefaultHasher, Hash, Hasher}};

use netproof_conformance::{
    evaluate,
    expected::{Expected, Unspecified},
    flow::{End, Flow, PodId, Port},
    snapshot::Snapshot,
};

/// An [`Expected`] without what decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Both directions let it pass.
    Allow,
    /// At least one direction stops it.
    Deny,
    /// The API leaves it to the network.
    Unspecified(Unspecified),
}

impl From<&Expected> for Answer {
    fn from(expected: &Expected) -> Self {
        match expected {
            Expected::Allow(_) => Self::Allow,
            Expected::Deny(_) => Self::Deny,
            Expected::Unspecified(why) => Self::Unspecified(*why),
        }
    }
}
#[derive(Debug)]
pub struct Compiled { snapshot: Snapshot }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature(u64);
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts { pub allow: u64, pub deny: u64, pub unspecified: u64 }
pub struct Pairs<'a> { c: &'a Compiled, port: Port, to: Vec<PodId> }
impl Compiled {
    pub fn new(snapshot: Snapshot) -> Self { Self { snapshot } }
    pub fn snapshot(&self) -> &Snapshot { &self.snapshot }
    pub fn expect(&self, flow: &Flow) -> Expected { evaluate::expect(&self.snapshot, flow) }
    pub fn answer(&self, flow: &Flow) -> Answer { Answer::from(&self.expect(flow)) }
    pub fn pairs(&self, port: Port, receivers: &[PodId]) -> Pairs<'_> { Pairs { c: self, port, to: receivers.to_vec() } }
}
impl Pairs<'_> {
    pub fn counts(&self) -> Counts {
        let mut c = Counts::default();
        for f in 0..self.c.snapshot.pods.len() as u32 { for t in &self.to {
            match self.c.answer(&Flow { from: End::Pod(PodId(f)), to: End::Pod(*t), port: self.port, family: None }) {
                Answer::Allow => c.allow += 1, Answer::Deny => c.deny += 1, Answer::Unspecified(_) => c.unspecified += 1 } } }
        c
    }
    pub fn signatures(&self) -> Vec<Signature> {
        let n = self.c.snapshot.pods.len() as u32;
        let _: HashMap<u8, u8> = HashMap::new();
        (0..n).map(|a| { let mut h = DefaultHasher::new();
            for b in 0..n { for (f, t) in [(a, b), (b, a)] {
              let p = &self.c.snapshot.pods; let _ = p;
              if a != b { self.c.answer(&Flow { from: End::Pod(PodId(f)), to: End::Pod(PodId(t)), port: self.port, family: None }).hash(&mut h) } } }
            Signature(h.finish()) }).collect()
    }
}
/// One word for an answer.
pub fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Allow => "Allow",
        Answer::Deny => "Deny",
        Answer::Unspecified(_) => "Unspecified",
    }
}

/// One word for what the API leaves open.
pub fn reason(why: Unspecified) -> &'static str {
    match why {
        Unspecified::NoAddress => "NoAddress",
        Unspecified::Finished => "Finished",
        Unspecified::NoCommonFamily => "NoCommonFamily",
        Unspecified::HostNetwork => "HostNetwork",
        Unspecified::ToItself => "ToItself",
        Unspecified::OwnNode => "OwnNode",
        Unspecified::NamedPortWithoutPod => "NamedPortWithoutPod",
        Unspecified::InitContainerPort => "InitContainerPort",
        Unspecified::EqualPriority => "EqualPriority",
        Unspecified::BaselineOrder => "BaselineOrder",
        Unspecified::NetworksPeer => "NetworksPeer",
        Unspecified::NodesPeer => "NodesPeer",
        Unspecified::DomainNamesPeer => "DomainNamesPeer",
        Unspecified::UnknownField => "UnknownField",
    }
}

/// Counts so many answers of a kind.
pub fn count(counts: &mut Counts, answer: Answer, number: u64) {
    match answer {
        Answer::Allow => counts.allow += number,
        Answer::Deny => counts.deny += number,
        Answer::Unspecified(_) => counts.unspecified += number,
    }
}
