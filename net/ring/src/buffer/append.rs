//! `AppendBuffer`: memory that is shared while it is still being filled.
//!
//! What has been appended never changes again, so that slices of it may be sent, written and read on any thread while
//! later bytes are being appended behind them. The buffer itself has one owner, who alone appends.

use std::{any::Any, io, ops::Range, os::fd::AsFd, sync::Arc};

use bytes::Bytes;

use super::memory::Memory;

pub struct AppendBuffer {
    shared: Arc<Shared>,
    len: usize,
    capacity: usize,
    /// Bytes below `len` that are still to be written, and that nobody may see before.
    holes: Vec<Range<usize>>,
}

/// Bytes of one [`AppendBuffer`] that are filled after what follows them. See [`AppendBuffer::reserve`].
#[derive(Debug)]
pub struct Hole(Range<usize>);

struct Shared {
    memory: Memory,
    /// Dropped after the memory: what accounts for it.
    _charge: Option<Box<dyn Any + Send + Sync>>,
}

impl AppendBuffer {
    /// Empty, with room for `capacity` bytes at an address that direct I/O can use. The memory is not touched.
    pub fn new(capacity: usize) -> AppendBuffer {
        AppendBuffer::make(capacity, None)
    }

    /// As `new`; `charge` is dropped when the memory has been freed: when the buffer and every slice of it are gone.
    pub fn with_charge(capacity: usize, charge: impl Any + Send + Sync) -> AppendBuffer {
        AppendBuffer::make(capacity, Some(Box::new(charge)))
    }

