//! Opens sockets on the wildcard address of both families.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// How many connections the kernel completes before they are accepted. Its own limit,
/// `net.core.somaxconn`, may be lower.
const BACKLOG: i32 = 4096;

/// The receive buffer of a UDP socket, in bytes: room for many probes that ask at once. The
/// kernel's own limit, `net.core.rmem_max`, may be lower.
const RECEIVE_BUFFER: usize = 1024 * 1024;

pub(super) fn tcp(port: u16) -> io::Result<TcpListener> {
    let socket = both_families(Type::STREAM, port)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

pub(super) fn udp(port: u16) -> io::Result<UdpSocket> {
    let socket = both_families(Type::DGRAM, port)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    UdpSocket::from_std(socket.into())
}

/// The kernel's error when asked for an SCTP socket; none if it has SCTP.
pub(super) fn sctp_missing() -> Option<io::Error> {
    const IPPROTO_SCTP: i32 = 132;
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(IPPROTO_SCTP))).err()
}

fn both_families(kind: Type, port: u16) -> io::Result<Socket> {
    match bind(Domain::IPV6, kind, (Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if family_is_off(&error) => {
            bind(Domain::IPV4, kind, (Ipv4Addr::UNSPECIFIED, port).into())
        }
        bound => bound,
    }
}

fn bind(domain: Domain, kind: Type, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind.nonblocking().cloexec(), None)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        // When a container restarts, the last one's connections are in TIME_WAIT.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether this error says that the machine lacks a family of addresses.
pub(super) fn family_is_off(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL)
    )
}
