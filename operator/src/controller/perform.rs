//! Carries out what was decided about stand-ins, and says what the API server answered.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use netproof_conformance::reference::ObjectRef;
use netproof_crds::{Reason, StandInSet, TestRef};
use tokio::time::Instant;
use tracing::{info, warn};

use super::attempts::{Aim, Attempts, NotDue};
use crate::{
    FIELD_MANAGER,
    placement::PlacementAction,
    stand_in_pod::{PodSettings, is_of, set, set_name},
};
use netproof_rounds::{decode::SetState, desired::Desired, scenario::Problem, world::World};

/// The UID of a test's `StandInSet` in each namespace, or why there is none.
pub type Sets = BTreeMap<String, Result<String, Problem>>;

/// Asks the API server for what was decided, except for aims that are not due.
pub struct Performer<'a> {
    client: &'a Client,
    attempts: &'a Attempts,
    /// When the first of all aims so far is due again, attempted or not.
    again: Option<Instant>,
}

impl<'a> Performer<'a> {
    /// A performer that has asked for nothing yet.
    pub fn new(client: &'a Client, attempts: &'a Attempts) -> Self {
        Self { client, attempts, again: None }
    }

    /// When to reconcile again though nothing changes; none if nothing was aimed at.
    pub fn again(&self) -> Option<Instant> {
        self.again
    }

    /// Begins an attempt if the aim is due.
    fn begin(&mut self, aim: &Aim) -> Result<(), NotDue> {
        let begun = self.attempts.begin(aim);
        let again = begun.as_ref().map_or_else(|not_due| not_due.again, |again| *again);
        self.again = Some(self.again.map_or(again, |other| other.min(again)));
        begun.map(drop)
    }

    /// Makes something if the aim is due. Returns the outcome of this attempt or else of the last:
    /// the UID of what was made, or why nothing was; none while the last is under way.
    async fn make(
        &mut self,
        aim: &Aim,
        made: impl Future<Output = Result<String, Problem>>,
    ) -> Option<Result<String, Problem>> {
        if let Err(not_due) = self.begin(aim) {
            return not_due.outcome;
        }
        let made = made.await;
        match &made {
            Ok(uid) => self.attempts.made(aim, uid.clone()),
            Err(problem) => self.attempts.failed(aim, problem.clone()),
        }
        Some(made)
    }

    /// Removes the `StandInSet` with this UID, and thereby its stand-ins, if that is due. Errors
    /// are logged.
    pub async fn remove_set(&mut self, name: &ObjectRef, uid: &str) {
        if self.begin(&Aim::Removal(uid.to_owned())).is_ok() {
            delete_set(self.client, name, uid).await;
        }
    }
}

/// Makes a `StandInSet` in each namespace in which the test wants stand-ins, and removes the test's
/// `StandInSets` from all others.
pub async fn sets(
    performer: &mut Performer<'_>,
    wanted: &[Desired],
    world: &World,
    test: &TestRef,
    installation: &str,
) -> Sets {
    let namespaces: BTreeSet<&str> =
        wanted.iter().map(|desired| desired.namespace.as_str()).collect();
    let set_name = set_name(test, installation);
    for (name, state) in own_sets(world, test, installation) {
        // A set of another name was made by an older version.
        let wanted = name.name == set_name && namespaces.contains(name.namespace.as_str());
        if !wanted && !state.terminating {
            performer.remove_set(name, &state.uid).await;
        }
    }
    let mut sets = Sets::new();
    for namespace in namespaces {
        let name = ObjectRef { namespace: namespace.to_owned(), name: set_name.clone() };
        sets.insert(namespace.to_owned(), owner(performer, &name, world, test, installation).await);
    }
    sets
}

/// The `StandInSets` of a test that this installation has made.
fn own_sets<'a>(
    world: &'a World,
    test: &'a TestRef,
    installation: &'a str,
) -> impl Iterator<Item = (&'a ObjectRef, &'a SetState)> {
    world
        .stand_in_sets
        .iter()
        .filter_map(|(name, read)| Some((name, read.meaning.as_ref().ok()?)))
        .filter(|(_, set)| set.test == *test && is_of(installation, set.installation.as_deref()))
}

/// The UIDs of all `StandInSets` of a test, including those that are going, and those of `sets`
/// that the World does not have yet.
pub fn owners(world: &World, sets: &Sets, test: &TestRef, installation: &str) -> BTreeSet<String> {
    let made = sets.values().filter_map(|set| set.as_ref().ok().cloned());
    own_sets(world, test, installation).map(|(_, set)| set.uid.clone()).chain(made).collect()
}

