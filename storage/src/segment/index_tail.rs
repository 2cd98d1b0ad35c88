//! The end of an index file that is in memory: entries that the file does not hold yet.
//!
//! The file is written in whole blocks, the last one padded with zeros and written again when there is more: nothing that
//! was acknowledged depends on it. It is cut to its entries when its segment is finished.

use crate::runtime::block_down;

/// See the head of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexTail {
    /// Bytes of entries that are in the file and not here.
    start: u64,
    bytes: Vec<u8>,
    /// How many of `bytes`, too, are in the file.
    written: usize,
}

impl IndexTail {
    /// An index whose file holds `length` bytes of entries.
    pub(crate) fn filed(length: u64) -> Self {
        IndexTail { start: length, bytes: Vec::new(), written: 0 }
    }

    /// An index that is to be written anew, from its start.
    pub(crate) fn anew(entries: &[u8], more: &[u8]) -> Self {
        IndexTail { start: 0, bytes: [entries, more].concat(), written: 0 }
    }

    pub(crate) fn push(&mut self, entry: &[u8]) {
        self.bytes.extend_from_slice(entry);
    }

    /// All entries, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    pub(crate) fn filed_length(&self) -> u64 {
        self.start + self.written as u64
    }

    /// The file does not hold what it should: only what is in memory is left. An index with fewer entries is still right.
    pub(crate) fn restart(&mut self) {
        self.start = 0;
        self.written = 0;
    }

    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn has_unwritten(&self) -> bool {
        self.written < self.bytes.len()
    }

    /// The bytes to write, at `start`. If that is inside a block, the block's beginning must be read from the file first.
    pub(crate) fn plan(&self) -> (u64, Vec<u8>) {
        (self.start, self.bytes.clone())
    }

    /// Bytes up to `end` are in the file: only what is behind the last whole block stays here.
    pub(crate) fn wrote(&mut self, end: u64) {
        let keep = block_down(end).max(self.start);
        let drop = usize::try_from(keep - self.start).unwrap_or(0).min(self.bytes.len());
        self.bytes.drain(..drop);
        self.start += drop as u64;
        self.written = usize::try_from(end - self.start).unwrap_or(0).min(self.bytes.len());
    }
}
