//! Stand-ins can be on every node, so that a path between any two nodes is a flow of its own.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt, api::ListParams};
use netproof_crds::Spread;
use netproof_e2e::{
    MINUTE, SOON, ensure,
    examples::{only_the_client, trio},
    sandbox, stand_ins,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_node_has_a_stand_in_and_every_path_is_a_flow() {
    sandbox(async |sandbox| {
        let nodes = Api::<Node>::all(sandbox.client.clone()).list(&ListParams::default()).await?;
        let tainted = |node: &Node| node.spec.as_ref().is_some_and(|spec| spec.taints.is_some());
        let workers: Vec<String> =
            nodes.iter().filter(|node| !tainted(node)).map(ResourceExt::name_any).collect();
        ensure!(workers.len() == 2, "workers {workers:?}");

        let home = sandbox.namespace("everywhere", &[]).await?;
        home.create(&only_the_client()).await?;
        let mut everywhere = trio();
        everywhere.spec.placement.spread = Spread::EveryNode;
        let test = home.test(&everywhere).await?;
        test.conforms(2 * MINUTE).await?;

        let pods = test.stand_ins().await?;
        let places: BTreeSet<String> = pods
            .iter()
            .map(|pod| format!("{} on {}", stand_ins::endpoint(pod), stand_ins::node(pod)))
            .collect();
        let wanted: BTreeSet<String> = ["client", "server", "stranger"]
            .iter()
            .flat_map(|name| workers.iter().map(move |node| format!("{name}@{node} on {node}")))
            .collect();
        ensure!(pods.len() == 6 && places == wanted, "{places:#?}");

        let mut flows = Vec::new();
        for (from, expected) in [("client", "Allow"), ("server", "Deny"), ("stranger", "Deny")] {
            for here in &workers {
                for there in workers.iter().filter(|there| from != "server" || *there != here) {
                    flows
                        .push(format!("{from}@{here} server@{there} 8080/TCP {expected} conforms"));
                }
            }
        }
        test.reports(&flows, SOON).await
    })
    .await;
}