async fn owner(
    performer: &mut Performer<'_>,
    name: &ObjectRef,
    world: &World,
    test: &TestRef,
    installation: &str,
) -> Result<String, Problem> {
    match world.stand_in_sets.get(name).map(|read| &read.meaning) {
        Some(Ok(state)) if state.terminating => {
            return Err(Problem::new(
                Reason::Starting,
                format!("StandInSet {name} is being replaced"),
            ));
        }
        Some(Ok(state)) if state.test == *test => return Ok(state.uid.clone()),
        Some(Ok(state)) => {
            // The set is of an earlier test of the same name.
            performer.remove_set(name, &state.uid).await;
            return Err(Problem::new(
                Reason::Starting,
                format!("StandInSet {name} is being replaced"),
            ));
        }
        Some(Err(_)) | None => {}
    }
    let api = Api::<StandInSet>::namespaced(performer.client.clone(), &name.namespace);
    let making = async {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let set = set(test, &name.namespace, installation);
        match api.patch(&name.name, &params, &Patch::Apply(set)).await {
            Ok(set) => Ok(set.uid().unwrap_or_default()),
            Err(error) => Err(problem(&error, &format!("StandInSet {name}"))),
        }
    };
    let aim = Aim::Set { test: test.uid.clone(), namespace: name.namespace.clone() };
    let under_way = || Problem::new(Reason::Starting, format!("StandInSet {name} is being made"));
    performer.make(&aim, making).await.unwrap_or_else(|| Err(under_way()))
}

/// Removes a `StandInSet`, and thereby its stand-ins, if it still has this UID. Errors are logged;
/// a set that is gone already is none.
pub async fn delete_set(client: &Client, name: &ObjectRef, uid: &str) {
    let api = Api::<StandInSet>::namespaced(client.clone(), &name.namespace);
    match api.delete(&name.name, &only(uid)).await {
        Ok(_) => info!(set = %name, "Stand-in set removed"),
        Err(kube::Error::Api(error)) if error.code == 404 || error.code == 409 => {}
        Err(error) => warn!(set = %name, %error, "Stand-in set not removed"),
    }
}

/// Carries the actions out. Returns, by index in `wanted`, why a stand-in could not be made.
pub async fn actions(
    performer: &mut Performer<'_>,
    actions: Vec<PlacementAction>,
    wanted: &[Desired],
    sets: &Sets,
    test: &TestRef,
    settings: &PodSettings,
) -> BTreeMap<usize, Problem> {
    let mut troubles = BTreeMap::new();
    for action in actions {
        match action {
            PlacementAction::Create { desired, incarnation } => {
                let stand_in = &wanted[desired];
                let made = match &sets[&stand_in.namespace] {
                    Ok(uid) => {
                        let pod = settings.pod(stand_in, test, uid, incarnation);
                        let making = create(performer.client, &pod);
                        performer.make(&Aim::StandIn(settings.hash(stand_in, test)), making).await
                    }
                    Err(problem) => Some(Err(problem.clone())),
                };
                if let Some(Err(problem)) = made {
                    troubles.insert(desired, problem);
                }
            }
            PlacementAction::Delete { pod, uid } => {
                if performer.begin(&Aim::Removal(uid.clone())).is_ok() {
                    delete_pod(performer.client, &pod, &uid).await;
                }
            }
        }
    }
    troubles
}

async fn create(client: &Client, pod: &Pod) -> Result<String, Problem> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let api = Api::<Pod>::namespaced(client.clone(), &namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch(&name, &params, &Patch::Apply(pod)).await {
        Ok(pod) => Ok(pod.uid().unwrap_or_default()),
        Err(error) => Err(problem(&error, &format!("pod {namespace}/{name}"))),
    }
}

/// Removes a stand-in, if it still has this UID. Errors are logged; a pod that is gone already is
/// none.
pub async fn delete_pod(client: &Client, pod: &ObjectRef, uid: &str) {
    let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace);
    match api.delete(&pod.name, &only(uid)).await {
        Ok(_) => info!(%pod, "Stand-in removed"),
        Err(kube::Error::Api(error)) if error.code == 404 || error.code == 409 => {}
        Err(error) => warn!(%pod, %error, "Stand-in not removed"),
    }
}

fn only(uid: &str) -> DeleteParams {
    DeleteParams::background()
        .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None })
}

/// What an error of the API server about `what` means for a test. Admission (pod security, quotas,
/// webhooks) refuses with the code that missing permissions have, 403; only the message tells them
/// apart.
pub fn problem(error: &kube::Error, what: &str) -> Problem {
    let reason = match error {
        kube::Error::Api(status) if status.code == 403 && status.message.contains("cannot ") => {
            Reason::Forbidden
        }
        kube::Error::Api(status)
            if status.code == 403 || status.code == 422 || status.code == 400 =>
        {
            Reason::PodRejected
        }
        _ => Reason::ApiUnavailable,
    };
    let message = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    Problem::new(reason, format!("{what}: {message}"))
}
