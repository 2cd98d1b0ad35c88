//! `Aligned`: an owned buffer for direct I/O.

use std::ops::{Bound, Deref, DerefMut, RangeBounds};

use bytes::Bytes;

use super::memory::Memory;

/// A buffer whose address is a multiple of `ALIGNMENT`, with room for `capacity` bytes, of which the first `len` are
/// initialised.
pub struct Aligned {
    memory: Memory,
    len: usize,
    capacity: usize,
}

impl Aligned {
    /// Empty, with room for `capacity` bytes. The memory is not touched.
    pub fn with_capacity(capacity: usize) -> Aligned {
        Aligned { memory: Memory::uninitialised(capacity), len: 0, capacity }
    }

    /// `len` zeroes.
    pub fn zeroed(len: usize) -> Aligned {
        Aligned { memory: Memory::zeroed(len), len, capacity: len }
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Appends; panics where there is no room.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity - self.len, "an aligned buffer does not grow");
        // SAFETY: the destination lies within the allocation (just checked), and `bytes` cannot overlap what we borrow
        // mutably.
        unsafe {
            self.memory.start().add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        self.len += bytes.len();
    }

    /// Appends zeroes up to `len`; panics where there is no room.
    pub fn pad_to(&mut self, len: usize) {
        assert!(len <= self.capacity, "an aligned buffer does not grow");
        let Some(missing) = len.checked_sub(self.len) else { return };
        // SAFETY: `len..len + missing` lies within the allocation (just checked).
        unsafe { self.memory.start().add(self.len).write_bytes(0, missing) };
        self.len = len;
    }

    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The bytes of `range`, without copying; the buffer is freed with the last of them.
    pub fn freeze(self, range: impl RangeBounds<usize>) -> Bytes {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len,
        };
        Bytes::from_owner(self).slice(start..end)
    }

    pub(crate) fn start(&mut self) -> *mut u8 {
        self.memory.start()
    }

    /// # Safety
    /// The first `len` bytes must have been written.
    pub(crate) unsafe fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "no more can be written than there is room for");
        self.len = len;
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised, and live as long as we are borrowed.
        unsafe { std::slice::from_raw_parts(self.memory.start(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; we are borrowed mutably, so nobody else is.
        unsafe { std::slice::from_raw_parts_mut(self.memory.start(), self.len) }
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::ALIGNMENT;

    #[test]
    fn is_aligned_and_keeps_its_bytes() {
        let mut buffer = Aligned::with_capacity(10_000);
        assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
        buffer.extend_from_slice(b"abc");
        buffer.pad_to(8);
        buffer[1] = b'B';
        assert_eq!(&buffer[..], b"aBc\0\0\0\0\0");
        let bytes = buffer.freeze(1..3);
        assert_eq!(&bytes[..], b"Bc");
        assert_eq!(&Aligned::zeroed(5)[..], [0; 5]);
        assert!(Aligned::with_capacity(0).freeze(..).is_empty());
    }

    #[test]
    #[should_panic(expected = "does not grow")]
    fn does_not_grow() {
        Aligned::with_capacity(2).extend_from_slice(b"abc");
    }
}
