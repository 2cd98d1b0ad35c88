//! A listener: accepts connections on one port of one shard, and ends them.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind as bind_socket, getpeername,
    getsockname, listen, setsockopt, socket, sockopt,
};

use crate::{
    connection::{self, CloseReason, Limits, Peer, Service, State},
    connections::{Connections, Counted},
    shared::{Net, clock},
};

/// Connections that the kernel completes for us and that we have not accepted.
const BACKLOG: i32 = 1024;
/// After an error of accepting (descriptors have run out, as a rule), before the next attempt.
const RETRY: Duration = Duration::from_millis(100);

/// A bound socket that several listeners of this process, one a shard, may share its address with. It does not listen yet:
/// a connection is given to one of those that do.
pub fn bind(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket =
        socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    bind_socket(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}

/// The address of a socket that `bind` made: its port, where it was bound to port 0.
pub fn local_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let address: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    socket_address(&address)
}

/// Accepts connections until it is closed.
pub struct Listener {
    shared: Rc<Shared>,
}

struct Shared {
    net: Rc<Net>,
    name: Rc<str>,
    limits: Rc<Limits>,
    local: SocketAddr,
    /// Marks the connections that it has accepted.
    mark: Rc<()>,
    open: Cell<usize>,
    connections: Arc<Connections>,
    /// Ends the accepting task, and with it the socket.
    accepting: RefCell<Option<glommio::task::JoinHandle<()>>>,
    empty: RefCell<Vec<std::task::Waker>>,
}

impl Listener {
    /// Listens on a socket that `bind` made.
    pub fn new<S: Service>(
        net: &Rc<Net>,
        socket: OwnedFd,
        name: Rc<str>,
        limits: Limits,
        connections: Arc<Connections>,
        service: Rc<S>,
    ) -> io::Result<Listener> {
        if let Some(bytes) = limits.send_buffer_bytes {
            setsockopt(&socket, sockopt::SndBuf, &bytes)?;
        }
        if let Some(bytes) = limits.receive_buffer_bytes {
            setsockopt(&socket, sockopt::RcvBuf, &bytes)?;
        }
        // Connections inherit these.
        setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
        setsockopt(&socket, sockopt::KeepAlive, &true)?;
        listen(&socket, Backlog::new(BACKLOG)?)?;
        let shared = Rc::new(Shared {
            net: Rc::clone(net),
            name,
            limits: Rc::new(limits),
            local: local_address(&socket)?,
            mark: Rc::new(()),
            open: Cell::new(0),
            connections,
            accepting: RefCell::new(None),
            empty: RefCell::default(),
        });
        let accepting =
            glommio::spawn_local(accept(Rc::clone(&shared), Arc::new(socket), service)).detach();
        *shared.accepting.borrow_mut() = Some(accepting);
        Ok(Listener { shared })
    }

    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.shared.open.get()
    }

    /// Stops accepting and closes the port; connections go on.
    pub async fn close(&self) {
        let accepting = self.shared.accepting.borrow_mut().take();
        if let Some(accepting) = accepting {
            accepting.cancel();
            accepting.await;
        }
    }

    /// Ends the connections: reads no further request, lets the answers of the others leave, and closes what is still open after
    /// `deadline`. Returns when none is left.
    pub async fn drain(&self, deadline: Duration) {
        self.shared.net.drain(&self.shared.mark, deadline);
        std::future::poll_fn(|cx| {
            if self.shared.open.get() == 0 {
                return std::task::Poll::Ready(());
            }
            self.shared.empty.borrow_mut().push(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    }
}

async fn accept<S: Service>(shared: Rc<Shared>, socket: Arc<OwnedFd>, service: Rc<S>) {
    loop {
        match shared.net.ring.accept(&socket).await {
            Ok(connection) => {
                let counted = room(&shared).await;
                serve(&shared, connection, counted, &service);
            }
            // A listening socket is non-blocking too.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // An error of the poll shows in the next accept.
                let _ = shared.net.ring.poll_add(&socket, libc::POLLIN).await;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                shared.net.stats.accept_errors.add(1);
                tracing::warn!(listener = %shared.name, %error, "accepting connections fails");
                glommio::timer::sleep(RETRY).await;
            }
        }
    }
}

/// Waits until there may be one more connection. Meanwhile nothing is accepted: peers wait in the kernel's queue.
async fn room(shared: &Shared) -> Counted {
    let mut delayed = false;
    loop {
        match shared.connections.try_count(clock()) {
            Ok(counted) => return counted,
            Err(wait) => {
                if !std::mem::replace(&mut delayed, true) {
                    shared.net.stats.connections_delayed.add(1);
                }
                glommio::timer::sleep(wait).await;
            }
        }
    }
}

/// Spawns the task of a new connection.
fn serve<S: Service>(shared: &Rc<Shared>, socket: OwnedFd, mut counted: Counted, service: &Rc<S>) {
    let remote = getpeername::<SockaddrStorage>(socket.as_raw_fd());
    let local = getsockname::<SockaddrStorage>(socket.as_raw_fd());
    let addresses = (remote.map_err(io::Error::from).and_then(|it| socket_address(&it)), local);
    // A peer that is gone already has no address.
    let (Ok(remote), Ok(local)) = addresses else { return };
    if !counted.is_from(remote.ip()) {
        shared.net.stats.connections_refused.add(1);
        tracing::debug!(listener = %shared.name, peer = %remote, "closed at once: its address has as many connections as it may have");
        return;
    }
    let local = socket_address(&local).unwrap_or(shared.local);
    let peer = Peer::new(local, remote, Rc::clone(&shared.name), shared.net.next_id());
    let state =
        Rc::new(State::new(&shared.net, Arc::new(socket), peer, &shared.limits, &shared.mark));
    shared.open.set(shared.open.get() + 1);
    shared.net.enter(Rc::clone(&state));
    let (shared, service) = (Rc::clone(shared), Rc::clone(service));
    glommio::spawn_local(async move {
        let reason = connection::run(&state, &service).await;
        drop(counted);
        shared.closed(&state, reason);
    })
    .detach();
}

impl Shared {
    fn closed(&self, state: &State, reason: CloseReason) {
        tracing::debug!(listener = %self.name, peer = %state.peer.remote, reason = reason.name(), "closed");
        self.net.leave(state, reason);
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 {
            self.empty.borrow_mut().drain(..).for_each(std::task::Waker::wake);
        }
    }
}

/// Errors that accept(2) reports of a connection that has gone meanwhile.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    let kind = error.kind();
    [
        ConnectionAborted,
        ConnectionReset,
        HostUnreachable,
        Interrupted,
        NetworkDown,
        NetworkUnreachable,
    ]
    .contains(&kind)
        || error.raw_os_error() == Some(libc::EPROTO)
}

fn socket_address(address: &SockaddrStorage) -> io::Result<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Ok(SocketAddr::from((v4.ip(), v4.port())));
    }
    match address.as_sockaddr_in6() {
        Some(v6) => Ok(SocketAddr::from((v6.ip(), v6.port()))),
        None => Err(io::Error::from(io::ErrorKind::Unsupported)),
    }
}
