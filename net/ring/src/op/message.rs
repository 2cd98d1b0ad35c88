//! What operations point to beside buffers: the parts of a message, an address, a file's status.

use std::{collections::VecDeque, mem::MaybeUninit, time::Duration};

use bytes::{Buf, Bytes};
use nix::sys::socket::SockaddrStorage;

/// Pieces of memory that one send takes at most: more cost the kernel a second allocation.
const VECTORS_MAX: usize = 64;

/// Bytes to send, gathered from many places. It is lent to a send and comes back with its result, so that sending costs
/// no allocation.
pub struct Message {
    parts: VecDeque<Bytes>,
    length: usize,
    vectors: Vec<libc::iovec>,
    header: libc::msghdr,
}

impl Message {
    pub fn new() -> Box<Message> {
        // SAFETY: all zeroes is a msghdr: no name, no vectors, no control data.
        let header = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
        Box::new(Message { parts: VecDeque::new(), length: 0, vectors: Vec::new(), header })
    }

    pub fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            self.parts.push_back(bytes);
        }
    }

    /// Bytes that are still to be sent.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Pieces that are still to be sent.
    pub fn pieces(&self) -> usize {
        self.parts.len()
    }

    /// Drops what a send has taken.
    pub fn advance(&mut self, mut sent: usize) {
        assert!(sent <= self.length, "no more is sent than there was");
        self.length -= sent;
        while sent > 0 {
            let Some(first) = self.parts.front_mut() else {
                unreachable!("the parts add up to the length")
            };
            if sent < first.len() {
                first.advance(sent);
                return;
            }
            sent -= first.len();
            self.parts.pop_front();
        }
    }

    pub fn clear(&mut self) {
        self.parts.clear();
        self.length = 0;
    }

    /// The header that the kernel reads; it points into `vectors`, which point into `parts`: none of them changes before
    /// the send has completed, since the operation owns the message until then.
    pub(crate) fn header(&mut self) -> *const libc::msghdr {
        self.vectors.clear();
        self.vectors.extend(self.parts.iter().take(VECTORS_MAX).map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        }));
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
        &raw const self.header
    }
}

/// An address in the kernel's form.
pub(crate) struct SocketAddress(pub(crate) SockaddrStorage);

/// What `statx` writes to.
pub(crate) struct Status(pub(crate) MaybeUninit<libc::statx>);

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    pub len: u64,
    pub inode: u64,
    /// 512-byte blocks that are allocated.
    pub blocks: u64,
    pub is_directory: bool,
    /// Since the epoch.
    pub modified: Duration,
    /// Since the epoch.
    pub changed: Duration,
    /// Major and minor number of the device.
    pub device: (u32, u32),
}

impl Status {
    /// # Safety
    /// `statx` must have succeeded.
    pub(crate) unsafe fn read(&self) -> FileStatus {
        // SAFETY: the kernel has written all of it, as our caller says.
        let status = unsafe { self.0.assume_init_ref() };
        let time = |time: libc::statx_timestamp| {
            Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), time.tv_nsec)
        };
        FileStatus {
            len: status.stx_size,
            inode: status.stx_ino,
            blocks: status.stx_blocks,
            is_directory: u32::from(status.stx_mode) & libc::S_IFMT == libc::S_IFDIR,
            modified: time(status.stx_mtime),
            changed: time(status.stx_ctime),
            device: (status.stx_dev_major, status.stx_dev_minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advances_across_parts() {
        let mut message = Message::new();
        for part in [&b"abc"[..], b"", b"de", b"fgh"] {
            message.push(Bytes::from_static(part));
        }
        assert_eq!((message.len(), message.pieces()), (8, 3));
        message.advance(4);
        assert_eq!((message.len(), message.pieces()), (4, 2));
        message.advance(1);
        assert_eq!((message.len(), message.pieces()), (3, 1));
        message.advance(3);
        assert!(message.is_empty());
    }
}
