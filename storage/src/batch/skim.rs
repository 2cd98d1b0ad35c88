//! Reads the fixed fields of compressed records and drops everything else as it is inflated, so that a record larger than
//! memory costs no memory. Stops when a budget is used up and goes on where it was.

use crate::batch::inflate::{Inflated, LEAD_BYTES_MAX};
use crate::batch::record::{HEADERS, MALFORMED, Problem, RecordShape, TRUNCATED, take_shape};
use crate::batch::varint::Cursor;
use crate::batch::{BatchError, Invalidity, Unreadable};

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skimmed {
    /// The budget is used up.
    Pause,
    Record(RecordShape),
}

#[derive(Debug)]
pub(crate) struct Skim {
    inflated: Inflated,
    partial: Option<Partial>,
}

/// A record that lies across the edge of what has been inflated.
#[derive(Clone, Copy, Debug)]
struct Partial {
    /// Bytes of the record that are not consumed yet.
    left: usize,
    /// Bytes to drop before `next` is read.
    skip: usize,
    next: Next,
    shape: RecordShape,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    ValueLength,
    HeaderCount,
    HeaderKey(i32),
    HeaderValue(i32),
    End,
}

impl Skim {
    pub(crate) fn new(inflated: Inflated) -> Skim {
        Skim { inflated, partial: None }
    }

    /// Whether nothing follows the last record.
    pub(crate) fn at_end(&mut self) -> Result<bool, Unreadable> {
        self.inflated.at_end()
    }

    /// What is inflated, where it starts with a record.
    pub(crate) fn window(&self) -> Option<&[u8]> {
        self.partial.is_none().then(|| self.inflated.window())
    }

    /// Takes whole records from the front of the window.
    pub(crate) fn consume(&mut self, count: usize, budget: &mut usize) {
        self.inflated.consume(count);
        *budget = budget.saturating_sub(count);
    }

    /// The next record, or a pause once `budget` bytes have been consumed. `index` is for the error.
    #[inline]
    pub(crate) fn next(&mut self, index: i32, budget: &mut usize) -> Result<Skimmed, BatchError> {
        if *budget == 0 {
            return Ok(Skimmed::Pause);
        }
        if self.partial.is_none() {
            // Most records lie whole in the window.
            let window = self.inflated.window();
            let mut rest = window;
            match take_shape(&mut rest) {
                Ok(shape) => {
                    let taken = window.len() - rest.len();
                    self.inflated.consume(taken);
                    *budget = budget.saturating_sub(taken);
                    return Ok(Skimmed::Record(shape));
                }
                // It lies across the edge, or is malformed and will be found so.
                Err(TRUNCATED) => {}
                Err(problem) => return Err(Invalidity::Record { index, problem }.into()),
            }
        }
        self.across(index, budget)
    }

    #[inline(never)]
    fn across(&mut self, index: i32, budget: &mut usize) -> Result<Skimmed, BatchError> {
        let failed = |problem| Invalidity::Record { index, problem };
        let mut record = match self.partial.take() {
            Some(record) => record,
            None => self.lead(budget)?.map_err(failed)?,
        };
        loop {
            if !self.skip(&mut record, budget).map_err(|e| e.or_invalid(index))? {
                self.partial = Some(record);
                return Ok(Skimmed::Pause);
            }
            if matches!(record.next, Next::End) {
                break;
            }
            self.inflated.ensure(5)?;
            let window = self.inflated.window();
            let mut cursor = Cursor::new(window);
            record.field(&mut cursor).map_err(failed)?;
            let taken = window.len() - cursor.rest.len();
            record.left = record.left.checked_sub(taken).ok_or(failed(MALFORMED))?;
            self.inflated.consume(taken);
        }
        if record.left != 0 {
            return Err(failed(MALFORMED).into());
        }
        Ok(Skimmed::Record(record.shape))
    }

    /// Reads everything up to the key's length.
    fn lead(&mut self, budget: &mut usize) -> Result<Result<Partial, Problem>, Unreadable> {
        self.inflated.ensure(LEAD_BYTES_MAX)?;
        let window = self.inflated.window();
        let mut cursor = Cursor::new(window);
        let Some(length) = cursor.int() else { return Ok(Err(TRUNCATED)) };
        let Ok(length) = usize::try_from(length) else { return Ok(Err(MALFORMED)) };
        let body = cursor.rest.len();
        let Some((timestamp_delta, offset_delta, key_length)) = lead_fields(&mut cursor) else {
            return Ok(Err(TRUNCATED));
        };
        let Some(left) = length.checked_sub(body - cursor.rest.len()) else {
            return Ok(Err(MALFORMED));
        };
        let taken = window.len() - cursor.rest.len();
        self.inflated.consume(taken);
        *budget = budget.saturating_sub(taken);
        Ok(Ok(Partial {
            left,
            skip: usize::try_from(key_length).unwrap_or(0),
            next: Next::ValueLength,
            shape: RecordShape { timestamp_delta, offset_delta, key_length, value_length: -1 },
        }))
    }

    /// Drops what the record says is to be skipped. False if the budget ended first.
    fn skip(&mut self, record: &mut Partial, budget: &mut usize) -> Result<bool, Stop> {
        if record.skip > record.left {
            return Err(Stop::Bad(MALFORMED));
        }
        while record.skip > 0 {
            let ready = self.inflated.window().len().min(record.skip);
            if ready == 0 {
                if *budget == 0 {
                    return Ok(false);
                }
                if !self.inflated.fill().map_err(Stop::Unreadable)? {
                    return Err(Stop::Bad(TRUNCATED));
                }
                continue;
            }
            self.inflated.consume(ready);
            record.skip -= ready;
            record.left -= ready;
            *budget = budget.saturating_sub(ready);
        }
        Ok(true)
    }
}

/// Why a skip cannot go on.
enum Stop {
    Bad(Problem),
    Unreadable(Unreadable),
}

impl Stop {
    fn or_invalid(self, index: i32) -> BatchError {
        match self {
            Stop::Bad(problem) => Invalidity::Record { index, problem }.into(),
            Stop::Unreadable(why) => why.into(),
        }
    }
}

impl Partial {
    /// Reads the field that is due and says what follows it.
    fn field(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        let number = cursor.int().ok_or(TRUNCATED)?;
        let skip = usize::try_from(number).unwrap_or(0);
        match self.next {
            Next::ValueLength => {
                self.shape.value_length = number;
                self.skip = skip;
                self.next = Next::HeaderCount;
            }
            Next::HeaderCount => {
                if number < 0 || skip > self.left {
                    return Err(HEADERS);
                }
                self.next = if number == 0 { Next::End } else { Next::HeaderKey(number) };
            }
            Next::HeaderKey(count) => {
                if number < 0 {
                    return Err(HEADERS);
                }
                self.skip = skip;
                self.next = Next::HeaderValue(count);
            }
            Next::HeaderValue(count) => {
                self.skip = skip;
                self.next = if count > 1 { Next::HeaderKey(count - 1) } else { Next::End };
            }
            Next::End => {}
        }
        Ok(())
    }
}

fn lead_fields(cursor: &mut Cursor<'_>) -> Option<(i64, i32, i32)> {
    cursor.byte()?;
    let timestamp_delta = cursor.long()?;
    let offset_delta = cursor.int()?;
    let key_length = cursor.int()?;
    Some((timestamp_delta, offset_delta, key_length))
}
