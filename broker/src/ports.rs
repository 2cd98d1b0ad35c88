//! The data ports, bound before anything else: a port that is taken is found at the start, and a port of 0 becomes the same
//! number on every shard.
//!
//! Each shard has a socket of its own on each port (`SO_REUSEPORT`); the kernel spreads the connections. Since that option would
//! also let a second process of the same user in, the port is first bound without it.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::Context;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind as bind_socket, getsockname,
    setsockopt, socket, sockopt,
};

use crate::config::Listener;

/// One shard's socket on a port, bound, not listening yet.
pub(crate) struct Port {
    pub name: String,
    pub address: SocketAddr,
    pub socket: OwnedFd,
}

/// All ports of the node.
pub(crate) struct Bound {
    /// As they are, by listener name.
    pub addresses: Vec<(String, SocketAddr)>,
    pub by_shard: Vec<Vec<Port>>,
}

/// Binds every listener for `shards` shards.
pub(crate) fn bind<'a>(
    listeners: impl IntoIterator<Item = &'a Listener>,
    shards: usize,
) -> anyhow::Result<Bound> {
    let mut bound =
        Bound { addresses: Vec::new(), by_shard: (0..shards).map(|_| Vec::new()).collect() };
    for listener in listeners {
        let wanted = listener
            .address()
            .with_context(|| format!("listener {}: host {}", listener.name, listener.host))?;
        let taken = || {
            format!(
                "listener {}: cannot bind {wanted}. Is it in use? `ss -ltnp` shows by whom; `listeners` sets another",
                listener.name
            )
        };
        let alone = bind_one(wanted, false).with_context(taken)?;
        let address = local_address(&alone)?;
        drop(alone);
        for ports in &mut bound.by_shard {
            let socket = bind_one(address, true).with_context(taken)?;
            ports.push(Port { name: listener.name.clone(), address, socket });
        }
        bound.addresses.push((listener.name.clone(), address));
    }
    Ok(bound)
}

fn bind_one(address: SocketAddr, shared: bool) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if shared {
        setsockopt(&socket, sockopt::ReusePort, &true)?;
    }
    bind_socket(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}

fn local_address(socket: &OwnedFd) -> anyhow::Result<SocketAddr> {
    let address: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from(std::net::SocketAddrV4::from(*a)));
    let v6 = address.as_sockaddr_in6().map(|a| SocketAddr::from(std::net::SocketAddrV6::from(*a)));
    v4.or(v6).context("a socket of another family")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(port: u16) -> Listener {
        Listener { name: "PLAINTEXT".into(), host: "127.0.0.1".into(), port, controller: false }
    }

    #[test]
    fn every_shard_gets_the_same_port() {
        let bound = bind(&[listener(0)], 3).unwrap();
        let port = bound.addresses[0].1.port();
        assert!(port > 0 && bound.by_shard.len() == 3);
        assert!(bound.by_shard.iter().flatten().all(|shard| shard.address.port() == port));
    }

    #[test]
    fn a_port_in_use_is_refused_with_its_name() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = bind(&[listener(taken.local_addr().unwrap().port())], 1).err().unwrap();
        assert!(format!("{error:#}").contains("PLAINTEXT"), "{error:#}");
    }
}
