//! Buffers that decompression uses again and again, kept for each thread: clearing a fresh one costs more than inflating a
//! small batch into it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// The most that a thread keeps, in buffers and in bytes for each.
const KEPT_MAX: usize = 8;
const KEPT_BYTES_MAX: usize = 128 << 10;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer whose content is whatever was in it.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    /// At least `length` bytes.
    pub(super) fn with_length(length: usize) -> Scratch {
        let mut kept = KEPT
            .with(|kept| kept.try_borrow_mut().ok().and_then(|mut kept| kept.pop()))
            .unwrap_or_default();
        if kept.len() < length {
            kept.resize(length, 0);
        }
        Scratch(kept)
    }

    pub(super) fn grow(&mut self, length: usize) {
        if self.0.len() < length {
            self.0.resize(length, 0);
        }
    }
}

impl Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.is_empty() || self.0.len() > KEPT_BYTES_MAX {
            return;
        }
        let buffer = std::mem::take(&mut self.0);
        // At the thread's end, and where a buffer is dropped inside of this function, it is simply freed.
        let _ = KEPT.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut()
                && kept.len() < KEPT_MAX
            {
                kept.push(buffer);
            }
        });
    }
}
