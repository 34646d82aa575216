//! Resolves the ends of a flow: pods and addresses, the policies that apply, and the liberties that
//! the flow touches.

use std::net::IpAddr;

use super::reading::{Liberty, Reading};
use crate::{
    expected::Unspecified,
    flow::{Direction, End, Family, Flow, PodId, Port},
    pod::{ContainerKind, Lifecycle, Pod, PodNetwork},
    policy::{Policy, cluster::ClusterPolicy},
    snapshot::Snapshot,
};

/// The policies that select one end of a flow as their subject.
#[derive(Default)]
pub(crate) struct Applying<'a> {
    /// `NetworkPolicies`, in any order.
    pub(crate) network: Vec<&'a Policy>,
    /// Policies of the cluster, in any order.
    pub(crate) cluster: Vec<&'a ClusterPolicy>,
}

impl<'a> Applying<'a> {
    /// The policies that apply to a pod, found by asking every policy of the snapshot.
    pub(crate) fn to(pod: &Pod, snapshot: &'a Snapshot) -> Self {
        let network = snapshot.policies.iter().filter(|policy| policy.selects(pod));
        let cluster = snapshot.cluster_policies.iter();
        let cluster = cluster.filter(|policy| policy.subjects.matches(pod, &snapshot.namespaces));
        Self { network: network.collect(), cluster: cluster.collect() }
    }
}

/// A flow whose ends are known to hold addresses of one family.
pub(crate) struct Ends<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) from: Resolved<'a>,
    pub(crate) to: Resolved<'a>,
    pub(crate) port: Port,
    /// Whether a pod sends to itself. A flow to the pod's own address as an [`End::Address`] is
    /// none to itself: that end is never a pod.
    pub(crate) same_pod: bool,
}

/// One end of a flow.
pub(crate) struct Resolved<'a> {
    /// The pod; none if the end is an address and no more.
    pod: Option<&'a Pod>,
    /// The address of the end in the flow's family.
    pub(crate) address: IpAddr,
    /// The policies that apply to the pod; none if there is no pod.
    pub(super) policies: Applying<'a>,
}

impl<'a> Resolved<'a> {
    /// The pod that policies see at this end, by one reading.
    pub(crate) fn pod(&self, reading: Reading) -> Option<&'a Pod> {
        self.pod.filter(|pod| !(is_host(pod) && reading.takes(Liberty::HostPodIsNode)))
    }

    fn is_host_pod(&self) -> bool {
        self.pod.is_some_and(is_host)
    }

    /// Whether this end's traffic is that of the node of `pod`. A host-network pod on that node has
    /// the node's address, so its traffic is, whatever else it counts as.
    fn is_own_node_of(&self, snapshot: &Snapshot, pod: &Pod) -> bool {
        match self.pod {
            None => snapshot.is_own_node(pod, self.address),
            Some(other) => is_host(other) && other.node.is_some() && other.node == pod.node,
        }
    }
}

/// Whether a pod shares its node's network.
pub(crate) fn is_host(pod: &Pod) -> bool {
    match pod.network {
        PodNetwork::Own => false,
        PodNetwork::Host => true,
    }
}

impl<'a> Ends<'a> {
    /// Finds the ends' addresses, or says why there are none that the flow could use.
    pub(crate) fn resolve(
        snapshot: &'a Snapshot,
        flow: &Flow,
        applying: impl Fn(PodId) -> Applying<'a>,
    ) -> Result<Self, Unspecified> {
        let (from, senders) = resolve(flow.from, snapshot);
        let (to, receivers) = resolve(flow.to, snapshot);
        let pods = || [from, to].into_iter().flatten();
        if pods().any(|pod| pod.lifecycle == Lifecycle::Finished) {
            return Err(Unspecified::Finished);
        }
        if pods().any(|pod| pod.addresses.is_empty()) {
            return Err(Unspecified::NoAddress);
        }
        let (from_address, to_address) =
            common(&senders, &receivers, flow.family).ok_or(Unspecified::NoCommonFamily)?;
        let applying = |end| match end {
            End::Pod(id) => applying(id),
            End::Address(_) => Applying::default(),
        };
        Ok(Self {
            snapshot,
            from: Resolved { pod: from, address: from_address, policies: applying(flow.from) },
            to: Resolved { pod: to, address: to_address, policies: applying(flow.to) },
            port: flow.port,
            same_pod: from.is_some() && flow.from == flow.to,
        })
    }

    /// The liberties that could change what happens to the flow, in the order in which they are
    /// named.
    pub(crate) fn liberties(&self) -> impl Iterator<Item = Liberty> {
        let touched = [
            (Liberty::HostPodIsNode, self.from.is_host_pod() || self.to.is_host_pod()),
            (Liberty::ExemptsItself, self.same_pod),
            (Liberty::ExemptsOwnNode, self.is_to_own_node()),
            (Liberty::NamesMatchOutside, self.to.pod.is_none_or(is_host)),
            (Liberty::InitPortsResolve, self.is_to_init_port()),
        ];
        touched.into_iter().filter_map(|(liberty, is_touched)| is_touched.then_some(liberty))
    }

    /// Whether the end that policies of this direction apply to is a pod, by the letter.
    pub(crate) fn is_pod(&self, direction: Direction) -> bool {
        match direction {
            Direction::Ingress => self.to.pod.is_some(),
            Direction::Egress => self.from.pod.is_some(),
        }
    }

    /// Whether a pod sends to the node that it runs on.
    pub(crate) fn is_to_own_node(&self) -> bool {
        self.from.pod.is_some_and(|sender| self.to.is_own_node_of(self.snapshot, sender))
    }

    /// Whether a pod receives from the node that it runs on.
    pub(crate) fn is_from_own_node(&self) -> bool {
        self.to.pod.is_some_and(|receiver| self.from.is_own_node_of(self.snapshot, receiver))
    }

    fn is_to_init_port(&self) -> bool {
        self.to.pod.is_some_and(|receiver| {
            receiver.named_ports.iter().any(|port| port.container == ContainerKind::Init)
        })
    }
}

/// The pod that an end names, if it names one, and all addresses of the end.
fn resolve(end: End, snapshot: &Snapshot) -> (Option<&Pod>, Vec<IpAddr>) {
    match end {
        End::Pod(id) => {
            let pod = snapshot.pod(id);
            (Some(pod), pod.addresses.iter().map(IpAddr::to_canonical).collect())
        }
        End::Address(address) => (None, vec![address.to_canonical()]),
    }
}

/// The first of the receiver's addresses whose family is the one that was asked for and that the
/// sender has too, with the sender's first of that family.
pub(crate) fn common(
    senders: &[IpAddr],
    receivers: &[IpAddr],
    family: Option<Family>,
) -> Option<(IpAddr, IpAddr)> {
    let of_family = |wanted| senders.iter().find(|from| Family::of(**from) == wanted);
    receivers
        .iter()
        .filter(|to| family.is_none_or(|family| Family::of(**to) == family))
        .find_map(|to| Some((*of_family(Family::of(*to))?, *to)))
}
