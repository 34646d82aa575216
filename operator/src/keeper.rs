//! Keeps the picture of the cluster up to date: follows every kind, where it is to be had.

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

/// Where the objects of a kind are to be had.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectSource {
    /// At every API server: all of a resource, or what of it concerns us.
    Everywhere(ApiResource, Which),
    /// Where the cluster has this kind.
    WhereDefined(&'static KindRow),
}

/// Where the objects of a kind are to be had.
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

/// Keeps a picture of the cluster up to date for as long as somebody looks at it.
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
        // Versions that mean the same are published with the next news: the certification of a
        // verdict compares meanings' versions with the newest picture.
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
