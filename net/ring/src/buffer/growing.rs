//! `Growing`: memory for bytes whose number is announced before they arrive.
//!
//! It grows as they come. Short ones are on the heap; from `MAPPED_MIN` on it is a mapping of its own, which grows by moving its
//! pages, without copying, and goes back to the system when it is dropped: the heap would keep what hundreds of half
//! received frames have taken, in pieces.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
};

/// The smallest capacity that gets a mapping.
const MAPPED_MIN: usize = 2 << 20;

#[derive(Debug)]
pub struct Growing {
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    Mapped(Mapping),
}

impl Growing {
    /// A copy of `bytes`, and no more memory than that.
    pub fn copy_of(bytes: &[u8]) -> Growing {
        Growing { memory: Memory::Heap(bytes.to_vec()) }
    }

    pub fn len(&self) -> usize {
        match &self.memory {
            Memory::Heap(bytes) => bytes.len(),
            Memory::Mapped(mapping) => mapping.len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Heap(bytes) => bytes.capacity(),
            Memory::Mapped(mapping) => mapping.capacity,
        }
    }

    /// Makes room for `capacity` bytes in total. Aborts where the system has no memory, as the allocator does.
    pub fn grow(&mut self, capacity: usize) {
        if capacity <= self.capacity() {
            return;
        }
        match &mut self.memory {
            Memory::Heap(bytes) if capacity < MAPPED_MIN => {
                bytes.reserve_exact(capacity - bytes.len())
            }
            Memory::Heap(bytes) => self.memory = Memory::Mapped(Mapping::copy_of(bytes, capacity)),
            Memory::Mapped(mapping) => mapping.grow(capacity),
        }
    }

    /// Receives at most `max` bytes, and no more than there is room for, without waiting (`recv(2)`): `Ok(0)` is the peer's
    /// end of the stream.
    pub fn receive_now(&mut self, socket: impl AsFd, max: usize) -> io::Result<usize> {
        let (len, capacity) = (self.len(), self.capacity());
        let max = max.min(capacity - len);
        let start = match &mut self.memory {
            Memory::Heap(bytes) => bytes.as_mut_ptr(),
            Memory::Mapped(mapping) => mapping.start.as_ptr(),
        };
        // SAFETY: `len` is at most the capacity.
        let spare = unsafe { start.add(len) };
        let socket = socket.as_fd().as_raw_fd();
        // SAFETY: `spare` has room for `max` bytes, and is ours alone.
        let received = unsafe { libc::recv(socket, spare.cast(), max, libc::MSG_DONTWAIT) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        match &mut self.memory {
            // SAFETY: the kernel has written that many bytes behind the first `len`.
            Memory::Heap(bytes) => unsafe { bytes.set_len(len + received) },
            Memory::Mapped(mapping) => mapping.len += received,
        }
        Ok(received)
    }
}

impl AsRef<[u8]> for Growing {
    fn as_ref(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(bytes) => bytes,
            // SAFETY: the first `len` bytes are ours, written, and live as long as we are borrowed.
            Memory::Mapped(mapping) => unsafe {
                std::slice::from_raw_parts(mapping.start.as_ptr(), mapping.len)
            },
        }
    }
}

/// Pages of our own.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
}

// SAFETY: it owns its pages, which any thread may use.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference only reads what has been written before it was made.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn copy_of(bytes: &[u8], capacity: usize) -> Mapping {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, at an address of the kernel's choice, touches nothing that exists.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), capacity, protection, flags, -1, 0) };
        let start = mapped(start, capacity);
        assert!(bytes.len() <= capacity, "a mapping is made to grow");
        // SAFETY: the mapping has room for `bytes` (just checked), and nobody else has it.
        unsafe { start.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Mapping { start, len: bytes.len(), capacity }
    }

    fn grow(&mut self, capacity: usize) {
        let old = self.start.as_ptr().cast();
        // SAFETY: the old mapping is ours, and nobody has an address in it: we are borrowed mutably.
        let start = unsafe { libc::mremap(old, self.capacity, capacity, libc::MREMAP_MAYMOVE) };
        self.start = mapped(start, capacity);
        self.capacity = capacity;
    }
}

fn mapped(start: *mut libc::c_void, capacity: usize) -> NonNull<u8> {
    match NonNull::new(start.cast::<u8>()) {
        Some(mapped) if start != libc::MAP_FAILED => mapped,
        _ => {
            let layout = std::alloc::Layout::array::<u8>(capacity)
                .expect("capacities are far below isize::MAX");
            std::alloc::handle_alloc_error(layout)
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody has it any more. It cannot fail for a range that was mapped.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.capacity) };
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener, net::TcpStream};

    use super::*;

    #[test]
    fn keeps_its_bytes_as_it_grows() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let expected: Vec<u8> =
            (0..9_000_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
        let sender = std::thread::Builder::new().spawn({
            let expected = expected.clone();
            move || peer.write_all(&expected[100..]).unwrap()
        });
        let mut bytes = Growing::copy_of(&expected[..100]);
        let mut capacities = Vec::new();
        while bytes.len() < expected.len() {
            if bytes.len() == bytes.capacity() {
                bytes.grow((bytes.len() * 3).min(expected.len()));
                capacities.push(bytes.capacity());
            }
            match bytes.receive_now(&socket, 1 << 20) {
                Ok(received) => assert!(received > 0),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        sender.unwrap().join().unwrap();
        assert!(bytes.as_ref() == expected);
        assert!(capacities.iter().filter(|capacity| **capacity >= MAPPED_MIN).count() >= 2);
        assert_eq!(bytes.receive_now(&socket, 10).unwrap(), 0, "there is no room");
    }
}
