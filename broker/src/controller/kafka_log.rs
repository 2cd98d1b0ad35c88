//! The metadata log in the files that Kafka left: to look at what it says before the directory is taken over. Nothing is written.

use bytes::Bytes;
use storage::batch::Batch;
use storage::batch::scan::{Front, front};
use storage::units::{Epoch, Offset};

use super::refusal::Unwritten;
use crate::metadata::log::MetadataLog;

/// See the module.
pub(super) struct KafkaLog {
    start: Offset,
    end: Offset,
    /// Of each batch its last offset, and where it ends in `bytes`.
    batches: Vec<(Offset, usize)>,
    bytes: Bytes,
}

impl KafkaLog {
    /// `bytes` are the segments', one after another, the first of which begins at `start`.
    pub(super) fn new(start: Offset, bytes: Bytes) -> KafkaLog {
        let mut batches = Vec::new();
        let mut position = 0;
        while let Front::Whole(header) = front(&bytes[position..]) {
            position += header.size();
            batches.push((header.last_offset(), position));
        }
        let end = batches.last().map_or(start, |(last, _)| last.next());
        KafkaLog { start, end, batches, bytes }
    }
}

fn read_only() -> Unwritten {
    Unwritten::Fault("the metadata log is only looked at".into())
}

impl MetadataLog for KafkaLog {
    fn start(&self) -> Offset {
        self.start
    }

    fn end(&self) -> Offset {
        self.end
    }

    async fn append(&self, _: &Batch, _: Epoch) -> Result<(), Unwritten> {
        Err(read_only())
    }

    async fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, String> {
        let first = self.batches.partition_point(|(last, _)| *last < from);
        let Some((_, one)) = self.batches.get(first) else { return Ok(Bytes::new()) };
        let begin = first.checked_sub(1).map_or(0, |before| self.batches[before].1);
        let fits = self.batches[first..].partition_point(|(_, end)| end - begin <= bytes_max);
        let end = fits.checked_sub(1).map_or(*one, |last| self.batches[first + last].1);
        Ok(self.bytes.slice(begin..end))
    }

    async fn trim(&self, _: Offset) -> Result<(), Unwritten> {
        Err(read_only())
    }
}

#[cfg(test)]
mod tests {
    use storage::batch::BatchBuilder;
    use storage::units::Timestamp;

    use super::*;

    #[test]
    fn batches_are_read_from_where_an_offset_lies() {
        let batch = |base| {
            let batch = BatchBuilder::new().base_offset(Offset(base));
            let record = |batch: BatchBuilder| batch.record(Timestamp(1), None, Some(b"value"));
            record(record(batch)).build_bytes()
        };
        let bytes = [batch(4), batch(6), batch(8)].concat();
        let size = bytes.len() / 3;
        // The last one is cut off.
        let log = KafkaLog::new(Offset(4), Bytes::from(bytes[..bytes.len() - 1].to_vec()));
        assert_eq!((log.start(), log.end()), (Offset(4), Offset(8)));
        let read = |from, max| futures::executor::block_on(log.read(Offset(from), max)).unwrap();
        assert_eq!(read(4, 1), bytes[..size]);
        assert_eq!(read(5, 3 * size), bytes[..2 * size]);
        assert_eq!(read(7, 3 * size), bytes[size..2 * size]);
        assert_eq!(read(8, 1), Bytes::new());
    }
}
