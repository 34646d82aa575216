//! Follows a kind for as long as the cluster has it, and knows when the cluster lacks it.
//!
//! A watch on the kind's own `CustomResourceDefinition` says whether the cluster has the kind. So
//! an absent kind costs one silent watch and no polling, and its absence has an age like all that
//! is known.

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

/// Follows all objects of a kind that a cluster may lack, until the receiver of `changes` is gone.
/// While the kind is absent, an [`ObjectChange::Reset`] to no objects stands for that.
pub async fn follow(client: Client, kind: &'static KindRow, changes: mpsc::Sender<ObjectChange>) {
    let (definitions, name) = definition(kind);
    let definitions = Api::all_with(client.clone(), &definitions);
    let mut definition = Following::begin(definitions, Which::Named(name));
    let mut known = Known { client, kind, state: ArrivalState::Unclear };
    loop {
        // A `Following` ends only with its receiver or by a panic. If it ends, what is known ages.
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
    /// The definition was not read yet, or serves no version that can be read.
    Unclear,
    /// There is no definition.
    Absent,
    /// The objects are followed, as they are served.
    Present(Served, Following),
}

impl Known {
    /// The next change of the objects; pending while they are not followed.
    async fn objects(&mut self) -> Option<ObjectChange> {
        match &mut self.state {
            ArrivalState::Present(_, objects) => objects.next().await,
            ArrivalState::Unclear | ArrivalState::Absent => pending().await,
        }
    }

    /// Takes in a change of the definition, and returns what it says of the objects.
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

    /// Follows the objects as they are served now, anew if that differs from before.
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
