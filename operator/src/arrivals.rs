//! Follows a kind for as long as the cluster has it, and knows that it is absent while it is.
//!
//! Each such kind is found out by a watch on its one `CustomResourceDefinition`, so that a kind
//! that is absent costs a silent watch and no requests, and its absence has an age like all
//! knowledge.

use std::future::pending;

use kube::{Api, Client};
use netproof_conformance::kinds::KindRow;
use tokio::sync::mpsc;
use tracing::info;

use crate::{
    presence::{Presence, Served, definition, presence},
    watch::{Following, Which},
};
use netproof_rounds::change::{Blind, ObjectChange};

/// Follows all objects of a kind that a cluster may lack, for as long as somebody listens. Where it
/// is absent, that is all there is: nothing.
pub async fn follow(client: Client, kind: &'static KindRow, changes: mpsc::Sender<ObjectChange>) {
    let (definitions, name) = definition(kind);
    let definitions = Api::all_with(client.clone(), &definitions);
    let mut definition = Following::begin(definitions, Which::Named(name));
    let mut known = Known { client, kind, state: ArrivalState::Unclear };
    loop {
        // A follower ends with its listener only. If one broke, what is known ages.
        let change = tokio::select! {
            news = definition.next() => match news {
                Some(news) => known.learn(news),
                None => return,
            },
            change = known.objects() => match change {
                Some(change) => Some(change),
                None => return,
            },
        };
        if let Some(change) = change
            && changes.send(change).await.is_err()
        {
            return;
        }
    }
}

struct Known {
    client: Client,
    kind: &'static KindRow,
    state: ArrivalState,
}

enum ArrivalState {
    /// Its definition was not read, or lets nobody read the objects.
    Unclear,
    /// It has no definition.
    Absent,
    /// Its objects are followed.
    Present(Served, Following),
}

impl Known {
    /// What is told of the objects themselves.
    async fn objects(&mut self) -> Option<ObjectChange> {
        match &mut self.state {
            ArrivalState::Present(_, objects) => objects.next().await,
            ArrivalState::Unclear | ArrivalState::Absent => pending().await,
        }
    }

    /// Takes over what is told of the definition; returns what that says of the objects.
    fn learn(&mut self, news: ObjectChange) -> Option<ObjectChange> {
        let definition = match &news {
            ObjectChange::Reset(definitions) => definitions.first(),
            ObjectChange::Applied(definition) => Some(&**definition),
            ObjectChange::Deleted(_) => None,
            // While the objects are followed, their own watch says how old they are.
            ObjectChange::Alive | ObjectChange::Blind(_) => {
                return match (&self.state, &news) {
                    (ArrivalState::Absent, _) | (ArrivalState::Unclear, ObjectChange::Blind(_)) => {
                        Some(news)
                    }
                    (ArrivalState::Unclear | ArrivalState::Present(..), _) => None,
                };
            }
        };
        match presence(self.kind, definition) {
            Presence::Absent => {
                if let ArrivalState::Present(..) = self.state {
                    info!(kind = self.kind.kind, "Kind has gone");
                }
                self.state = ArrivalState::Absent;
                Some(ObjectChange::Reset(vec![]))
            }
            Presence::Served(served) => {
                self.turn_to(served);
                None
            }
            Presence::Unserved(why) => {
                self.state = ArrivalState::Unclear;
                Some(ObjectChange::Blind(Blind::Failed(why)))
            }
        }
    }

    /// Follows the objects as they are served now.
    fn turn_to(&mut self, served: Served) {
        if let ArrivalState::Present(before, _) = &self.state
            && *before == served
        {
            return;
        }
        info!(kind = self.kind.kind, version = served.resource.version, "Kind is there");
        let objects = Api::all_with(self.client.clone(), &served.resource);
        self.state = ArrivalState::Present(served, Following::begin(objects, Which::All));
    }
}

#[cfg(test)]
#[path = "arrivals_tests.rs"]
mod tests;
