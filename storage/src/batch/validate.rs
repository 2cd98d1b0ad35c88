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
use crate::batch::record::{RecordShape, common_shape, take_shape};
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

/// Timestamps and key lengths that need no closer look.
#[derive(Clone, Copy, Debug)]
struct Glance {
    from: i64,
    to: i64,
    key_length_min: i32,
}

impl Glance {
    #[inline(always)]
    fn accepts(&self, timestamp: Timestamp, key_length: i32) -> bool {
        (self.from <= timestamp.0) & (timestamp.0 <= self.to) & (key_length >= self.key_length_min)
    }
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
        loop {
            self.walk_common(&mut rest, stop_below);
            if self.index >= self.header.count {
                break;
            }
            if rest.len() < stop_below {
                *position = bytes.len() - rest.len();
                return Ok(false);
            }
            let shape = take_shape(&mut rest)
                .map_err(|problem| Invalidity::Record { index: self.index, problem })?;
            self.record(shape, false)?;
        }
        if rest.is_empty() { Ok(true) } else { Err(Invalidity::BytesRemain.into()) }
    }

    fn walk_inflated(&mut self, skim: &mut Skim, budget: usize) -> Result<bool, BatchError> {
        let mut left = budget;
        while self.index < self.header.count {
            if let Some(window) = skim.window() {
                let mut rest = window;
                self.walk_common(&mut rest, window.len().saturating_sub(left));
                let taken = window.len() - rest.len();
                skim.consume(taken, &mut left);
                if self.index >= self.header.count {
                    break;
                }
            }
            match skim.next(self.index, &mut left)? {
                Skimmed::Pause => return Ok(false),
                Skimmed::Record(shape) => self.record(shape, true)?,
            }
        }
        if skim.at_end()? { Ok(true) } else { Err(Invalidity::BytesRemain.into()) }
    }

    /// Takes records for as long as they are common and in order, with nothing to say against them. A function of its own, whose
    /// numbers are local, so that they stay in registers.
    #[inline(never)]
    fn walk_common(&mut self, rest: &mut &[u8], stop_below: usize) {
        let (mut index, mut latest, mut bytes) = (self.index, self.max_timestamp, *rest);
        let (glance, base, count) = (self.glance(), self.header.base_timestamp, self.header.count);
        while index < count && bytes.len() >= stop_below {
            let Some((shape, after)) = common_shape(bytes) else { break };
            let timestamp = Timestamp(base.0.wrapping_add(shape.timestamp_delta));
            if shape.offset_delta != index || !glance.accepts(timestamp, shape.key_length) {
                break;
            }
            latest = latest.max(timestamp);
            bytes = after;
            index += 1;
        }
        (self.index, self.max_timestamp, *rest) = (index, latest, bytes);
    }

    /// What is certainly accepted, told by two comparisons.
    fn glance(&self) -> Glance {
        let Rules { timestamp_type, before_max_ms, after_max_ms, compacted, now, .. } = self.rules;
        let (from, to) = match timestamp_type {
            // The batch's own time counts, not the records'.
            _ if self.header.attributes.has(Attributes::LOG_APPEND_TIME) => (1, 0),
            TimestampType::LogAppendTime => (i64::MIN, i64::MAX),
            // Where nothing overflows.
            TimestampType::CreateTime if now.0 >= 0 && before_max_ms >= 0 && after_max_ms >= 0 => {
                (now.0.saturating_sub(before_max_ms).max(0), now.0.saturating_add(after_max_ms))
            }
            TimestampType::CreateTime => (1, 0),
        };
        Glance { from, to, key_length_min: if compacted { 0 } else { i32::MIN } }
    }

    /// One record that needs a closer look.
    fn record(&mut self, seen: RecordShape, compressed: bool) -> Result<(), BatchError> {
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

    fn refused(&self, timestamp: Timestamp, seen: RecordShape) -> bool {
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
    fn out_of_range(&self, timestamp: Timestamp) -> bool {
        let age = self.rules.now.0.wrapping_sub(timestamp.0);
        age > self.rules.before_max_ms || age.wrapping_neg() > self.rules.after_max_ms
    }

    #[cold]
    fn collect(&mut self, timestamp: Timestamp, seen: RecordShape, compressed: bool) {
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
