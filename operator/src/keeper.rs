//! Keeps the World up to date: follows every kind that the cluster has.

use std::sync::Arc;

use kube::{Api, Client, api::ApiResource};
use netproof_conformance::{
    kinds::{Availability, KindRow},
    snapshot::Revision,
};
use tokio::sync::{mpsc, watch};

use crate::{
    arrivals,
    watch::{self as watches, Which},
};
use netproof_rounds::{
    change::ObjectChange,
    desired,
    kind::{Kind, resource},
    world::World,
};

/// How the objects of a kind are followed.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectSource {
    /// The kind is in every cluster: all objects of the resource, or some of them.
    Everywhere(ApiResource, Which),
    /// A cluster may lack the kind: its definition is followed too.
    WhereDefined(&'static KindRow),
}

/// How the objects of this kind are followed.
pub fn source(kind: Kind) -> ObjectSource {
    let row = kind.row();
    match row.availability {
        Availability::Always => ObjectSource::Everywhere(resource(row, row.version()), which(kind)),
        Availability::WhereDefined => ObjectSource::WhereDefined(row),
    }
}

fn which(kind: Kind) -> Which {
    match kind {
        Kind::StandIns => Which::Labelled(desired::TEST_UID_LABEL),
        Kind::NetworkPolicies
        | Kind::ClusterPolicies(_)
        | Kind::Namespaces
        | Kind::Nodes
        | Kind::Tests
        | Kind::StandInSets
        | Kind::Deployments
        | Kind::StatefulSets
        | Kind::DaemonSets => Which::All,
    }
}

/// Keeps the World in `pictures` up to date, until all its receivers are gone.
pub async fn keep(client: Client, pictures: watch::Sender<Arc<World>>) {
    let (changes, mut all) = mpsc::channel::<(Kind, ObjectChange)>(256);
    for kind in Kind::all() {
        tokio::spawn(follow(client.clone(), kind, changes.clone()));
    }
    drop(changes);
    let mut world = World::default();
    while let Some((kind, change)) = all.recv().await {
        let mut news = world.take(kind, change);
        while let Ok((kind, change)) = all.try_recv() {
            news |= world.take(kind, change);
        }
        // An object's new version with the same meaning is no news: receivers are not woken, and a
        // certification compares versions with the newest World, which has it.
        world.revision = Revision(world.revision.0 + 1);
        let published = pictures.send_if_modified(|picture| {
            *picture = Arc::new(world.clone());
            news
        });
        if !published && pictures.is_closed() {
            return;
        }
    }
}

async fn follow(client: Client, kind: Kind, changes: mpsc::Sender<(Kind, ObjectChange)>) {
    let (of_kind, mut received) = mpsc::channel(64);
    let follower = match source(kind) {
        ObjectSource::Everywhere(resource, which) => {
            let api = Api::all_with(client, &resource);
            tokio::spawn(watches::follow(api, which, of_kind))
        }
        ObjectSource::WhereDefined(kind) => tokio::spawn(arrivals::follow(client, kind, of_kind)),
    };
    while let Some(change) = received.recv().await {
        if changes.send((kind, change)).await.is_err() {
            break;
        }
    }
    follower.abort();
}
