//! The metadata log as the controller sees it, whatever keeps its bytes.

use bytes::Bytes;
use storage::batch::Batch;
use storage::units::{Epoch, Offset};

use crate::controller::refusal::Unwritten;

/// A log of batches. One task appends to it.
pub trait MetadataLog {
    /// The first offset that it still has.
    fn start(&self) -> Offset;

    /// The offset of the next record.
    fn end(&self) -> Offset;

    /// Appends a batch, whose offsets and epoch are stamped. When this returns it is on stable storage. After `NoRoom`
    /// nothing was appended; after `Offline` nobody knows, and nothing may be appended any more.
    fn append(&self, batch: &Batch, epoch: Epoch) -> impl Future<Output = Result<(), Unwritten>>;

    /// Whole batches from the one on that holds `from`, about `bytes_max` of them, one at least; none at the end.
    fn read(&self, from: Offset, bytes_max: usize) -> impl Future<Output = Result<Bytes, String>>;

    /// What lies before `start` is not needed any more.
    fn trim(&self, start: Offset) -> impl Future<Output = Result<(), Unwritten>>;
}
