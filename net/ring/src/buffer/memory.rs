//! One aligned allocation on the heap.

use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error},
    ptr::NonNull,
};

use super::ALIGNMENT;

const HUGE_PAGE: usize = 2 << 20;

/// Owns `capacity` bytes at an address that is a multiple of `ALIGNMENT`. Says nothing about what is in them: who writes
/// and who reads which part is the business of the types around it.
pub(super) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its allocation, and gives out nothing but its address.
unsafe impl Send for Memory {}
// SAFETY: as above; every access through the address is the business, and the `unsafe`, of the types around it.
unsafe impl Sync for Memory {}

impl Memory {
    pub(super) fn uninitialised(capacity: usize) -> Memory {
        // SAFETY: `alloc` gives null or memory of this layout.
        Memory::with(capacity, |layout| unsafe { alloc(layout) })
    }

    pub(super) fn zeroed(capacity: usize) -> Memory {
        // SAFETY: `alloc_zeroed` gives null or memory of this layout.
        Memory::with(capacity, |layout| unsafe { alloc_zeroed(layout) })
    }

    /// As `uninitialised`, in huge pages where the kernel has some: fewer faults, and less for it to pin for direct I/O.
    pub(super) fn huge(capacity: usize) -> Memory {
        if capacity == 0 || !capacity.is_multiple_of(HUGE_PAGE) {
            return Memory::uninitialised(capacity);
        }
        // SAFETY: `alloc` gives null or memory of this layout.
        let memory = Memory::aligned(capacity, HUGE_PAGE, |layout| unsafe { alloc(layout) });
        // SAFETY: the range is ours. It is a hint: that it is not taken has no consequence.
        unsafe { libc::madvise(memory.start.as_ptr().cast(), capacity, libc::MADV_HUGEPAGE) };
        memory
    }

    /// `allocate` must give null or memory of the layout it is given, which is never empty.
    fn with(capacity: usize, allocate: impl Fn(Layout) -> *mut u8) -> Memory {
        Memory::aligned(capacity, ALIGNMENT, allocate)
    }

    fn aligned(capacity: usize, alignment: usize, allocate: impl Fn(Layout) -> *mut u8) -> Memory {
        let layout = Layout::from_size_align(capacity.max(1), alignment)
            .expect("capacities are far below isize::MAX");
        match NonNull::new(allocate(layout)) {
            Some(start) => Memory { start, layout },
            None => handle_alloc_error(layout),
        }
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and nobody has it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
