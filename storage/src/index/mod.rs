//! A segment's indexes: where an offset lies in the file, which offset a time has, which transactions were aborted.
//!
//! They are files of entries of one size, sorted, without a header; offsets are relative to the segment's base, 32 bits.
//! Kafka maps them into memory and preallocates them while their segment is active: after an unclean stop of Kafka the tail
//! is zeros, which readers here take as the end. Our own files have no tail.
//!
//! An index only makes lookups faster: whoever uses one goes on to read the batches that it points at, and one that fails its
//! check is built anew from them.

mod append;
mod offset;
#[cfg(test)]
mod tests;
mod time;
mod transaction;

pub use append::{Due, Indexed, Indexer};
pub use offset::{OffsetEntry, OffsetIndex};
pub use time::{TimeEntry, TimeIndex};
pub use transaction::{AbortedTransaction, TransactionIndex};

/// Why an index is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    #[error("{length} bytes are no multiple of {entry_size}")]
    Length { length: usize, entry_size: usize },
    #[error("entry {index} is not after the one before it")]
    Order { index: usize },
    #[error("entry {index} points outside the segment")]
    Outside { index: usize },
    #[error("entry {index} has the unknown version {version}")]
    Version { index: usize, version: i16 },
}

/// The entries of `N` bytes in a file, without what is not there yet: an incomplete last one, and zeros.
#[derive(Clone, Copy, Debug)]
struct Entries<'a, const N: usize> {
    entries: &'a [[u8; N]],
}

impl<'a, const N: usize> Entries<'a, N> {
    fn new(bytes: &'a [u8]) -> Entries<'a, N> {
        let (entries, _incomplete) = bytes.as_chunks();
        let count = entries.partition_point(|entry| *entry != [0; N]);
        Entries { entries: &entries[..count] }
    }

    /// The last entry for which `holds`, where it holds for all before it.
    fn last_where(&self, holds: impl FnMut(&[u8; N]) -> bool) -> Option<&'a [u8; N]> {
        let count = self.entries.partition_point(holds);
        self.entries.get(count.checked_sub(1)?)
    }
}

fn i64_at(entry: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(std::array::from_fn(|i| entry.get(at + i).copied().unwrap_or(0)))
}

fn i32_at(entry: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(std::array::from_fn(|i| entry.get(at + i).copied().unwrap_or(0)))
}
