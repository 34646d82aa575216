//! Removes all stand-ins when netproof itself is removed, in whichever order its parts go.
//!
//! Once the operator's namespace is deleted, its objects go one by one: pods first, where the
//! cluster orders that, else in any order, and the operator's service account among them. So
//! removal begins as soon as the namespace is seen to go, not when the operator is told to end. If
//! the operator's rights go first, removing the definitions removes the rest, and the kubelet ends
//! the pods that are left.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod},
};
use kube::{Api, api::DynamicObject};
use netproof_conformance::reference::ObjectRef;
use netproof_crds::{Reason, StandInSet};
use tokio::{sync::watch, time::timeout};
use tracing::{info, warn};

use crate::{
    controller::{
        Context,
        perform::{delete_pod, delete_set},
    },
    stand_in_pod::is_of,
    watch::{Which, erased, list},
};
use netproof_rounds::{
    decode::{PodProgress, PodState, SetState},
    desired::TEST_UID_LABEL,
    kind::Kind,
    scenario::Problem,
    world::World,
};

/// How many removals are under way at once at most.
const AT_A_TIME: usize = 16;

/// How long after a round of removals the next look at what is left comes.
const PAUSE: Duration = Duration::from_millis(300);

/// The same if what is left could not be listed, which may last.
const BLIND_PAUSE: Duration = Duration::from_secs(3);

/// How long a request may take that asks whether the operator is removed: a small part of the time
/// that `run` gives the end.
const LOOK: Duration = Duration::from_secs(3);

/// The objects of the operator that somebody deletes to remove it.
#[derive(Clone, Debug)]
pub struct Itself {
    /// The operator's namespace.
    pub namespace: String,
    /// The name of the operator's Deployment in that namespace.
    pub deployment: String,
}

/// Waits until the operator's own namespace is seen to be going. Cancel safe.
pub async fn begins(itself: &Itself, mut world: watch::Receiver<Arc<World>>) {
    let goes = |world: &Arc<World>| world.is_going(&itself.namespace);
    if world.wait_for(goes).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether an operator that is told to end is removed, and not just restarted or moved: its
/// namespace is going, or its Deployment is gone, going, or scaled to 0. False if neither is known
/// within 3 s.
pub async fn is_meant(context: &Context, itself: &Itself) -> bool {
    let client = &context.shared.client;
    let namespaces = Api::<Namespace>::all(client.clone());
    let deployments = Api::<Deployment>::namespaced(client.clone(), &itself.namespace);
    let (namespace, deployment) = tokio::join!(
        timeout(LOOK, namespaces.get_opt(&itself.namespace)),
        timeout(LOOK, deployments.get_opt(&itself.deployment)),
    );
    let namespace = namespace.map(|found| {
        found.map(|found| found.is_none_or(|it| it.metadata.deletion_timestamp.is_some()))
    });
    let deployment = deployment.map(|found| {
        found.map(|found| {
            found.is_none_or(|it| {
                let replicas = it.spec.as_ref().and_then(|spec| spec.replicas);
                it.metadata.deletion_timestamp.is_some() || replicas == Some(0)
            })
        })
    });
    let mut meant = context.shared.world.borrow().is_going(&itself.namespace);
    for answer in [namespace, deployment] {
        match answer {
            Ok(Ok(gone)) => meant |= gone,
            Ok(Err(error)) => warn!(%error, "Not known whether the operator is removed"),
            Err(_) => warn!("No answer in time whether the operator is removed"),
        }
    }
    meant
}

/// Says in every status that nobody tests any more, and removes all that this installation has
/// placed. Ends once nothing is left, so it needs a deadline of the caller's; from its start on
/// nothing new is placed.
pub async fn carry_out(context: &Context) {
    info!("Operator is being removed: removing all stand-ins");
    let why = Problem::new(
        Reason::OperatorRemoved,
        "netproof is being removed from the cluster: nobody tests any more",
    );
    // The operator's rights to either may go at any moment, so both begin at once.
    tokio::join!(context.retire(&why), remove_all(context));
}

async fn remove_all(context: &Context) {
    let mut owners = BTreeSet::new();
    loop {
        let (left, pause) = match Left::listed(context, &owners).await {
            Ok(left) => (left, PAUSE),
            Err(error) => {
                warn!(%error, "What is left cannot be listed");
                let world = Arc::clone(&context.shared.world.borrow());
                (Left::of(&world, &context.pod_settings.installation, &owners), BLIND_PAUSE)
            }
        };
        if left.is_nothing() {
            info!("Nothing is left");
            return;
        }
        owners.extend(left.sets.values().cloned());
        left.remove(context).await;
        tokio::time::sleep(pause).await;
    }
}

/// The objects that this installation has placed and that are not going yet: UIDs by names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    sets: BTreeMap<ObjectRef, String>,
    pods: BTreeMap<ObjectRef, String>,
}

