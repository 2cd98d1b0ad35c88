//! What a connection serves: the service that answers its requests, the peer that sends them, and its limits.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use bytestring::ByteString;
use futures::future::LocalBoxFuture;

use crate::send::Parts;

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// Name of the listener that accepted it.
    pub listener: Rc<str>,
    /// Unique within the shard.
    pub id: u64,
    muted_until: Cell<Option<Instant>>,
    sends_records: Cell<bool>,
    software: RefCell<Option<Software>>,
    kept: RefCell<Option<Rc<dyn Any>>>,
}

/// What a client says of its library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    pub name: ByteString,
    pub version: ByteString,
}

impl Peer {
    /// `id`: unique within the shard.
    pub fn new(local: SocketAddr, remote: SocketAddr, listener: Rc<str>, id: u64) -> Peer {
        Peer {
            local,
            remote,
            listener,
            id,
            muted_until: Cell::new(None),
            sends_records: Cell::new(false),
            software: RefCell::default(),
            kept: RefCell::default(),
        }
    }

    /// What the service keeps of this connection, made by `first` if there is nothing yet. It is dropped when the connection has ended.
    pub fn keep(&self, first: impl FnOnce() -> Rc<dyn Any>) -> Rc<dyn Any> {
        Rc::clone(self.kept.borrow_mut().get_or_insert_with(first))
    }

    /// The same, if there is something.
    pub fn kept(&self) -> Option<Rc<dyn Any>> {
        self.kept.borrow().as_ref().map(Rc::clone)
    }

    /// Its next request is not looked at before `until`: what has come stays in the socket, and the peer's window closes.
    pub fn mute(&self, until: Instant) {
        self.muted_until.set(Some(self.muted_until.get().map_or(until, |set| set.max(until))));
    }

    pub fn set_software(&self, software: Software) {
        *self.software.borrow_mut() = Some(software);
    }

    /// None until the client has said it.
    pub fn software(&self) -> Option<Software> {
        self.software.borrow().clone()
    }

    /// It has sent records, and will again: of the memory for requests it leaves some to the others.
    pub fn note_records(&self) {
        self.sends_records.set(true);
    }

    pub(crate) fn sends_records(&self) -> bool {
        self.sends_records.get()
    }

    /// How long it is muted.
    pub(crate) fn muted(&self, now: Instant) -> Option<Duration> {
        let left = self.muted_until.get()?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

/// Answers requests.
pub trait Service: 'static {
    /// The first stage of a request: runs before the connection's next request is read. `frame` is the request without
    /// its length. It is charged to the shard's budget until the last slice of it is gone, as a rule with what was received
    /// before and behind it: keep copies of what outlives the call, or other requests wait for the memory.
    fn call(self: Rc<Self>, peer: Rc<Peer>, frame: Bytes) -> impl Future<Output = Outcome>;
}

/// What the first stage of a request comes to.
pub enum Outcome {
    /// The whole answer, its length in front.
    Answer(Parts),
    /// A second stage that runs beside the connection's next requests; its answer still leaves in the order of requests.
    /// `None` closes the connection.
    Later(LocalBoxFuture<'static, Option<Parts>>),
    /// The request has no answer.
    Silent,
    Close(CloseReason),
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CloseReason {
    /// The peer closed it, between two requests.
    PeerClosed,
    /// The peer closed or reset it while a request or an answer was under way.
    Broken,
    /// A request's length was negative or above the limit.
    FrameLength,
    /// The service could not make sense of a request.
    Malformed,
    /// The service refuses the peer.
    Refused,
    /// A request arrived more slowly than the floor, while others needed the memory.
    SlowSender,
    /// An answer was not taken in time.
    SlowReader,
    /// Nothing happened for too long.
    Idle,
    /// A file that an answer takes its bytes from could not be read, or was too short.
    File,
    /// The shard closes.
    Shutdown,
}

impl CloseReason {
    pub const ALL: [CloseReason; 10] = [
        CloseReason::PeerClosed,
        CloseReason::Broken,
        CloseReason::FrameLength,
        CloseReason::Malformed,
        CloseReason::Refused,
        CloseReason::SlowSender,
        CloseReason::SlowReader,
        CloseReason::Idle,
        CloseReason::File,
        CloseReason::Shutdown,
    ];

    /// As it appears in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            CloseReason::PeerClosed => "peer_closed",
            CloseReason::Broken => "broken",
            CloseReason::FrameLength => "frame_length",
            CloseReason::Malformed => "malformed",
            CloseReason::Refused => "refused",
            CloseReason::SlowSender => "slow_sender",
            CloseReason::SlowReader => "slow_reader",
            CloseReason::Idle => "idle",
            CloseReason::File => "file",
            CloseReason::Shutdown => "shutdown",
        }
    }
}

/// What a connection may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest request; a longer one closes the connection (`socket.request.max.bytes`).
    pub frame_bytes_max: usize,
    /// Requests of one connection that are not answered; at the bound it is not read.
    pub in_flight_requests_max: usize,
    /// Bytes of such requests, and of answers that have not been sent.
    pub in_flight_bytes_max: usize,
    /// For the peer to take some of an answer; and for all of it, beside a second for each `RATE_FLOOR` bytes.
    pub send_timeout: Duration,
    /// Without a request and without an answer under way (`connections.max.idle.ms`).
    pub idle_timeout: Duration,
    /// Socket buffers, where the kernel's own choice is not wanted (`socket.send.buffer.bytes`, `socket.receive.buffer.bytes`).
    pub send_buffer_bytes: Option<usize>,
    pub receive_buffer_bytes: Option<usize>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            frame_bytes_max: 100 << 20,
            in_flight_requests_max: 256,
            in_flight_bytes_max: 64 << 20,
            send_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(600),
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
        }
    }
}

/// Bytes a second below which a request that is arriving, or an answer that is leaving, holds up others.
pub const RATE_FLOOR: u64 = 64 << 10;
