//! Decides whether a client may append a batch, by the rules and in the order of Kafka's own validator.
//!
//! 1. the base offset is 0 and the batch not larger than `max.message.bytes`;
//! 2. the header is coherent: offset range and count agree, no control batch, a sequence where there is a producer id;
//! 3. each record is whole, and the last one ends where the batch ends;
//! 4. each record has a key if the topic is compacted, and a timestamp that the topic accepts. These errors are collected:
//!    the answer names every record.
//!
//! What comes out beside a verdict is the real max timestamp, since producers get it wrong.
//!
//! Stricter than Kafka in two places, where it would store a batch that consumers stumble over: record `i` must have offset
//! delta `i` (Kafka lets any pass in uncompressed batches, and rewrites compressed ones), and inside a compressed batch
//! each record's length must fit its fields.
//!
//! Uncompressed batches are walked in place, without allocation. Both walks stop when the step's budget is used up, and go
//! on in the next step, so that a large batch does not hold a shard.

use bytes::Bytes;

use crate::batch::inflate::Inflated;
use crate::batch::record::{RecordFields, take_record};
use crate::batch::skim::{Skim, Skimmed};
use crate::batch::{
    Attributes, Batch, BatchError, BatchHeader, Checked, Codec, HEADER_BYTES, Invalidity,
    RecordErrors, RecordReason, TimestampType, Unreadable,
};
use crate::units::{Offset, Sequence, Timestamp};

/// The topic's rules, and the time at which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub timestamp_type: TimestampType,
    /// message.timestamp.before.max.ms: how far in the past a timestamp may lie.
    pub before_max_ms: i64,
    /// message.timestamp.after.max.ms: how far in the future.
    pub after_max_ms: i64,
    /// max.message.bytes, for the whole batch, header included.
    pub message_bytes_max: i32,
    /// cleanup.policy contains compact: every record needs a key.
    pub compacted: bool,
    pub now: Timestamp,
}

/// How far a validation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The budget was used up: step again.
    More,
    Done(Checked),
}

/// One batch under examination.
#[derive(Debug)]
pub struct Validation {
    bytes: Bytes,
    state: State,
    checks: Checks,
}

#[derive(Debug)]
enum State {
    Fresh,
    /// Where the next record starts.
    Plain(usize),
    Inflating(Box<Skim>),
    Ended(Result<Checked, BatchError>),
}

impl Validation {
    pub fn new(batch: &Batch, rules: &Rules) -> Validation {
        Validation {
            bytes: batch.bytes().clone(),
            state: State::Fresh,
            checks: Checks {
                header: *batch.header(),
                rules: *rules,
                index: 0,
                max_timestamp: Timestamp::NONE,
                errors: RecordErrors::default(),
                bad_timestamps: false,
            },
        }
    }

    /// Works through up to about `budget_bytes` of records, counted as they are after decompression.
    /// Once it is done, further steps repeat the verdict.
    pub fn step(&mut self, budget_bytes: usize) -> Result<Progress, BatchError> {
        match self.advance(budget_bytes.max(1)) {
            Ok(None) => Ok(Progress::More),
            Ok(Some(checked)) => {
                self.state = State::Ended(Ok(checked));
                Ok(Progress::Done(checked))
            }
            Err(error) => {
                self.state = State::Ended(Err(error.clone()));
                Err(error)
            }
        }
    }

    /// Whether the records are compressed, so that a large batch is worth more than one step.
    pub fn is_compressed(&self) -> bool {
        self.checks.header.codec() != Some(Codec::None)
    }

    fn advance(&mut self, budget: usize) -> Result<Option<Checked>, BatchError> {
        if matches!(self.state, State::Fresh) {
            self.state = self.start()?;
        }
        let ended = match &mut self.state {
            State::Plain(position) => self.checks.walk_plain(&self.bytes, position, budget)?,
            State::Inflating(skim) => self.checks.walk_inflated(skim, budget)?,
            State::Ended(verdict) => return verdict.clone().map(Some),
            State::Fresh => false,
        };
        if ended { self.checks.verdict().map(Some) } else { Ok(None) }
    }

    fn start(&self) -> Result<State, BatchError> {
        let header = &self.checks.header;
        let codec = check_header(header, self.bytes.len(), self.checks.rules.message_bytes_max)?;
        Ok(match codec {
            Codec::None => State::Plain(HEADER_BYTES),
            codec => State::Inflating(Box::new(Skim::new(Inflated::new(
                codec,
                self.bytes.slice(HEADER_BYTES..),
            )))),
        })
    }
}

/// Everything that the header alone tells.
fn check_header(header: &BatchHeader, size: usize, max: i32) -> Result<Codec, BatchError> {
    if header.base_offset != Offset::ZERO {
        return Err(Invalidity::BaseOffset(header.base_offset).into());
    }
    if usize::try_from(max).map_or(true, |max| size > max) {
        return Err(BatchError::TooLarge { size, max });
    }
    let codec = header.codec().ok_or(Unreadable::UnknownCodec(header.attributes.codec_bits()))?;
    if header.last_offset_delta < 0 {
        return Err(Invalidity::OffsetRange(header.last_offset_delta).into());
    }
    if header.count <= 0 {
        return Err(Invalidity::Count(header.count).into());
    }
    if header.last_offset_delta != header.count - 1 {
        return Err(Invalidity::CountMismatch {
            count: header.count,
            last_offset_delta: header.last_offset_delta,
        }
        .into());
    }
    if header.is_control() {
        return Err(Invalidity::ControlBatch.into());
    }
    if header.producer_id.is_some() && header.base_sequence < Sequence::ZERO {
        return Err(Invalidity::NegativeSequence {
            producer_id: header.producer_id,
            sequence: header.base_sequence,
        }
        .into());
    }
    Ok(codec)
}