    fn make(capacity: usize, charge: Option<Box<dyn Any + Send + Sync>>) -> AppendBuffer {
        let shared = Shared { memory: Memory::huge(capacity), _charge: charge };
        AppendBuffer { shared: Arc::new(shared), len: 0, capacity, holes: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that can still be appended.
    pub fn remaining(&self) -> usize {
        self.capacity - self.len
    }

    /// Appends a copy of `bytes`; panics where there is no room.
    pub fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        self.append_copy(bytes, |_| {})
    }

    /// Appends a copy of `bytes`, which `stamp` may change before anybody can see it.
    pub fn append_copy(&mut self, bytes: &[u8], stamp: impl FnOnce(&mut [u8])) -> Range<usize> {
        let spare = self.spare(bytes.len());
        // SAFETY: `spare` has room for that many bytes, which no slice covers: they cannot overlap `bytes`.
        unsafe { spare.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        // SAFETY: they were just written, and nobody else has access to what lies beyond `len`.
        stamp(unsafe { std::slice::from_raw_parts_mut(spare, bytes.len()) });
        self.publish(bytes.len())
    }

    /// Appends `len` bytes, zeroed and then written by `write`; panics where there is no room.
    pub fn append_with(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> Range<usize> {
        let spare = self.spare(len);
        // SAFETY: `spare` has room for `len` bytes.
        unsafe { spare.write_bytes(0, len) };
        // SAFETY: they were just written, and nobody else has access to what lies beyond `len`.
        write(unsafe { std::slice::from_raw_parts_mut(spare, len) });
        self.publish(len)
    }

    /// Leaves out `len` bytes, zeroed, that are to be filled later: the header of what is appended next. Until then no slice
    /// may cover them. Panics where there is no room.
    pub fn reserve(&mut self, len: usize) -> Hole {
        let range = self.append_with(len, |_| {});
        self.holes.push(range.clone());
        Hole(range)
    }

    /// Fills a hole, which from now on is like all that was appended. Panics if it is another buffer's, or of another size.
    pub fn fill(&mut self, hole: Hole, bytes: &[u8]) {
        let open = self.holes.iter().position(|open| *open == hole.0 && open.len() == bytes.len());
        self.holes.remove(open.expect("a hole is filled whole, by its own buffer"));
        // SAFETY: the hole lies below `len`, so within the allocation; `slice` gave out nothing of it, so nobody else has
        // access to these bytes, and `bytes` cannot be a part of them.
        unsafe {
            self.shared
                .memory
                .start()
                .add(hole.0.start)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
    }

    fn is_open(&self, range: &Range<usize>) -> bool {
        self.holes.iter().any(|hole| range.start < hole.end && hole.start < range.end)
    }

    /// Bytes of what has been appended, without copying; panics beyond it.
    pub fn slice(&self, range: Range<usize>) -> Bytes {
        assert!(
            range.start <= range.end && range.end <= self.len && !self.is_open(&range),
            "only what has been appended can be shared"
        );
        if range.is_empty() {
            return Bytes::new();
        }
        Bytes::from_owner(Slice { shared: Arc::clone(&self.shared), range })
    }

    /// What has been appended.
    pub fn filled(&self) -> &[u8] {
        assert!(!self.is_open(&(0..self.len)), "only what has been appended can be shared");
        // SAFETY: the first `len` bytes were written, and never change again.
        unsafe { std::slice::from_raw_parts(self.shared.memory.start(), self.len) }
    }

    /// Whether no slice is left.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    /// Forgets what has been appended and starts again, if no slice is left; else gives back the buffer as it is.
    pub fn reset(mut self) -> Result<AppendBuffer, AppendBuffer> {
        if Arc::get_mut(&mut self.shared).is_none() {
            return Err(self);
        }
        self.len = 0;
        self.holes.clear();
        Ok(self)
    }

    /// Receives at most `max` bytes from a socket without waiting (`recv(2)`): `Ok(0)` is the peer's end of the stream.
    pub fn receive_now(&mut self, socket: impl AsFd, max: usize) -> io::Result<usize> {
        use std::os::fd::AsRawFd;
        let max = max.min(self.remaining());
        let socket = socket.as_fd().as_raw_fd();
        // SAFETY: `max` bytes lie within the allocation, beyond what any slice covers.
        let received =
            unsafe { libc::recv(socket, self.spare(max).cast(), max, libc::MSG_DONTWAIT) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        self.publish(received);
        Ok(received)
    }

    /// The address of what lies beyond `len`.
    pub(crate) fn spare(&mut self, len: usize) -> *mut u8 {
        assert!(len <= self.remaining(), "an append buffer does not grow");
        // SAFETY: `self.len` is at most the capacity.
        unsafe { self.shared.memory.start().add(self.len) }
    }

    /// # Safety
    /// The first `len` bytes of `spare` must have been written.
    pub(crate) unsafe fn advance(&mut self, len: usize) {
        self.publish(len);
    }

    fn publish(&mut self, len: usize) -> Range<usize> {
        assert!(len <= self.remaining(), "an append buffer does not grow");
        let start = self.len;
        self.len += len;
        start..self.len
    }
}

struct Slice {
    shared: Arc<Shared>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range had been appended when the slice was made, so it was written and never changes again; the
        // memory lives as long as `shared`.
        unsafe {
            std::slice::from_raw_parts(
                self.shared.memory.start().add(self.range.start),
                self.range.len(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn slices_stay_while_later_bytes_are_appended() {
        let mut buffer = AppendBuffer::new(64);
        let first = buffer.append(b"hello");
        let first = buffer.slice(first);
        let reader = std::thread::Builder::new().spawn({
            let first = first.clone();
            move || (0..1000).all(|_| &first[..] == b"hello")
        });
        for _ in 0..10 {
            buffer.append_copy(b"wor", |bytes| bytes[0] = b'W');
        }
        let second = buffer.append_with(4, |bytes| bytes[1] = 7);
        assert_eq!(&buffer.slice(second)[..], [0, 7, 0, 0]);
        assert!(reader.unwrap().join().unwrap());
        assert_eq!((&first[..], buffer.len(), buffer.remaining()), (&b"hello"[..], 39, 25));
        assert_eq!(&buffer.filled()[5..8], b"Wor");
    }

    #[test]
    fn the_charge_goes_with_the_last_slice() {
        struct Charge(Arc<AtomicUsize>);
        impl Drop for Charge {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut buffer = AppendBuffer::with_charge(16, Charge(Arc::clone(&dropped)));
        let range = buffer.append(b"abc");
        let slice = buffer.slice(range);
        let buffer = buffer.reset().err().unwrap();
        drop(buffer);
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        drop(slice);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_header_is_filled_after_what_follows_it() {
        let mut buffer = AppendBuffer::new(64);
        let hole = buffer.reserve(4);
        let body = buffer.append(b"body");
        assert_eq!(&buffer.slice(body)[..], b"body");
        buffer.fill(hole, b"head");
        assert_eq!(&buffer.slice(0..8)[..], b"headbody");
    }

    #[test]
    #[should_panic(expected = "only what has been appended")]
    fn nobody_sees_a_hole() {
        let mut buffer = AppendBuffer::new(64);
        buffer.reserve(4);
        buffer.append(b"body");
        buffer.slice(3..8);
    }

    #[test]
    #[should_panic(expected = "only what has been appended")]
    fn nobody_sees_what_was_not_appended() {
        AppendBuffer::new(16).slice(0..1);
    }
}
