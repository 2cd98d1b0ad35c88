//! The operations.

mod files;
mod message;
mod names;
pub mod now;
mod sockets;
mod waits;

pub use message::{FileStatus, Message};
pub(crate) use message::{SocketAddress, Status};
pub use names::At;

/// The kernel moves at most this much in one read or write; larger requests are cut, as if they had been short.
pub(crate) const TRANSFER_MAX: usize = 1 << 30;

/// A length as the kernel takes it.
pub(crate) fn length(bytes: usize) -> u32 {
    u32::try_from(bytes.min(TRANSFER_MAX)).expect("TRANSFER_MAX is below 2^32")
}
