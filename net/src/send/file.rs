//! Sends ranges of files.
//!
//! Measured for 256 KiB: `sendfile` of what is in the page cache 36 to 71 µs; `READ` and `SEND` 116; read-ahead and `sendfile`
//! 141; `SPLICE` 165 to 219; `sendfile` of what is not in the cache 274, and it blocks the thread for as long as the device
//! takes. So each chunk is looked at first (0.4 µs).
//!
//! What is cold is read into memory and sent from there, and the kernel reads ahead of us meanwhile, so that a file that is sent from
//! its beginning is soon warm before we get there. But it reads as much at once as the device says is good for a lonely reader (8 MiB
//! where this was measured), and a commit that the device is given behind that waits for all of it (19 ms). So while
//! anything is written, it is told to read nothing ahead, and we have it read [`AHEAD`] at a time, which costs half as much again.
//!
//! # Not obvious
//! - `sendfile` tells the socket that more follows for all but its last page: a chunk that ends before its length, at the
//!   end of a file, would leave the last packet waiting for 40 ms. We never ask for more than the range, and close when it is short.
//! - Read-ahead puts pages into the cache before they are filled, and `sendfile` would wait for them: reading the last of them
//!   through the ring waits elsewhere.
//! - Whether the kernel reads ahead is a matter of the open file, which readers on all shards share: they all say the same.
//! - A file opened with `O_DIRECT` has no `sendfile`: the kernel would copy it by direct reads.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use bytes::Bytes;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use ring::{
    buffer::{ALIGNMENT, Aligned},
    op::now,
    writes,
};

use super::{FilePath, FileRange, SendError, Sender};
use crate::budget::{Charge, Class};

/// Bytes that are decided upon, and held in memory, at once.
const CHUNK: u64 = 256 << 10;
/// Bytes that the device is asked for at once while something is written.
const AHEAD: u64 = 512 << 10;
/// Bytes after which other connections have their turn.
const YIELD_AFTER: u64 = 1 << 20;

impl Sender {
    /// `more`: something follows the range at once.
    pub(super) async fn send_range(&self, range: FileRange, more: bool) -> Result<(), SendError> {
        let direct = is_direct(&range.file).map_err(SendError::File)?;
        let end = range.position.checked_add(range.length).ok_or_else(too_short)?;
        let mut position = range.position;
        let mut pipe = None;
        let mut since_yield = 0;
        while position < end {
            let length = CHUNK.min(end - position);
            let path = match self.net.file_path() {
                _ if direct => FilePath::Read,
                FilePath::Auto => self.choose(&range, position, length).await?,
                chosen => chosen,
            };
            let more = more || position + length < end;
            let sent = match path {
                FilePath::Auto | FilePath::SendFile => {
                    self.send_file(&range.file, position, length).await?
                }
                FilePath::Read => self.read_and_send(&range.file, position, length, more).await?,
                FilePath::Splice => {
                    if pipe.is_none() {
                        pipe = Some(Pipe::new().map_err(SendError::File)?);
                    }
                    let pipe = pipe.as_ref().expect("it was just made");
                    self.splice(pipe, &range.file, position, length, more).await?
                }
            };
            position += sent;
            since_yield += sent;
            if since_yield >= YIELD_AFTER {
                since_yield = 0;
                self.net.ring.yield_now().await;
            }
        }
        Ok(())
    }

    async fn choose(
        &self,
        range: &FileRange,
        position: u64,
        length: u64,
    ) -> Result<FilePath, SendError> {
        if is_cached(&range.file, position, length) {
            return Ok(FilePath::SendFile);
        }
        let writes = writes::lately();
        now::let_kernel_read_ahead(&range.file, !writes).map_err(SendError::File)?;
        if !writes {
            return Ok(FilePath::Read);
        }
        let ahead = AHEAD.min(range.position + range.length - position);
        self.read_ahead(&range.file, position, ahead).await.map_err(SendError::File)?;
        // Pages may have been dropped again: whatever is cold now is not waited for by `sendfile`.
        Ok(if is_cached(&range.file, position, length) {
            FilePath::SendFile
        } else {
            FilePath::Read
        })
    }

    /// Brings a range into the page cache, without blocking the shard.
    async fn read_ahead(&self, file: &Arc<OwnedFd>, position: u64, length: u64) -> io::Result<()> {
        let bytes = usize::try_from(length).expect("a few chunks");
        let _charge = self.net.ahead.take(Class::Small, bytes).await;
        now::read_ahead(file, position, length)?;
        let last = (position + length - 1) & !(ALIGNMENT as u64 - 1);
        let page = Aligned::with_capacity(ALIGNMENT);
        self.net.ring.read_at(file, page, ALIGNMENT, last).await.0?;
        self.net.stats.read_ahead_bytes.add(length);
        Ok(())
    }

    /// Sends some of what is in the page cache; waits for room in the socket only if there is none.
    async fn send_file(
        &self,
        file: &Arc<OwnedFd>,
        position: u64,
        length: u64,
    ) -> Result<u64, SendError> {
        let bytes = usize::try_from(length).expect("a chunk is small");
        loop {
            match now::send_file(&self.socket, file, position, bytes) {
                Ok(0) => return Err(too_short()),
                Ok(sent) => {
                    self.count(&self.net.stats.sendfile_bytes, sent);
                    return Ok(sent as u64);
                }
                Err(error) if is_of_the_peer(&error) => self.wait_unless_broken(error).await?,
                Err(error) => return Err(SendError::File(error)),
            }
        }
    }

