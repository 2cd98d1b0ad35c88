//! System calls that answer at once, beside the ring.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// From `include/uapi/linux/mman.h`, since 6.5.
#[repr(C)]
struct CacheRange {
    position: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct CacheStat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Its number, the same on all architectures that have been added since 5.1.
const SYS_CACHESTAT: libc::c_long = 451;

/// Pages of a range that are in the page cache (cachestat(2), 0.4 µs).
pub fn cached_pages(file: impl AsFd, position: u64, length: u64) -> io::Result<u64> {
    let range = CacheRange { position, length };
    let mut stat = CacheStat::default();
    let file = file.as_fd().as_raw_fd();
    // SAFETY: both structures are as the kernel defines them, and live until the call returns.
    let result = unsafe { libc::syscall(SYS_CACHESTAT, file, &raw const range, &raw mut stat, 0) };
    if result == 0 { Ok(stat.cached) } else { Err(io::Error::last_os_error()) }
}

/// Has the device read a range into the page cache, and does not wait for it.
pub fn read_ahead(file: impl AsFd, position: u64, length: u64) -> io::Result<()> {
    let (Ok(position), Ok(length)) = (i64::try_from(position), i64::try_from(length)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Ok(posix_fadvise(file, position, length, PosixFadviseAdvice::POSIX_FADV_WILLNEED)?)
}

/// Whether reads of an open file make the kernel read ahead, from now on, whoever's they are.
pub fn let_kernel_read_ahead(file: impl AsFd, it_may: bool) -> io::Result<()> {
    let advice = if it_may {
        PosixFadviseAdvice::POSIX_FADV_NORMAL
    } else {
        PosixFadviseAdvice::POSIX_FADV_RANDOM
    };
    Ok(posix_fadvise(file, 0, 0, advice)?)
}

/// Whether the byte at `position` can be read at once: its page is in the page cache and has been filled (a page that is
/// being read ahead is there before that).
pub fn is_filled(file: impl AsFd, position: u64) -> bool {
    let Ok(position) = i64::try_from(position) else { return false };
    let mut byte = 0_u8;
    let vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: the vector names one byte, which lives until the call returns.
    let read = unsafe {
        libc::preadv2(file.as_fd().as_raw_fd(), &raw const vector, 1, position, libc::RWF_NOWAIT)
    };
    read == 1
}

/// Whether a file that is open for writing is open elsewhere too, in this process or another: only where it is not does the kernel
/// give a lease for writing (fcntl(2), `F_SETLEASE`), which is given back at once. Fails on file systems without leases, and where the
/// file is another user's.
pub fn is_open_elsewhere(file: impl AsFd) -> io::Result<bool> {
    let file = file.as_fd().as_raw_fd();
    let lease = |kind: libc::c_int| {
        // SAFETY: the descriptor is open, and the call takes no pointer.
        match unsafe { libc::fcntl(file, libc::F_SETLEASE, kind) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    match lease(libc::F_WRLCK) {
        Ok(()) => lease(libc::F_UNLCK).map(|()| false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// Sends at most `length` bytes of a file on a non-blocking socket (sendfile(2)); gives how many were taken, 0 at the end
/// of the file. Blocks the thread where pages are not in the page cache: ask first.
pub fn send_file(
    socket: impl AsFd,
    file: impl AsFd,
    position: u64,
    length: usize,
) -> io::Result<usize> {
    let mut position =
        i64::try_from(position).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let (socket, file) = (socket.as_fd().as_raw_fd(), file.as_fd().as_raw_fd());
    // SAFETY: the position lives until the call returns.
    let sent = unsafe { libc::sendfile(socket, file, &raw mut position, length) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
