//! A Produce request of version `PRODUCE`, read by hand, and its answer, written by hand: nothing is allocated for either.
//!
//! ```text
//! request    transactional id string | acks i16 | timeout i32 | topics: count i32, each: name string |
//!            partitions: count i32, each: index i32 | length i32 | batch
//! answer     length i32 | correlation id i32 | topics: count i32, each: name string |
//!            partitions: count i32, each: index i32 | error i16 | base offset i64 | append time i64 | log start offset i64 |
//!            record errors: count i32 | error message string, ..| throttle time i32
//! ```
//!
//! Topics and partitions stand in the answer as they stand in the request, so their heads are copied. The tests hold both
//! to `net::wire`.

use anyhow::{Context as _, Result, ensure};

use super::frames::Reader;
use crate::batch;

const NO_ERROR: [u8; 2] = [0; 2];
const NO_APPEND_TIME: [u8; 8] = [0xff; 8];
const LOG_START: [u8; 8] = [0; 8];
const NO_RECORD_ERRORS: [u8; 4] = [0; 4];
const NO_MESSAGE: [u8; 2] = [0xff; 2];
const NOT_THROTTLED: [u8; 4] = [0; 4];

/// A request of at least one batch, borrowed from the connection's buffer; its structure has been walked once.
pub(super) struct Produce<'a> {
    correlation: [u8; 4],
    /// False with acks 0: the client does not wait.
    pub answered: bool,
    pub batches: usize,
    /// Bytes of all batches together.
    pub bytes: usize,
    items: Items<'a>,
}

impl<'a> Produce<'a> {
    /// Reads what follows the header.
    pub(super) fn read(correlation: [u8; 4], mut reader: Reader<'a>) -> Result<Produce<'a>> {
        reader.string()?;
        let answered = reader.i16()? != 0;
        reader.take(4)?;
        let items = Items { topics: reader.i32()?, partitions: 0, reader };
        let (mut batches, mut bytes) = (0, 0);
        let mut walk = items.clone();
        while let Some(item) = walk.next()? {
            if let Item::Batch { batch, .. } = item {
                batches += 1;
                bytes += batch.len();
            }
        }
        ensure!(batches > 0, "a Produce request without a batch");
        Ok(Produce { correlation, answered, batches, bytes, items })
    }

    /// Checks the CRC of every batch, gives it to `append`, which answers its offset, and puts the answer behind `out`,
    /// if there is to be one.
    pub(super) fn take(
        self,
        out: &mut Vec<u8>,
        mut append: impl FnMut(&[u8]) -> i64,
    ) -> Result<()> {
        let begin = out.len();
        let mut items = self.items;
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.correlation);
        out.extend_from_slice(&items.topics.to_be_bytes());
        while let Some(item) = items.next()? {
            match item {
                Item::Topic { head } => out.extend_from_slice(head),
                Item::Batch { index, batch } => {
                    let crc = crc32c::crc32c(&batch[21..]);
                    ensure!(crc.to_be_bytes() == batch[17..21], "a batch with a wrong CRC");
                    let offset = append(batch);
                    out.extend_from_slice(&index);
                    out.extend_from_slice(&NO_ERROR);
                    out.extend_from_slice(&offset.to_be_bytes());
                    out.extend_from_slice(&NO_APPEND_TIME);
                    out.extend_from_slice(&LOG_START);
                    out.extend_from_slice(&NO_RECORD_ERRORS);
                    out.extend_from_slice(&NO_MESSAGE);
                }
            }
        }
        out.extend_from_slice(&NOT_THROTTLED);
        if self.answered {
            let length = u32::try_from(out.len() - begin - 4)?;
            out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
        } else {
            out.truncate(begin);
        }
        Ok(())
    }
}

/// The topics and batches of a request, in its order.
#[derive(Clone)]
struct Items<'a> {
    reader: Reader<'a>,
    /// How many of each are still to come, partitions of the topic at hand.
    topics: i32,
    partitions: i32,
}

enum Item<'a> {
    /// Its name and the count of its partitions, as they stand there.
    Topic {
        head: &'a [u8],
    },
    Batch {
        index: [u8; 4],
        batch: &'a [u8],
    },
}

impl<'a> Items<'a> {
    fn next(&mut self) -> Result<Option<Item<'a>>> {
        let reader = &mut self.reader;
        if self.partitions > 0 {
            self.partitions -= 1;
            let index = reader.array()?;
            let length = usize::try_from(reader.i32()?).context("a partition without a batch")?;
            let batch = reader.take(length)?;
            ensure!(batch.len() >= batch::HEADER_BYTES, "a batch without a header");
            Ok(Some(Item::Batch { index, batch }))
        } else if self.topics > 0 {
            self.topics -= 1;
            let from = reader.left();
            reader.string()?;
            self.partitions = reader.i32()?;
            let head = &from[..from.len() - reader.left().len()];
            Ok(Some(Item::Topic { head }))
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
