//! Removes what outlived its test.

use std::{collections::BTreeSet, sync::Arc};

use kube::{Api, ResourceExt};
use netproof_crds::ConnectivityTest;
use tokio::sync::watch;
use tracing::warn;

use crate::{
    controller::{Context, perform::delete_set},
    standin::is_of,
    world::{Kind, World},
};

/// Ends the testers of tests that are gone, and removes the stand-ins that the garbage collector
/// does not: those in other namespaces than their test's.
pub async fn run(context: Arc<Context>, mut world: watch::Receiver<Arc<World>>) {
    while world.changed().await.is_ok() {
        let picture = Arc::clone(&world.borrow_and_update());
        if picture.complete.contains(&Kind::Tests) {
            sweep(&context, &picture).await;
        }
    }
}

async fn sweep(context: &Context, world: &World) {
    let tests: BTreeSet<&str> =
        world.tests.values().filter_map(|read| read.meaning.as_deref().ok()).collect();
    let client = &context.shared.client;
    let gone = |namespace: String, name: String, uid: String| async move {
        let api = Api::<ConnectivityTest>::namespaced(client.clone(), &namespace);
        // The picture may be older than what the controller knows: asked once more.
        match api.get_opt(&name).await {
            Ok(found) => found.is_none_or(|test| test.uid().as_deref() != Some(uid.as_str())),
            Err(error) => {
                warn!(%error, "Test cannot be looked up");
                false
            }
        }
    };
    for (name, read) in world.stand_in_sets.iter() {
        let Ok(state) = &read.meaning else { continue };
        let ours = is_of(&context.mould.installation, state.installation.as_deref());
        if !ours || state.terminating || tests.contains(state.test.uid.as_str()) {
            continue;
        }
        let test = state.test.clone();
        if gone(test.namespace.clone(), test.name.clone(), test.uid.clone()).await {
            context.keep_only(|_, uid| uid != test.uid);
            delete_set(client, name, &state.uid).await;
        }
    }
    for (name, uid) in context.running() {
        if !tests.contains(uid.as_str())
            && gone(name.namespace.clone(), name.name.clone(), uid.clone()).await
        {
            context.keep_only(|_, other| *other != uid);
        }
    }
}
