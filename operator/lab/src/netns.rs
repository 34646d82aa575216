//! A network namespace of the lab, and the few operations in it. The kernel removes it once the
//! last process in it and the last [`Netns`] are gone.

use std::{
    fs::{self, File},
    io,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::Path,
    sync::Arc,
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::{
        link::{InfoData, InfoKind, InfoVeth},
        route::RouteScope,
    },
};
use thiserror::Error;
use tokio::runtime;

/// The loopback interface of every namespace.
const LOOPBACK: u32 = 1;

/// Why something could not be done in a namespace.
#[derive(Debug, Error)]
pub enum NetError {
    /// The namespace could not be made.
    #[error("a network namespace cannot be made: {0}")]
    Make(io::Error),
    /// A setting of the kernel could not be written.
    #[error("{path} cannot be written: {source}; is /proc/sys read-only here?")]
    Setting {
        /// The file of the setting.
        path: String,
        /// The error of writing.
        source: io::Error,
    },
    /// The kernel refused an interface, an address or a route.
    #[error("{what}: {source}")]
    Netlink {
        /// The operation, for people.
        what: String,
        /// The error that the kernel gave.
        source: rtnetlink::Error,
    },
}

/// The number of an interface, unique in its namespace.
pub type Index = u32;

/// One end of a pair of interfaces.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The name of the interface.
    pub name: String,
    /// The number of the interface.
    pub index: Index,
}

/// A network namespace. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Netns {
    fd: Arc<File>,
    netlink: Handle,
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// How a namespace treats packets that are not for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceRole {
    /// The namespace drops them, as a pod does.
    Host,
    /// The namespace forwards them, as nodes and the middle do.
    Router,
}

impl Netns {
    /// Makes a namespace, with its loopback up.
    pub async fn make(role: NamespaceRole) -> Result<Self, NetError> {
        let runtime = runtime::Handle::current();
        // A thread of its own moves into the new namespace and ends: what it opened stays there.
        let thread = thread::spawn(move || -> Result<_, NetError> {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|error| NetError::Make(error.into()))?;
            settings(role)?;
            let fd = File::open("/proc/thread-self/ns/net").map_err(NetError::Make)?;
            let _entered = runtime.enter();
            let (connection, netlink, _) = rtnetlink::new_connection().map_err(NetError::Make)?;
            runtime.spawn(connection);
            Ok(Self { fd: Arc::new(fd), netlink })
        });
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        let made = joined.expect("joining does not panic").expect("its thread does not panic")?;
        made.up(LOOPBACK).await?;
        Ok(made)
    }

    /// Moves the calling thread into the namespace, for good.
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(self, CloneFlags::CLONE_NEWNET)?)
    }

    /// Connects the namespace with another by a pair of interfaces, both up.
    pub async fn connect(&self, own: &Wire, other: &Self, far: &Wire) -> Result<(), NetError> {
        let far_index = far.index;
        let far = LinkUnspec::new_with_index(far.index)
            .name(&far.name)
            .setns_by_fd(other.fd.as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
            .index(own.index)
            .name(&own.name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far)))
            .up()
            .build();
        let added = self.netlink.link().add(pair).execute().await;
        done(added, || format!("connecting {}", own.name))?;
        // One end cannot be up before both are there.
        other.up(far_index).await
    }

    async fn up(&self, index: Index) -> Result<(), NetError> {
        let link = LinkUnspec::new_with_index(index).up().build();
        let set = self.netlink.link().set(link).execute().await;
        done(set, || format!("switching interface {index} on"))
    }

    /// Gives an interface an address, with no network around it.
    pub async fn address(&self, index: Index, address: IpAddr) -> Result<(), NetError> {
        let added = self.netlink.address().add(index, address, length(address)).execute().await;
        done(added, || format!("adding address {address}"))
    }

    /// Gives the namespace an address of its own, on the loopback interface.
    pub async fn own(&self, address: IpAddr) -> Result<(), NetError> {
        self.address(LOOPBACK, address).await
    }

    /// Adds the route to one address: at the other end of an interface, or behind a gateway there.
    pub async fn route(
        &self,
        to: IpAddr,
        index: Index,
        gateway: Option<IpAddr>,
    ) -> Result<(), NetError> {
        self.any_route(to, length(to), index, gateway).await
    }

    /// Adds the route to everything of this gateway's family.
    pub async fn default_route(&self, index: Index, gateway: IpAddr) -> Result<(), NetError> {
        let everything = match gateway {
            IpAddr::V4(_) => IpAddr::from([0; 4]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        };
        self.any_route(everything, 0, index, Some(gateway)).await
    }

    async fn any_route(
        &self,
        to: IpAddr,
        length: u8,
        index: Index,
        gateway: Option<IpAddr>,
    ) -> Result<(), NetError> {
        let route = RouteMessageBuilder::<IpAddr>::new().output_interface(index);
        let route = route.destination_prefix(to, length).expect("the length is of the family");
        let route = match gateway {
            Some(gateway) => route.gateway(gateway).expect("of the family").onlink(),
            None => route.scope(RouteScope::Link),
        };
        let added = self.netlink.route().add(route.build()).replace().execute().await;
        done(added, || format!("adding a route to {to}/{length}"))
    }
}

fn done(result: Result<(), rtnetlink::Error>, what: impl Fn() -> String) -> Result<(), NetError> {
    result.map_err(|source| NetError::Netlink { what: what(), source })
}

fn length(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether the kernel has IPv6 at all.
pub fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

/// Writes the settings of the namespace that the calling thread is in.
fn settings(role: NamespaceRole) -> Result<(), NetError> {
    let forwarding = match role {
        NamespaceRole::Host => "0",
        NamespaceRole::Router => "1",
    };
    let mut settings = vec![
        ("ipv4/ip_forward", forwarding),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // A namespace that denies with ICMP errors is to do so each time.
        ("ipv4/icmp_ratelimit", "0"),
    ];
    if has_ipv6() {
        settings.extend([
            ("ipv6/conf/all/disable_ipv6", "0"),
            ("ipv6/conf/default/disable_ipv6", "0"),
            ("ipv6/conf/all/forwarding", forwarding),
            // Addresses are unique here by construction; duplicate address detection takes over a
            // second.
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/icmp/ratelimit", "0"),
        ]);
    }
    settings.into_iter().try_for_each(|(name, value)| {
        let path = format!("/proc/sys/net/{name}");
        fs::write(&path, value).map_err(|source| NetError::Setting { path, source })
    })
}
