//! What administrators ask of partitions: to forget old records, and who produces to them.

use storage::StorageError;
use storage::units::{Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::Partition;
use crate::shard::Shard;

/// Why records were not deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRefusal {
    #[error("this node does not lead the partition")]
    NotHere,
    #[error("the topic's cleanup.policy does not hold delete")]
    Policy,
    #[error("the offset lies outside the log")]
    OutOfRange,
    #[error("the log start cannot be written: {0}")]
    Storage(String),
}

/// Up to where the records of a partition are to go; none is the high watermark.
#[derive(Debug, Clone, Copy)]
pub struct DeletePart {
    pub partition: PartitionId,
    pub up_to: Option<Offset>,
}

/// A producer that a partition remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub last_sequence: Sequence,
    pub last_timestamp: Timestamp,
    pub coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub open_transaction: Option<Offset>,
}

impl Partition {
    /// The log starts at `up_to` from now on, durably when this returns. The segments below go at once, as far as they are finished, and
    /// the rest with the next look of retention.
    pub(crate) async fn delete_records(
        &self,
        up_to: Option<Offset>,
    ) -> Result<Offset, DeleteRefusal> {
        let compacted_only = {
            let config = self.config.borrow();
            config.cleanup_compact && !config.cleanup_delete
        };
        if compacted_only {
            return Err(DeleteRefusal::Policy);
        }
        let high_watermark = self.high_watermark();
        let start = up_to.unwrap_or(high_watermark);
        if start < Offset(0) || start > high_watermark {
            return Err(DeleteRefusal::OutOfRange);
        }
        if start > self.log().log_start() {
            let moved = self.log().delete_records(start).await;
            moved.map_err(|error| match error {
                StorageError::Unknown => DeleteRefusal::NotHere,
                other => DeleteRefusal::Storage(other.to_string()),
            })?;
        }
        Ok(self.log().log_start())
    }

    pub(crate) fn producers(&self) -> Vec<Producer> {
        self.log().each_producer(|id, entry| Producer {
            id,
            epoch: entry.epoch,
            last_sequence: entry.last_sequence(),
            last_timestamp: entry.last_timestamp,
            coordinator_epoch: entry.coordinator_epoch,
            open_transaction: entry.open_transaction,
        })
    }
}

impl Shard {
    /// All partitions at once: one sync carries what they wrote.
    pub(crate) async fn delete_records(
        &self,
        parts: &[DeletePart],
    ) -> Vec<Result<Offset, DeleteRefusal>> {
        let each = parts.iter().map(|part| async move {
            let partition = self.partition(part.partition).ok_or(DeleteRefusal::NotHere)?;
            partition.delete_records(part.up_to).await
        });
        futures::future::join_all(each).await
    }

    /// None where the partition is not here.
    pub(crate) fn producers(&self, partitions: &[PartitionId]) -> Vec<Option<Vec<Producer>>> {
        partitions.iter().map(|id| Some(self.partition(*id)?.producers())).collect()
    }
}
