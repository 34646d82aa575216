//! Stand-ins for tests, all in the namespace `shop`.

use std::collections::BTreeMap;

use netproof_conformance::{matrix::Actor, reference::ObjectRef};

use crate::{
    decode::{PodProgress, PodState},
    desired::Desired,
    predict::StandIn,
};

/// A stand-in with a label `app` of its own name, that listens on nothing.
pub fn desired(name: &str) -> Desired {
    Desired {
        actor: Actor::sole(name),
        namespace: "shop".into(),
        labels: [("app".to_owned(), name.to_owned())].into(),
        ports: vec![],
        node: None,
        node_selector: BTreeMap::new(),
        tolerations: vec![],
    }
}

/// The stand-in of [`desired`], with a running pod at this address.
pub fn stand_in(name: &str, address: &str) -> StandIn {
    let desired = desired(name);
    let pod = PodState {
        uid: format!("uid-{name}"),
        labels: desired.labels.clone(),
        owner: None,
        image: None,
        addresses: vec![address.parse().expect("an address")],
        node: None,
        created: None,
        started: None,
        progress: PodProgress::Running,
    };
    let name = ObjectRef { namespace: "shop".into(), name: name.into() };
    StandIn { desired, pod: Some((name, pod)), trouble: None }
}
