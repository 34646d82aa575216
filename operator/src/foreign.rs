//! Finds the pods that carry the label of stand-ins and are none of this installation's.

use std::collections::BTreeMap;

use netproof_conformance::reference::ObjectRef;

use crate::stand_in_pod::is_of;
use netproof_rounds::{desired::INSTALLATION_LABEL, world::World};

/// Why a pod that carries the label of stand-ins is none of this installation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// A `StandInSet` owns the pod, and its label names another installation.
    OfAnother,
    /// No `StandInSet` owns the pod: something that makes no stand-ins made it.
    Forged,
}

impl Foreign {
    /// Every variant, in the order of their metrics.
    pub const ALL: [Self; 2] = [Self::OfAnother, Self::Forged];

    /// The word for metrics and logs, which stays the same.
    pub fn word(self) -> &'static str {
        match self {
            Self::OfAnother => "another_installation",
            Self::Forged => "forged",
        }
    }
}

/// The names of such pods, by why they are foreign. Pods that cannot be read are left out.
pub fn foreign(world: &World, installation: &str) -> BTreeMap<Foreign, Vec<ObjectRef>> {
    let mut found: BTreeMap<Foreign, Vec<ObjectRef>> = BTreeMap::new();
    for (name, read) in world.stand_ins.iter() {
        let Ok(pod) = &read.meaning else { continue };
        let mark = pod.labels.get(INSTALLATION_LABEL).map(String::as_str);
        let why = match &pod.owner {
            None => Foreign::Forged,
            Some(_) if !is_of(installation, mark) => Foreign::OfAnother,
            Some(_) => continue,
        };
        found.entry(why).or_default().push(name.clone());
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use netproof_rounds::{fixtures::stand_in, world::Read};

    #[test]
    fn what_another_has_made_and_what_is_forged_is_told_from_ours() {
        let pod = |name: &str, owner: Option<&str>, mark: Option<&str>| {
            let (reference, mut pod) = stand_in(name, "10.0.0.1").pod.expect("it runs");
            pod.owner = owner.map(str::to_owned);
            let mark = mark.map(|mark| (INSTALLATION_LABEL.to_owned(), mark.to_owned()));
            pod.labels.extend(mark);
            (reference, Read { version: "1".into(), meaning: Ok(pod) })
        };
        let stand_ins = [
            pod("ours", Some("set"), Some("here")),
            pod("older", Some("set"), None),
            pod("theirs", Some("set"), Some("there")),
            pod("forged", None, Some("here")),
        ];
        let world = World { stand_ins: Arc::new(stand_ins.into()), ..World::default() };
        let named = |name: &str| vec![ObjectRef { namespace: "shop".into(), name: name.into() }];
        assert_eq!(
            foreign(&world, "here"),
            [(Foreign::OfAnother, named("theirs")), (Foreign::Forged, named("forged"))].into()
        );
    }
}
