//! The transaction index (`.txnindex`): the aborted transactions whose markers lie in the segment, in the markers' order.
//!
//! ```text
//! entry   i16 version (0), i64 producer id, i64 first offset, i64 last offset (the marker's), i64 last stable offset
//! ```
//! There is no file until a transaction is aborted.

use crate::index::{IndexError, i64_at};
use crate::units::{Offset, ProducerId};

/// One aborted transaction: a reader that wants committed data only skips the producer's records from first to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    /// The last stable offset after this abort: no transaction that matters below it is listed later.
    pub last_stable_offset: Offset,
}

impl AbortedTransaction {
    pub const BYTES: usize = 34;
    const VERSION: i16 = 0;

    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut entry = [0; Self::BYTES];
        entry[..2].copy_from_slice(&Self::VERSION.to_be_bytes());
        let numbers = [
            self.producer_id.0,
            self.first_offset.0,
            self.last_offset.0,
            self.last_stable_offset.0,
        ];
        for (field, number) in entry[2..].chunks_exact_mut(8).zip(numbers) {
            field.copy_from_slice(&number.to_be_bytes());
        }
        entry
    }

    fn decode(entry: &[u8; Self::BYTES]) -> AbortedTransaction {
        AbortedTransaction {
            producer_id: ProducerId(i64_at(entry, 2)),
            first_offset: Offset(i64_at(entry, 10)),
            last_offset: Offset(i64_at(entry, 18)),
            last_stable_offset: Offset(i64_at(entry, 26)),
        }
    }
}

/// The bytes of an index file.
#[derive(Clone, Copy, Debug)]
pub struct TransactionIndex<'a> {
    entries: &'a [[u8; AbortedTransaction::BYTES]],
}

impl<'a> TransactionIndex<'a> {
    /// An incomplete last entry is left out.
    pub fn new(bytes: &'a [u8]) -> TransactionIndex<'a> {
        TransactionIndex { entries: bytes.as_chunks().0 }
    }

    pub fn iter(&self) -> impl Iterator<Item = AbortedTransaction> + 'a {
        self.entries.iter().map(AbortedTransaction::decode)
    }

    /// Adds to `found` the aborted transactions that a read of `from..up_to` must skip. Returns whether the search is over;
    /// if not, it goes on in the next segment's index.
    pub fn collect(
        &self,
        from: Offset,
        up_to: Offset,
        found: &mut Vec<AbortedTransaction>,
    ) -> bool {
        for aborted in self.iter() {
            if aborted.last_offset >= from && aborted.first_offset < up_to {
                found.push(aborted);
            }
            if aborted.last_stable_offset >= up_to {
                return true;
            }
        }
        false
    }

    /// The file's length in bytes once everything from `offset` on is gone.
    pub fn truncated_length(&self, offset: Offset) -> usize {
        let kept = self.iter().take_while(|aborted| aborted.last_offset < offset).count();
        kept * AbortedTransaction::BYTES
    }

    /// Whether it can belong to a segment with this base.
    pub fn check(&self, base: Offset) -> Result<(), IndexError> {
        let mut last = None;
        for (index, entry) in self.entries.iter().enumerate() {
            let version = i16::from_be_bytes([entry[0], entry[1]]);
            if version > AbortedTransaction::VERSION {
                return Err(IndexError::Version { index, version });
            }
            let aborted = AbortedTransaction::decode(entry);
            if aborted.last_offset < base || aborted.first_offset > aborted.last_offset {
                return Err(IndexError::Outside { index });
            }
            if last.is_some_and(|last| aborted.last_offset <= last) {
                return Err(IndexError::Order { index });
            }
            last = Some(aborted.last_offset);
        }
        Ok(())
    }
}
