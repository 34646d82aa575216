//! The lab's network: a router in the middle, a namespace for each node, and behind the nodes a
//! namespace for each pod. No namespace has a way out of the machine.
//!
//! Packets between two pods pass the forwarding of the nodes that they run on, once if that is the
//! same node, as in clusters that route: a node's policy agent has its rules there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netns::{Index, NamespaceRole, NetError, Netns, Wire, has_ipv6};

/// The gateway of every pod: its node, at the other end of its only interface.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The gateway of every node: the middle.
const MIDDLE: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 2);

/// The gateway of pods and of nodes in IPv6, where a link-local address belongs to an interface.
const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A node's end of its link to the middle, in IPv6.
const NODE_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

/// The only interface of a pod, and the one of a node to the middle.
const UPLINK: Index = 2;

/// The first number of an interface to what is behind a namespace.
const FIRST: Index = 10;

/// The network: the middle and the nodes.
pub struct Fabric {
    middle: Netns,
    nodes: Vec<NodeNet>,
}

/// A node's part of the network.
pub struct NodeNet {
    /// The node's network namespace.
    pub netns: Netns,
    /// The node's own address.
    pub address: IpAddr,
    /// The middle's interface to the node.
    toward: Index,
    next: Index,
}

/// The place of a node in the order in which nodes were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

impl Fabric {
    /// A network of nothing but its middle.
    pub async fn make() -> Result<Self, NetError> {
        let middle = Netns::make(NamespaceRole::Router).await?;
        middle.own(MIDDLE.into()).await?;
        Ok(Self { middle, nodes: Vec::new() })
    }

    /// Adds a node with this address.
    pub async fn add_node(&mut self, address: Ipv4Addr) -> Result<NodeId, NetError> {
        let netns = Netns::make(NamespaceRole::Router).await?;
        let id = NodeId(self.nodes.len());
        let toward = FIRST + Index::try_from(self.nodes.len()).expect("few nodes");
        let own = Wire { name: "uplink".to_owned(), index: UPLINK };
        let far = Wire { name: format!("node{}", self.nodes.len()), index: toward };
        netns.connect(&own, &self.middle, &far).await?;
        netns.own(address.into()).await?;
        netns.own(GATEWAY.into()).await?;
        self.middle.route(address.into(), toward, None).await?;
        netns.default_route(UPLINK, MIDDLE.into()).await?;
        if has_ipv6() {
            self.middle.address(toward, GATEWAY_V6.into()).await?;
            netns.address(UPLINK, NODE_V6.into()).await?;
            netns.default_route(UPLINK, GATEWAY_V6.into()).await?;
        }
        self.nodes.push(NodeNet { netns, address: address.into(), toward, next: FIRST });
        Ok(id)
    }

    /// The part of the network of a node that was added.
    pub fn node(&self, id: NodeId) -> &NodeNet {
        &self.nodes[id.0]
    }

    /// Adds a pod to a node: a namespace that has these addresses. Processes of the pod enter it.
    pub async fn add_pod(&mut self, on: NodeId, addresses: &[IpAddr]) -> Result<Netns, NetError> {
        let pod = Netns::make(NamespaceRole::Host).await?;
        let node = &mut self.nodes[on.0];
        let toward = node.next;
        node.next += 1;
        let own = Wire { name: "eth0".to_owned(), index: UPLINK };
        let far = Wire { name: format!("pod{toward}"), index: toward };
        pod.connect(&own, &node.netns, &far).await?;
        for address in addresses {
            pod.address(UPLINK, *address).await?;
            node.netns.route(*address, toward, None).await?;
            let gateway = match address {
                IpAddr::V4(_) => node.address,
                IpAddr::V6(_) => NODE_V6.into(),
            };
            self.middle.route(*address, node.toward, Some(gateway)).await?;
        }
        if addresses.iter().any(IpAddr::is_ipv4) {
            pod.default_route(UPLINK, GATEWAY.into()).await?;
        }
        if addresses.iter().any(IpAddr::is_ipv6) {
            node.netns.address(toward, GATEWAY_V6.into()).await?;
            pod.default_route(UPLINK, GATEWAY_V6.into()).await?;
        }
        Ok(pod)
    }
}
