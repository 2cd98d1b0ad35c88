//! Reads everything in a trial as a client does, and compares it: what is served is what was appended, and what is not served is
//! marked.

use super::feed::{Expected, Life};
use crate::batch::scan::{Batches, Front, front};
use crate::damage::Mark;
use crate::error::ReadError;
use crate::log::Log;
use crate::runtime::simulated::Simulated;
use crate::simulation::reads::carry_out;
use crate::units::{Offset, PartitionId};

/// How strictly reads are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody has looked for damage yet: an answer may hold a batch whose CRC tells the client, and behind its first batch, headers
    /// that nobody has compared.
    First,
    /// Everything that is served is right.
    Strict,
}

/// What reads came to.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Batches that were served, and that their reader finds bad.
    pub(super) told_by_crc: u64,
    pub(super) marks: Vec<(PartitionId, Mark)>,
}

pub(super) async fn read_all(life: &Life, look: Look) -> Result<Read, String> {
    let mut read = Read::default();
    let all: Vec<(PartitionId, Expected)> =
        life.logs.borrow().iter().map(|(id, expected)| (*id, expected.clone())).collect();
    for (id, expected) in all {
        let log = life.store.log(id).ok_or("a log is not there")?;
        if log.end() < expected.durable {
            let durable = expected.durable;
            return Err(format!("{durable:?} was durable, the log ends at {:?}", log.end()));
        }
        let mut at = log.log_start();
        while at < log.end() {
            at = read_from(life, &log, &expected, at, look, &mut read).await?;
        }
        seek(life, &log, &expected).await?;
        read.marks.extend(log.damage().into_iter().map(|mark| (id, mark)));
    }
    Ok(read)
}

/// One fetch; where the next one begins.
async fn read_from(
    life: &Life,
    log: &Log<Simulated>,
    expected: &Expected,
    at: Offset,
    look: Look,
    read: &mut Read,
) -> Result<Offset, String> {
    let max_bytes = 1 + life.draw(16 << 10) as usize;
    let plan = match log.read(at, log.end(), max_bytes, true).await {
        Ok(plan) => plan,
        Err(ReadError::Damaged { .. }) => {
            let mark = log.damage().into_iter().find(|mark| mark.from <= at && at < mark.to);
            return mark
                .map(|mark| mark.to)
                .ok_or_else(|| format!("an error at {at:?}, and no mark"));
        }
        Err(error) => return Err(format!("{at:?} cannot be read: {error}")),
    };
    let bytes = carry_out(&life.runtime, plan).await;
    let mut batches = Batches::new(bytes.clone());
    let mut next = at;
    while let Some(batch) = batches.next() {
        let Some(kept) = expected.at(next) else {
            return Err(format!("{next:?} was never appended"));
        };
        let is_first = next == at;
        match batch {
            Ok(batch) if batch.bytes()[..] == kept.bytes => next = batch.last_offset().next(),
            Ok(_) if look == Look::First && !is_first => break,
            Ok(batch) => return Err(format!("at {next:?} comes {:?}", batch.header())),
            Err(error) => {
                let rest = bytes.slice(batches.position()..);
                if matches!(front(&rest), Front::Partial { .. }) && !is_first {
                    break;
                }
                if look == Look::Strict {
                    return Err(format!("a bad batch is served at {next:?}: {error}"));
                }
                read.told_by_crc += 1;
                return Ok(kept.last.next());
            }
        }
    }
    match next > at {
        true => Ok(next),
        false => Err(format!("nothing is served at {at:?}")),
    }
}

/// A lookup by time finds the first batch of that time, or an error.
async fn seek(life: &Life, log: &Log<Simulated>, expected: &Expected) -> Result<(), String> {
    for _ in 0..4 {
        let count = u32::try_from(expected.batches.len()).expect("few");
        if count == 0 || log.end() == Offset(0) {
            return Ok(());
        }
        let kept = &expected.batches[life.draw(count) as usize];
        let time = |kept: &super::feed::Kept| {
            crate::batch::BatchHeader::read(&kept.bytes).expect("a batch").max_timestamp
        };
        let target = time(kept);
        let first = expected.batches.iter().find(|kept| time(kept) >= target);
        let want = first.map(|kept| kept.base).filter(|base| *base < log.end());
        match log.offset_for_timestamp(target, log.end()).await {
            Ok(found) if found.map(|found| found.offset) == want => {}
            Err(ReadError::Damaged { .. }) => {}
            other => return Err(format!("{target:?} is at {want:?}, found {other:?}")),
        }
    }
    Ok(())
}