impl Left {
    /// Lists what is left at the API server: the World may lack what was placed a moment ago.
    async fn listed(context: &Context, owners: &BTreeSet<String>) -> Result<Self, kube::Error> {
        let client = &context.shared.client;
        let [sets, pods] = [erased::<StandInSet>(), erased::<Pod>()]
            .map(|resource| Api::<DynamicObject>::all_with(client.clone(), &resource));
        let which = Which::Labelled(TEST_UID_LABEL);
        let (sets, pods) = tokio::try_join!(list(&sets, &which), list(&pods, &which))?;
        let sets = sets.0.into_iter().map(|set| (Kind::StandInSets, set));
        let pods = pods.0.into_iter().map(|pod| (Kind::StandIns, pod));
        Ok(Self::of(&World::of(sets.chain(pods)), &context.pod_settings.installation, owners))
    }

    /// What is left in `world`. Pods are known by their owners, among them `owners` that are gone.
    fn of(world: &World, installation: &str, owners: &BTreeSet<String>) -> Self {
        let ours: BTreeMap<&ObjectRef, &SetState> = world
            .stand_in_sets
            .iter()
            .filter_map(|(name, read)| Some((name, read.meaning.as_ref().ok()?)))
            .filter(|(_, set)| is_of(installation, set.installation.as_deref()))
            .collect();
        let owned = |pod: &PodState| {
            let owner = pod.owner.as_ref();
            owner.is_some_and(|uid| owners.contains(uid) || ours.values().any(|s| s.uid == *uid))
        };
        let pods = world
            .stand_ins
            .iter()
            .filter_map(|(name, read)| Some((name, read.meaning.as_ref().ok()?)))
            .filter(|(_, pod)| pod.progress != PodProgress::Terminating && owned(pod))
            .map(|(name, pod)| (name.clone(), pod.uid.clone()))
            .collect();
        let sets = ours.into_iter().filter(|(_, set)| !set.terminating);
        Self { sets: sets.map(|(name, set)| (name.clone(), set.uid.clone())).collect(), pods }
    }

    fn is_nothing(&self) -> bool {
        self.sets.is_empty() && self.pods.is_empty()
    }

    /// Removes the sets, then the pods, each once. If time is over before all pods are removed, the
    /// garbage collector removes the others after their sets.
    async fn remove(&self, context: &Context) {
        let client = &context.shared.client;
        let sets = self.sets.iter().map(|(name, uid)| delete_set(client, name, uid));
        futures::stream::iter(sets).buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
        let pods = self.pods.iter().map(|(name, uid)| delete_pod(client, name, uid));
        futures::stream::iter(pods).buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    }
}

#[cfg(test)]
mod tests {
    use netproof_crds::TestRef;

    use super::*;
    use netproof_rounds::{fixtures::stand_in, world::Read};

    fn reference(name: &str) -> ObjectRef {
        ObjectRef { namespace: "shop".into(), name: name.into() }
    }

    fn set(uid: &str, installation: Option<&str>, terminating: bool) -> Read<SetState> {
        let test = TestRef { namespace: "shop".into(), name: "t".into(), uid: "u".into() };
        let installation = installation.map(str::to_owned);
        let meaning = Ok(SetState { uid: uid.into(), test, installation, terminating });
        Read { version: "1".into(), meaning }
    }

    fn pod(name: &str, owner: Option<&str>, progress: PodProgress) -> (ObjectRef, Read<PodState>) {
        let (reference, pod) = stand_in(name, "10.0.0.1").pod.expect("it runs");
        let pod = PodState { owner: owner.map(str::to_owned), progress, ..pod };
        (reference, Read { version: "1".into(), meaning: Ok(pod) })
    }

    #[test]
    fn what_is_ours_is_left_until_it_is_going_and_nothing_else_is_touched() {
        let sets = [
            (reference("ours"), set("s1", Some("here"), false)),
            (reference("older"), set("s2", None, false)),
            (reference("going"), set("s3", Some("here"), true)),
            (reference("theirs"), set("s4", Some("there"), false)),
        ];
        let pods = [
            pod("of-ours", Some("s1"), PodProgress::Running),
            pod("of-going", Some("s3"), PodProgress::Starting),
            pod("going", Some("s1"), PodProgress::Terminating),
            pod("of-gone", Some("s0"), PodProgress::Running),
            pod("theirs", Some("s4"), PodProgress::Running),
            pod("forged", None, PodProgress::Running),
        ];
        let world = World {
            stand_in_sets: Arc::new(sets.into()),
            stand_ins: Arc::new(pods.into()),
            ..World::default()
        };
        let left = Left::of(&world, "here", &["s0".to_owned()].into());
        let names = |left: &BTreeMap<ObjectRef, String>| -> Vec<String> {
            left.keys().map(|name| name.name.clone()).collect()
        };
        assert_eq!(names(&left.sets), ["older", "ours"]);
        assert_eq!(names(&left.pods), ["of-going", "of-gone", "of-ours"]);
    }
}
