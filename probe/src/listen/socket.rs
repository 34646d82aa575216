//! Sockets on the wildcard address of both families.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// How many connections the kernel completes before they are accepted; it has a limit of its own.
const BACKLOG: i32 = 4096;

/// Room for many probes that ask at once, in bytes; the kernel has a limit of its own.
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

/// What the kernel says when asked for an SCTP socket, if it has none.
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
        // A container that restarts finds its predecessor's connections in TIME_WAIT.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether this error says that the machine does without a family of addresses.
pub(super) fn family_is_off(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL)
    )
}
