//! Which installation of netproof this operator is part of.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use tracing::warn;

use crate::watch::Backoff;

/// The UID of the operator's namespace: it names the installation, whatever its images are, and one
/// that is made anew is another. Asked for until the API server answers.
pub async fn find(client: &Client, namespace: &str) -> String {
    let api = Api::<Namespace>::all(client.clone());
    let mut backoff = Backoff::default();
    loop {
        match api.get(namespace).await.map(|namespace| namespace.uid()) {
            Ok(Some(uid)) => return uid,
            Ok(None) => warn!(namespace, "Own namespace has no UID"),
            Err(error) => warn!(namespace, %error, "Own namespace cannot be looked up"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
