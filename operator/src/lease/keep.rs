//! Carries out the steps of an election at the API server, and tells how the operator stands.

use std::time::Instant;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams, Preconditions},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{CALL, DURATION, Election, Event, Holder, LeaseRecord, POLL, Standing, Step};
use netproof_rounds::desired::INSTALLATION_LABEL;

/// The name of the Lease, one in a cluster.
pub const NAME: &str = "netproof.dev-operator";

/// What becomes of the Lease when its holder ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The Lease stays, without a holder: a successor takes it at once.
    Release,
    /// The Lease is given back and then removed: nothing is to be left of netproof.
    Remove,
}

/// The task that asks for the Lease and renews it, until it is given back or lost. If this is
/// dropped, the task ends and the Lease expires.
pub struct Keeper {
    standing: watch::Receiver<Standing>,
    farewell: oneshot::Sender<Farewell>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins to ask for the Lease in this namespace on behalf of `me`. `standings` is told how the
    /// operator stands, after each step.
    pub fn begin(
        client: Client,
        namespace: &str,
        me: Holder,
        standings: watch::Sender<Standing>,
    ) -> Self {
        let standing = standings.subscribe();
        let (farewell, farewells) = oneshot::channel();
        let office = Office { api: Api::namespaced(client, namespace), me, standings };
        let task = tokio::spawn(office.keep(farewells));
        Self { standing, farewell, task }
    }

    /// Waits until this operator acts. Cancel safe.
    pub async fn acts(&self) {
        let mut standing = self.standing.clone();
        // The sender lives for as long as the task, which `self` keeps.
        drop(standing.wait_for(|standing| standing.acts(Instant::now())).await);
    }

    /// Waits until another operator has taken over, and returns its identity. Cancel safe.
    pub async fn succeeded(&self) -> String {
        let mut standing = self.standing.clone();
        let by_another = |standing: &Standing| matches!(standing, Standing::Succeeded(_));
        match standing.wait_for(by_another).await.as_deref() {
            Ok(Standing::Succeeded(by)) => by.identity.clone(),
            Ok(_) | Err(_) => "nobody knows which".into(),
        }
    }

    /// Gives the Lease back, if it is held. Ends within 8 s; if that is too short, the Lease
    /// expires.
    pub async fn end(self, farewell: Farewell) {
        if self.farewell.send(farewell).is_err() {
            // The task has ended, since the Lease was lost.
            return;
        }
        // The task takes the farewell once the request that is under way has ended.
        if timeout(4 * CALL, self.task).await.is_err() {
            warn!("Lease not given back in time: it expires");
        }
    }
}

/// A candidate, with its client for the Lease and those that it tells.
struct Office {
    api: Api<Lease>,
    me: Holder,
    standings: watch::Sender<Standing>,
}

impl Office {
    async fn keep(self, mut farewells: oneshot::Receiver<Farewell>) {
        let mut election = Election::new(self.me.identity.clone());
        let mut event = Event::Rested;
        loop {
            let step = election.next(event, Instant::now());
            self.tell(election.standing());
            event = match step {
                Step::Look => self.look().await,
                Step::Claim(version) => self.claim(version).await,
                Step::Rest(rest) => tokio::select! {
                    () = sleep(rest) => Event::Rested,
                    farewell = &mut farewells => {
                        // Without a farewell the keeper was dropped, and the Lease expires.
                        if let (Some(version), Ok(farewell)) = (election.held(), farewell) {
                            self.give_back(version, farewell).await;
                        }
                        return;
                    }
                },
                Step::End => return,
            };
        }
    }

    fn tell(&self, standing: &Standing) {
        let before = self.standings.send_replace(standing.clone());
        match (&before, standing) {
            (Standing::Acting { .. }, Standing::Acting { .. }) => {}
            (_, Standing::Acting { .. }) => info!(lease = NAME, "Acting"),
            (Standing::Waiting(before), Standing::Waiting(now)) if before == now => {}
            (_, Standing::Waiting(holder)) => warn!(
                lease = NAME,
                holder = holder.identity,
                installation = holder.installation,
                ours = holder.installation == self.me.installation,
                "Another operator acts in this cluster: waiting"
            ),
            (Standing::Unknown(before), Standing::Unknown(why)) if before == why => {}
            (_, Standing::Unknown(why)) => warn!(lease = NAME, why, "Not known who acts: waiting"),
            (_, Standing::Succeeded(by)) => {
                warn!(by = by.identity, "Another operator has taken over");
            }
        }
    }

    async fn look(&self) -> Event {
        match timeout(CALL, self.api.get_opt(NAME)).await {
            Ok(Ok(found)) => Event::Found(found.as_ref().map(record)),
            Ok(Err(error)) => Event::Silent(error.to_string()),
            Err(_) => silent(),
        }
    }

    async fn claim(&self, version: Option<String>) -> Event {
        let lease = self.lease(version.clone(), Some(self.me.identity.clone()));
        let params = PostParams::default();
        let written = async {
            match version {
                Some(_) => self.api.replace(NAME, &params, &lease).await,
                None => self.api.create(&params, &lease).await,
            }
        };
        match timeout(CALL, written).await {
            Ok(Ok(lease)) => Event::Granted(lease.resource_version().unwrap_or_default()),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Event::Refused,
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Event::Found(None),
            Ok(Err(error)) => Event::Silent(error.to_string()),
            Err(_) => silent(),
        }
    }

    async fn give_back(&self, version: &str, farewell: Farewell) {
        let lease = self.lease(Some(version.to_owned()), None);
        let given_back = async {
            let lease = self.api.replace(NAME, &PostParams::default(), &lease).await?;
            if farewell == Farewell::Remove {
                // An operator that waits sees the Lease without a holder within POLL, and takes it.
                sleep(POLL + POLL / 2).await;
                let only =
                    Preconditions { uid: lease.uid(), resource_version: lease.resource_version() };
                self.api.delete(NAME, &DeleteParams::default().preconditions(only)).await?;
            }
            Ok::<_, kube::Error>(())
        };
        match timeout(3 * CALL, given_back).await {
            Ok(Ok(())) => info!(lease = NAME, ?farewell, "Lease given back"),
            Ok(Err(error)) => warn!(%error, "Lease not given back: it expires"),
            Err(_) => warn!("Lease not given back in time: it expires"),
        }
    }

    fn lease(&self, version: Option<String>, holder: Option<String>) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.name = Some(NAME.into());
        lease.metadata.resource_version = version;
        let installation = self.me.installation.clone();
        let labels = installation.map(|it| (INSTALLATION_LABEL.to_owned(), it));
        lease.metadata.labels = Some(labels.into_iter().collect());
        lease.spec = Some(LeaseSpec {
            lease_duration_seconds: Some(i32::try_from(DURATION.as_secs()).unwrap_or(i32::MAX)),
            renew_time: holder.is_some().then(|| MicroTime(Timestamp::now())),
            holder_identity: holder,
            ..LeaseSpec::default()
        });
        lease
    }
}

fn silent() -> Event {
    Event::Silent(format!("the API server did not answer within {} s", CALL.as_secs()))
}

/// The parts of a Lease that an election looks at.
fn record(lease: &Lease) -> LeaseRecord {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let installation = lease.labels().get(INSTALLATION_LABEL).cloned();
    LeaseRecord {
        version: lease.resource_version().unwrap_or_default(),
        holder: spec
            .holder_identity
            .filter(|identity| !identity.is_empty())
            .map(|identity| Holder { identity, installation }),
        duration: seconds.map_or(DURATION, std::time::Duration::from_secs),
    }
}
