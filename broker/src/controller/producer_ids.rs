//! Blocks of producer ids: a broker is given a thousand at a time, so that an InitProducerId seldom waits for the log.

use std::ops::Range;

use super::refusal::Unwritten;
use crate::metadata::Image;
use crate::metadata::records::{ProducerIdsRecord, Record};

/// Ids in a block, as in Kafka.
pub const BLOCK: i64 = 1000;

/// Plans the next block for a broker that is registered with `epoch`.
pub fn plan(image: &Image, broker: i32, epoch: i64) -> Result<(Record, Range<i64>), Unwritten> {
    let first = image.next_producer_id();
    let next_producer_id = first.checked_add(BLOCK).ok_or(Unwritten::ProducerIdsExhausted)?;
    let record = ProducerIdsRecord { broker_id: broker, broker_epoch: epoch, next_producer_id };
    Ok((record.into(), first..next_producer_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_each_other_to_the_end() {
        let mut image = Image::empty();
        for first in [0, 1000, 2000] {
            let (record, block) = plan(&image, 1, 5).unwrap();
            assert_eq!(block, first..first + BLOCK);
            image.apply(&record).unwrap();
        }
        let last =
            ProducerIdsRecord { next_producer_id: i64::MAX - 5, ..ProducerIdsRecord::default() };
        image.apply(&last.into()).unwrap();
        assert_eq!(plan(&image, 1, 5), Err(Unwritten::ProducerIdsExhausted));
    }
}
