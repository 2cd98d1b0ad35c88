//! Operations on sockets.
//!
//! On a non-blocking socket (one that `accept` gave, or `sendfile` needs) an operation that would have to wait completes
//! with `WouldBlock`, as the system call would: `poll_add` waits. On a blocking one the ring waits itself.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::Arc,
};

use io_uring::{opcode, types::Fd};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};

use super::{Message, SocketAddress, length};
use crate::{
    Op, Ring,
    buffer::AppendBuffer,
    completion::{OnDrop, check, unit},
    slots::Held,
};

impl Ring {
    /// Waits for a connection. The new socket is non-blocking and closed on exec. A connection that arrives while the future
    /// is being dropped is closed.
    pub fn accept(&self, listener: &Arc<OwnedFd>) -> Op<io::Result<OwnedFd>> {
        let entry = opcode::Accept::new(
            Fd(listener.as_raw_fd()),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
        .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
        .build();
        // SAFETY: it points to nothing; the slot owns the listener.
        unsafe {
            self.push(
                entry,
                Held::Accept { _listener: Arc::clone(listener) },
                finish_accept,
                OnDrop::Cancel,
            )
        }
    }

    pub fn connect(&self, socket: &Arc<OwnedFd>, address: SocketAddr) -> Op<io::Result<()>> {
        let address = Box::new(SocketAddress(SockaddrStorage::from(address)));
        let entry =
            opcode::Connect::new(Fd(socket.as_raw_fd()), address.0.as_ptr(), address.0.len())
                .build();
        let held = Held::Address { _fd: Arc::clone(socket), _address: address };
        // SAFETY: the slot owns the address, whose memory does not move, and the socket.
        unsafe { self.push(entry, held, unit, OnDrop::Cancel) }
    }

    /// Appends at most `max` received bytes to `buffer`; 0 is the peer's end of the stream.
    ///
    /// Dropping the future loses the buffer and what may have been received into it.
    pub fn receive(
        &self,
        socket: &Arc<OwnedFd>,
        mut buffer: AppendBuffer,
        max: usize,
    ) -> Op<(io::Result<usize>, AppendBuffer)> {
        let max = max.min(buffer.remaining());
        let entry =
            opcode::Recv::new(Fd(socket.as_raw_fd()), buffer.spare(max), length(max)).build();
        let held = Held::Receive { _fd: Arc::clone(socket), buffer };
        // SAFETY: the slot owns the buffer, whose memory does not move and has room for `max` more bytes beyond what
        // anybody sees, and the socket.
        unsafe { self.push(entry, held, finish_receive, OnDrop::Cancel) }
    }

    /// Sends the beginning of `message`; gives how many bytes were taken, which the caller passes to `Message::advance`.
    /// With `more`, the kernel may hold back a last packet that is not full: say so only if more follows at once.
    pub fn send(
        &self,
        socket: &Arc<OwnedFd>,
        mut message: Box<Message>,
        more: bool,
    ) -> Op<(io::Result<usize>, Box<Message>)> {
        let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
        let entry = opcode::SendMsg::new(Fd(socket.as_raw_fd()), message.header())
            .flags(flags.cast_unsigned())
            .build();
        let held = Held::Message { _fd: Arc::clone(socket), message };
        // SAFETY: the slot owns the message, whose header, vectors and bytes do not move, and the socket.
        unsafe { self.push(entry, held, finish_send, OnDrop::Leave) }
    }

    /// Ends one or both directions of a connection; what waits on it completes.
    pub fn shutdown(&self, socket: &Arc<OwnedFd>, how: std::net::Shutdown) -> Op<io::Result<()>> {
        let how = match how {
            std::net::Shutdown::Read => libc::SHUT_RD,
            std::net::Shutdown::Write => libc::SHUT_WR,
            std::net::Shutdown::Both => libc::SHUT_RDWR,
        };
        let entry = opcode::Shutdown::new(Fd(socket.as_raw_fd()), how).build();
        // SAFETY: it points to nothing; the slot owns the socket.
        unsafe {
            self.push(entry, Held::Descriptor { _fd: Arc::clone(socket) }, unit, OnDrop::Leave)
        }
    }
}

fn finish_accept(result: i32, held: Held) -> io::Result<OwnedFd> {
    drop(held);
    check(result)?;
    // SAFETY: a successful accept gives a new descriptor, which is nobody's yet.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

fn finish_receive(result: i32, held: Held) -> (io::Result<usize>, AppendBuffer) {
    let Held::Receive { mut buffer, .. } = held else { unreachable!("a receive holds its buffer") };
    let received = check(result).map(|count| count as usize);
    // SAFETY: the kernel has written that many bytes beyond the buffer's length.
    unsafe { buffer.advance(*received.as_ref().unwrap_or(&0)) };
    (received, buffer)
}

fn finish_send(result: i32, held: Held) -> (io::Result<usize>, Box<Message>) {
    let Held::Message { message, .. } = held else { unreachable!("a send holds its message") };
    (check(result).map(|count| count as usize), message)
}
