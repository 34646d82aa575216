//! Which installation of netproof this operator is part of, and what of others is in the cluster.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use netproof_conformance::snapshot::ObjectRef;
use tokio::sync::watch;
use tracing::warn;

use crate::{backoff::Backoff, stand_in_pod::is_of, tester::Shared};
use netproof_rounds::{desired::INSTALLATION_LABEL, world::World};

/// Between two counts, whatever changes in between.
const PAUSE: Duration = Duration::from_secs(5);

/// The UID of the operator's namespace: it names the installation, whatever its images are, and one
/// that is made anew is another. Asked for until the API server answers.
pub async fn find(client: &Client, namespace: &str) -> String {
    let api = Api::<Namespace>::all(client.clone());
    let mut backoff = Backoff::default();
    loop {
        match api.get(namespace).await.map(|namespace| namespace.uid()) {
            Ok(Some(uid)) => return uid,
            Ok(None) => warn!(namespace, "Own namespace has no UID"),
            Err(error) => warn!(namespace, %error, "Own namespace cannot be looked up"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Why a pod that carries the label of stand-ins is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// Another installation has made it.
    OfAnother,
    /// Something that makes no stand-ins has.
    Forged,
}

impl Foreign {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::OfAnother, Self::Forged];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::OfAnother => "another_installation",
            Self::Forged => "forged",
        }
    }
}

/// The pods that carry the label of stand-ins and are none of this installation's.
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

/// Counts foreign stand-ins, and names one of each kind when their number changes.
pub async fn census(
    shared: Arc<Shared>,
    installation: String,
    mut world: watch::Receiver<Arc<World>>,
) {
    let mut before = BTreeMap::new();
    while world.changed().await.is_ok() {
        let found = foreign(&Arc::clone(&world.borrow_and_update()), &installation);
        let counts = Foreign::ALL.map(|why| (why, found.get(&why).map_or(0, Vec::len)));
        for (why, count) in counts {
            shared.metrics.foreign(why, count);
            if before.insert(why, count).unwrap_or(0) != count
                && let Some(pod) = found.get(&why).and_then(|pods| pods.first())
            {
                let why = why.word();
                warn!(why, count, %pod, "Pods look like stand-ins and are not ours: left alone");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
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