/// The checks of single records, and what they have found so far.
#[derive(Debug)]
struct Checks {
    header: BatchHeader,
    rules: Rules,
    index: i32,
    max_timestamp: Timestamp,
    errors: RecordErrors,
    bad_timestamps: bool,
}

/// What the checks need of a record. Lengths are -1 for null.
#[derive(Clone, Copy)]
struct Seen {
    timestamp_delta: i64,
    offset_delta: i32,
    key_length: i32,
    value_length: i32,
}

impl Checks {
    fn walk_plain(
        &mut self,
        bytes: &[u8],
        position: &mut usize,
        budget: usize,
    ) -> Result<bool, BatchError> {
        let all = bytes.get(*position..).unwrap_or_default();
        let stop_below = all.len().saturating_sub(budget);
        let mut rest = all;
        while self.index < self.header.count {
            if rest.len() < stop_below {
                *position = bytes.len() - rest.len();
                return Ok(false);
            }
            let fields = take_record(&mut rest)
                .map_err(|problem| Invalidity::Record { index: self.index, problem })?;
            self.record(fields.into(), false)?;
        }
        if rest.is_empty() { Ok(true) } else { Err(Invalidity::BytesRemain.into()) }
    }

    fn walk_inflated(&mut self, skim: &mut Skim, budget: usize) -> Result<bool, BatchError> {
        let mut left = budget;
        while self.index < self.header.count {
            match skim.next(self.index, &mut left)? {
                Skimmed::Pause => return Ok(false),
                Skimmed::Record { timestamp_delta, offset_delta, key_length, value_length } => {
                    self.record(
                        Seen { timestamp_delta, offset_delta, key_length, value_length },
                        true,
                    )?;
                }
            }
        }
        if skim.at_end()? { Ok(true) } else { Err(Invalidity::BytesRemain.into()) }
    }

    #[inline(always)]
    fn record(&mut self, seen: Seen, compressed: bool) -> Result<(), BatchError> {
        if seen.offset_delta != self.index {
            return Err(
                Invalidity::OffsetDelta { index: self.index, found: seen.offset_delta }.into()
            );
        }
        let timestamp = self.header.timestamp(seen.timestamp_delta);
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
        }
        if self.refused(timestamp, seen) {
            self.collect(timestamp, seen, compressed);
        }
        self.index += 1;
        Ok(())
    }

    #[inline(always)]
    fn refused(&self, timestamp: Timestamp, seen: Seen) -> bool {
        if self.rules.compacted && seen.key_length < 0 {
            return true;
        }
        if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != Timestamp::NONE {
            self.out_of_range(timestamp)
        } else {
            self.header.attributes.has(Attributes::LOG_APPEND_TIME)
        }
    }

    /// Kafka subtracts without a look at overflow; far-off timestamps come out as they do there.
    #[inline(always)]
    fn out_of_range(&self, timestamp: Timestamp) -> bool {
        let age = self.rules.now.0.wrapping_sub(timestamp.0);
        age > self.rules.before_max_ms || age.wrapping_neg() > self.rules.after_max_ms
    }

    #[cold]
    fn collect(&mut self, timestamp: Timestamp, seen: Seen, compressed: bool) {
        let offset = Offset(i64::from(seen.offset_delta));
        let create_time = self.rules.timestamp_type == TimestampType::CreateTime;
        let reason = if self.rules.compacted && seen.key_length < 0 {
            RecordReason::NoKey
        } else if create_time && timestamp != Timestamp::NONE {
            self.bad_timestamps = true;
            RecordReason::OutOfRange {
                timestamp,
                offset,
                from: Timestamp(self.rules.now.0.wrapping_sub(self.rules.before_max_ms)),
                to: Timestamp(self.rules.now.0.wrapping_add(self.rules.after_max_ms)),
            }
        } else {
            self.bad_timestamps = true;
            let (key_length, value_length) = (seen.key_length, seen.value_length);
            RecordReason::LogAppendTime { compressed, offset, timestamp, key_length, value_length }
        };
        self.errors.push(self.index, reason);
    }

    fn verdict(&mut self) -> Result<Checked, BatchError> {
        if self.errors.total > 0 {
            let errors = std::mem::take(&mut self.errors);
            return Err(if self.bad_timestamps {
                BatchError::Timestamps(errors)
            } else {
                BatchError::Records(errors)
            });
        }
        let max_timestamp = match self.rules.timestamp_type {
            TimestampType::CreateTime => self.max_timestamp,
            TimestampType::LogAppendTime => self.rules.now,
        };
        Ok(Checked::new(&self.header, self.rules.timestamp_type, max_timestamp))
    }
}

impl From<RecordFields<'_>> for Seen {
    #[inline(always)]
    fn from(fields: RecordFields<'_>) -> Seen {
        Seen {
            timestamp_delta: fields.timestamp_delta,
            offset_delta: fields.offset_delta,
            key_length: length(fields.key),
            value_length: length(fields.value),
        }
    }
}

#[inline(always)]
fn length(bytes: Option<&[u8]>) -> i32 {
    // Lengths come from 32-bit varints, so they fit.
    bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
}
