//! Keeps one conversation with each probe: attaches, greets, and attaches again when the
//! conversation ends.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::AttachParams};
use netproof_conformance::reference::ObjectRef;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tracing::{Instrument, debug, info, info_span};

use crate::backoff::Backoff;
use netproof_rounds::{
    decode::PodState,
    desired::CONTAINER,
    engine::session::{Link, Session, SessionError},
};

/// How long the API server and the kubelet may take to open an attachment.
const ATTACH: Duration = Duration::from_secs(10);

/// How many bytes an attachment buffers in each direction. With kube's default of 1 KiB a pass over
/// many flows would wait for the task that moves the bytes.
const PIPE: usize = 64 * 1024;

/// A session with a probe, or why there is none.
pub type Conversation = Result<Arc<Session>, String>;

/// Names one incarnation of a probe's pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRef {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name of the pod.
    pub name: String,
    /// The UID of the pod, which its probe gives as its identity.
    pub uid: String,
}

impl PodRef {
    /// The pod that has this name and is in this state.
    pub fn of(name: &ObjectRef, pod: &PodState) -> Self {
        let ObjectRef { namespace, name } = name.clone();
        Self { namespace, name, uid: pod.uid.clone() }
    }
}

/// The task that keeps the conversation with one probe, until this is dropped.
pub struct Probe {
    line: ProbeLink,
    task: JoinHandle<()>,
}

/// Tells of the conversation with a probe. Clones tell of the same.
#[derive(Clone)]
pub struct ProbeLink(watch::Receiver<Conversation>);

impl ProbeLink {
    /// A link that tells of the conversations sent to `state`.
    #[cfg(test)]
    pub(crate) fn of(state: watch::Receiver<Conversation>) -> Self {
        Self(state)
    }

    /// The conversation as it is now, or why there is none. Never waits.
    pub fn conversation(&self) -> Conversation {
        match &*self.0.borrow() {
            Ok(session) => match session.over() {
                None => Ok(Arc::clone(session)),
                Some(error) => Err(error.to_string()),
            },
            Err(why) => Err(why.clone()),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probe {
    /// Begins to attach to a pod that runs, and attaches again, with a backoff, whenever that fails
    /// or ends. `turned` is sent a value after every change of the conversation.
    pub fn keep(client: Client, pod: PodRef, turned: watch::Sender<()>) -> Self {
        let (sender, state) = watch::channel(Err("attaching to it".to_owned()));
        let span = info_span!("probe", pod = %format!("{}/{}", pod.namespace, pod.name));
        let task = tokio::spawn(keep(client, pod, sender, turned).instrument(span));
        Self { line: ProbeLink(state), task }
    }

    /// A probe without a pod, with the conversations sent to `state`.
    #[cfg(test)]
    pub(crate) fn of(state: watch::Receiver<Conversation>) -> Self {
        Self { line: ProbeLink(state), task: tokio::spawn(std::future::pending()) }
    }

    /// The conversation as it is now, or why there is none. Never waits.
    pub fn conversation(&self) -> Conversation {
        self.line.conversation()
    }

    /// A link that tells of this conversation, for as long as this probe is kept.
    pub fn line(&self) -> ProbeLink {
        self.line.clone()
    }
}

async fn keep(
    client: Client,
    pod: PodRef,
    state: watch::Sender<Conversation>,
    turned: watch::Sender<()>,
) {
    let api = Api::namespaced(client, &pod.namespace);
    let mut backoff = Backoff::default();
    let set = |conversation| {
        drop(state.send_replace(conversation));
        turned.send_replace(());
    };
    loop {
        let delay = match open(&api, &pod).await {
            Ok(session) => {
                debug!("Attached");
                let attached = Instant::now();
                let session = Arc::new(session);
                set(Ok(Arc::clone(&session)));
                let error = session.ended().await;
                info!(%error, "Probe lost");
                set(Err(error.to_string()));
                backoff.after(attached.elapsed())
            }
            Err(error) => {
                debug!(%error, "Attach failed");
                set(Err(error));
                backoff.next()
            }
        };
        tokio::time::sleep(delay).await;
    }
}

async fn open(api: &Api<Pod>, pod: &PodRef) -> Result<Session, String> {
    let params = AttachParams::default()
        .container(CONTAINER)
        .stdin(true)
        .stdout(true)
        .stderr(false)
        .max_stdin_buf_size(PIPE)
        .max_stdout_buf_size(PIPE);
    let mut attached = timeout(ATTACH, api.attach(&pod.name, &params))
        .await
        .map_err(|_| format!("the API server did not attach within {} s", ATTACH.as_secs()))?
        .map_err(|error| format!("cannot attach: {error}"))?;
    let reader = attached.stdout().ok_or("the attachment has no stdout")?;
    let writer = attached.stdin().ok_or("the attachment has no stdin")?;
    let status = attached.take_status().ok_or("the attachment has no status")?;
    // The attachment is open while it is owned: the future owns it for as long as it is awaited.
    let ended = Box::pin(async move {
        let said = status.await.and_then(|status| status.message);
        let why = said.unwrap_or_else(|| "the attachment ended without a word".to_owned());
        drop(attached);
        why
    });
    let link = Link { reader: Box::new(reader), writer: Box::new(writer), ended };
    Session::open(link, &pod.uid).await.map_err(|error: SessionError| error.to_string())
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use tokio::time::sleep;

    use super::*;
    use crate::api_server::{ApiServer, RequestRefusal};

    #[tokio::test(start_paused = true)]
    async fn attaching_that_is_refused_is_tried_ever_more_seldom() {
        let server = ApiServer::start().await;
        let (method, part, message) = (Method::GET, "/attach", "cannot get resource");
        server.refuse(RequestRefusal { method, part, code: 403, message, retry_after: None });
        let pod = PodRef { namespace: "shop".into(), name: "a".into(), uid: "u".into() };
        let probe = Probe::keep(server.client.clone(), pod, watch::Sender::new(()));
        sleep(Duration::from_secs(600)).await;
        let count = server.count(&Method::GET, "/attach");
        assert!((40..=90).contains(&count), "{count} in ten minutes");
        assert!(probe.conversation().is_err());
    }
}