    /// Reads a chunk into memory and sends as much of it as the socket has room for. A slow peer holds no memory meanwhile:
    /// what it does not take is read again.
    async fn read_and_send(
        &self,
        file: &Arc<OwnedFd>,
        position: u64,
        length: u64,
        more: bool,
    ) -> Result<u64, SendError> {
        let bytes = self.read(file, position, length).await?;
        let mut message = self.net.take_message();
        message.push(bytes);
        let (sent, mut message) = self.net.ring.send(&self.socket, message, more).await;
        message.clear();
        self.net.keep_message(message);
        self.net.stats.sends.add(1);
        match sent {
            Ok(0) => Err(SendError::Peer(io::ErrorKind::WriteZero.into())),
            Ok(sent) => {
                self.count(&self.net.stats.read_bytes, sent);
                if (sent as u64) < length {
                    self.wait_unless_broken(io::ErrorKind::WouldBlock.into()).await?;
                }
                Ok(sent as u64)
            }
            Err(error) => {
                self.wait_unless_broken(error).await?;
                Ok(0)
            }
        }
    }

    /// Whole blocks around a range, so that a file opened with `O_DIRECT` will do; gives the range.
    async fn read(
        &self,
        file: &Arc<OwnedFd>,
        position: u64,
        length: u64,
    ) -> Result<Bytes, SendError> {
        let start = position & !(ALIGNMENT as u64 - 1);
        let skip = usize::try_from(position - start).expect("less than a block");
        let wanted = skip + usize::try_from(length).expect("a chunk is small");
        let blocks = wanted.next_multiple_of(ALIGNMENT);
        let charge = self.net.cold.take(Class::Small, blocks).await;
        let (read, buffer) =
            self.net.ring.read_at(file, Aligned::with_capacity(blocks), blocks, start).await;
        if read.map_err(SendError::File)? < wanted {
            return Err(too_short());
        }
        Ok(Bytes::from_owner(Cold { buffer, _charge: charge }).slice(skip..wanted))
    }

    /// Through a pipe: the kernel moves pages, on a thread of its own.
    async fn splice(
        &self,
        pipe: &Pipe,
        file: &Arc<OwnedFd>,
        position: u64,
        length: u64,
        more: bool,
    ) -> Result<u64, SendError> {
        let ring = &self.net.ring;
        let bytes = usize::try_from(length).expect("a chunk is small");
        let filled = ring.splice((file, Some(position)), (&pipe.write, None), bytes, 0).await;
        let filled = filled.map_err(SendError::File)?;
        if filled == 0 {
            return Err(too_short());
        }
        let flags = if more || (filled as u64) < length { libc::SPLICE_F_MORE } else { 0 };
        let mut left = filled;
        while left > 0 {
            match ring.splice((&pipe.read, None), (&self.socket, None), left, flags).await {
                Ok(0) => return Err(SendError::Peer(io::ErrorKind::WriteZero.into())),
                Ok(sent) => {
                    self.count(&self.net.stats.splice_bytes, sent);
                    left -= sent;
                }
                Err(error) => self.wait_unless_broken(error).await?,
            }
        }
        Ok(filled as u64)
    }
}

/// What was read from a file, and its account.
struct Cold {
    buffer: Aligned,
    _charge: Charge,
}

impl AsRef<[u8]> for Cold {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

struct Pipe {
    read: Arc<OwnedFd>,
    write: Arc<OwnedFd>,
}

impl Pipe {
    fn new() -> io::Result<Pipe> {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        // More than the default of 64 KiB; a system that refuses it only makes more calls of it.
        let _ =
            fcntl(&write, FcntlArg::F_SETPIPE_SZ(i32::try_from(CHUNK).expect("a chunk is small")));
        Ok(Pipe { read: Arc::new(read), write: Arc::new(write) })
    }
}

fn is_direct(file: &Arc<OwnedFd>) -> io::Result<bool> {
    let flags = fcntl(file.as_fd(), FcntlArg::F_GETFL)?;
    Ok(OFlag::from_bits_retain(flags).contains(OFlag::O_DIRECT))
}

/// Whether all of a range is in the page cache, its last page filled: the others were asked for before it. A kernel that
/// cannot tell says no.
fn is_cached(file: &Arc<OwnedFd>, position: u64, length: u64) -> bool {
    const PAGE: u64 = 4096;
    let pages = (position + length).div_ceil(PAGE) - position / PAGE;
    now::cached_pages(file, position, length).is_ok_and(|cached| cached >= pages)
        && now::is_filled(file, position + length - 1)
}

/// Errors of `sendfile` that come from the socket, not from the file.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut,
        WouldBlock,
    };
    let kind = error.kind();
    [
        BrokenPipe,
        ConnectionAborted,
        ConnectionReset,
        Interrupted,
        NotConnected,
        TimedOut,
        WouldBlock,
    ]
    .contains(&kind)
}

fn too_short() -> SendError {
    SendError::File(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file is shorter than the range",
    ))
}
