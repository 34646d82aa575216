//! Tells what an element of a rule lacks, in words.

use crate::{
    explain::{BlockMiss, LabelMiss, NamespaceMiss, PeerMiss, PortMiss},
    flow::Port,
    phrases,
};

/// Why this peer is none that the element means.
pub(super) fn peer(miss: &PeerMiss, peer: &str) -> String {
    match miss {
        PeerMiss::NoPod => format!("{peer} is an address, and selectors match pods only"),
        PeerMiss::HostPod => {
            format!(
                "{peer} uses its node's network, and policies of the cluster select no such pod"
            )
        }
        PeerMiss::NoNode => format!("{peer} is a pod, and no node"),
        PeerMiss::Namespace(miss) => namespace(miss, peer),
        PeerMiss::Labels(misses) => format!("{peer} {}", labels(misses)),
        PeerMiss::NamespaceAndLabels(miss, misses) => {
            format!("{}, and {peer} {}", namespace(miss, peer), labels(misses))
        }
        PeerMiss::OnlyOneOfTwo(miss) => format!(
            "{} (namespaceSelector and podSelector are one element, so that both have to match; as \
             two elements, either would do)",
            self::peer(miss, peer)
        ),
        PeerMiss::Block(miss) => block(miss, peer),
    }
}

fn namespace(miss: &NamespaceMiss, peer: &str) -> String {
    match miss {
        NamespaceMiss::NotOwn { own, found } => format!(
            "{peer} is in namespace {found}, and without a namespaceSelector only pods of {own} \
             are meant"
        ),
        NamespaceMiss::Labels { found, misses } => {
            format!("namespace {found} {}", labels(misses))
        }
    }
}

fn labels(misses: &[LabelMiss]) -> String {
    phrases::joined(&misses.iter().map(label).collect::<Vec<_>>(), "and")
}

fn label(miss: &LabelMiss) -> String {
    let key = miss.requirement.key();
    let has = match &miss.found {
        Some(value) => format!("has {key}={value}"),
        None => format!("has no label {key}"),
    };
    match &miss.near {
        Some(near) => format!("{has} ({})", phrases::near_label(near, key)),
        None => has,
    }
}

fn block(miss: &BlockMiss, peer: &str) -> String {
    match miss {
        BlockMiss::OtherFamily => {
            format!("{peer} speaks the other IP family, which such a range never matches")
        }
        BlockMiss::Excepted(hole) => format!("{peer} is in {hole}, which its except leaves out"),
        BlockMiss::Narrow(wider) => {
            format!("{peer} is outside, though {wider} would have it: is the prefix too long?")
        }
        BlockMiss::Outside => format!("{peer} is outside"),
    }
}

/// Why the flow's port is none that the element means.
pub(super) fn port(miss: &PortMiss, asked: Port, receiver: &str) -> String {
    match miss {
        PortMiss::Number => format!("{asked} is another port"),
        PortMiss::Protocol => {
            format!(
                "the port fits but not its protocol, {} (without one, a rule means TCP)",
                asked.protocol
            )
        }
        PortMiss::NumberAndProtocol => format!("{asked} is another port of another protocol"),
        PortMiss::OneBeyond(end) => {
            format!("{asked} is just beyond the range, which ends at {end}")
        }
        PortMiss::OfService(service) => format!(
            "that is the port of Service {service}, and policies mean the port of the pod, {asked}"
        ),
        PortMiss::NameWithoutPod => format!("{receiver} is no pod that could declare a name"),
        PortMiss::Undeclared { near: Some(near), .. } => {
            format!("{receiver} declares no port of that name, but {near}")
        }
        PortMiss::Undeclared { near: None, declared } => format!(
            "{receiver} declares no port of that name (it declares {})",
            phrases::named_ports(declared)
        ),
        PortMiss::DeclaredAs(declared) => {
            format!(
                "{receiver} declares it as {}, which is not {asked}",
                phrases::named_ports(declared)
            )
        }
        PortMiss::OnInitContainer => {
            format!("only an init container of {receiver} declares it")
        }
    }
}
