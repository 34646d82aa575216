//! Removes `StandInSets` and testers that outlived their test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kube::{Api, ResourceExt};
use netproof_conformance::reference::ObjectRef;
use netproof_crds::ConnectivityTest;
use tokio::{sync::watch, time::timeout};
use tracing::warn;

use crate::{
    controller::{Context, attempts::Aim, perform::Performer},
    stand_in_pod::is_of,
};
use netproof_rounds::{kind::Kind, world::World};

/// How long until the next look if nothing changes.
const LOOK: Duration = Duration::from_secs(10);

/// Ends the testers of tests that are gone, and removes their `StandInSets`. The garbage collector
/// does not reach those in other namespaces than the test's. Ends when the sender of `world` is
/// gone.
pub async fn run(context: Arc<Context>, mut world: watch::Receiver<Arc<World>>) {
    // An aim that is not due at one look is at a later one; looks go on if nothing changes.
    while let Ok(Ok(())) | Err(_) = timeout(LOOK, world.changed()).await {
        let picture = Arc::clone(&world.borrow_and_update());
        if picture.complete.contains(&Kind::Tests) {
            sweep(&context, &picture).await;
        }
    }
}

async fn sweep(context: &Context, world: &World) {
    let client = &context.shared.client;
    let gone = gone(context, world).await;
    for (name, read) in world.stand_in_sets.iter() {
        if let Ok(state) = &read.meaning
            && is_of(&context.pod_settings.installation, state.installation.as_deref())
            && !state.terminating
            && gone.contains(&state.test.uid)
        {
            Performer::new(client, &context.attempts).remove_set(name, &state.uid).await;
        }
    }
    context.keep_only(|_, uid| !gone.contains(uid));
}

/// The UIDs of tests that have `StandInSets` or a tester here and are gone. The World may be older
/// than what the controller knows, so the API server is asked about each, no more often than
/// [`Aim::Test`] is due.
async fn gone(context: &Context, world: &World) -> BTreeSet<String> {
    let there: BTreeSet<&str> =
        world.tests.values().filter_map(|read| read.meaning.as_deref().ok()).collect();
    let sets = world.stand_in_sets.values().filter_map(|read| read.meaning.as_ref().ok());
    let of_sets = sets.filter(|state| !state.terminating).map(|state| {
        let name =
            ObjectRef { namespace: state.test.namespace.clone(), name: state.test.name.clone() };
        (state.test.uid.clone(), name)
    });
    let running = context.running().into_iter().map(|(name, uid)| (uid, name));
    let named: BTreeMap<String, ObjectRef> =
        of_sets.chain(running).filter(|(uid, _)| !there.contains(uid.as_str())).collect();
    let mut gone = BTreeSet::new();
    for (uid, name) in named {
        if context.attempts.begin(&Aim::Test(uid.clone())).is_err() {
            continue;
        }
        let api =
            Api::<ConnectivityTest>::namespaced(context.shared.client.clone(), &name.namespace);
        match api.get_opt(&name.name).await {
            Ok(Some(test)) if test.uid().as_deref() == Some(uid.as_str()) => {}
            Ok(_) => drop(gone.insert(uid)),
            Err(error) => warn!(%error, "Test cannot be looked up"),
        }
    }
    gone
}
