//! Decompression of a batch's records, streamed: a few bytes of a hostile stream never become a large allocation.
//!
//! | codec  | accepted | memory beside the buffer |
//! |---|---|---|
//! | gzip   | any number of members | 32 KiB window |
//! | snappy | the framing of Java's library (`82 "SNAPPY" 00`, two i32, then blocks of i32 length + raw snappy), or one raw block, as librdkafka sends | one block, at most 22 times its compressed size: no snappy block inflates further |
//! | lz4    | one frame of independent blocks; linked ones, which Kafka's reader refuses, are refused | one block of at most 4 MiB |
//! | zstd   | any number of frames, windows up to 128 MiB as in Kafka | the window, touched only as far as it inflates |
//!
//! A stream that inflates to more than [`INFLATED_BYTES_MAX`] is refused: it costs processor time only, but without end.

mod gzip;
mod lz4;
mod scratch;
mod snappy;
mod zstd;

use std::fmt;

use bytes::{Buf, Bytes};

use self::gzip::Gzip;
use self::lz4::Lz4;
use self::scratch::Scratch;
use self::snappy::Snappy;
use self::zstd::Zstd;

use crate::batch::record::{MALFORMED, Problem, TRUNCATED};
use crate::batch::varint::Cursor;
use crate::batch::{BatchError, Codec, Invalidity, Unreadable};

/// The most that one batch may inflate to. Kafka has no bound; no producer comes near this one.
pub const INFLATED_BYTES_MAX: u64 = 1 << 30;
/// The most that one record may have where it is handed out whole.
const WHOLE_RECORD_MAX: usize = 128 << 20;
/// How much is inflated at once.
const CHUNK_BYTES: usize = 32 << 10;
/// The most bytes before a record's key: its length, attributes, timestamp delta, offset delta, key length.
pub(crate) const LEAD_BYTES_MAX: usize = 5 + 1 + 10 + 5 + 5;

const _: () = assert!(LEAD_BYTES_MAX < CHUNK_BYTES);

/// Inflated bytes, read through a window that its reader consumes from the front.
pub(crate) struct Inflated {
    stream: Stream,
    buffer: Scratch,
    start: usize,
    end: usize,
    produced: u64,
    ended: bool,
}

/// All of a stream that is no batch, if it inflates to at most `bytes_max`.
///
/// # Errors
///
/// It is not a stream of this codec, or inflates to more.
pub fn inflate(codec: Codec, payload: Bytes, bytes_max: usize) -> Result<Bytes, Unreadable> {
    if codec == Codec::None {
        return Ok(payload);
    }
    let mut inflated = Inflated::new(codec, payload);
    while inflated.fill()? {
        if inflated.window().len() > bytes_max {
            return Err(Unreadable::TooMuch(bytes_max as u64));
        }
    }
    Ok(Bytes::copy_from_slice(inflated.window()))
}

enum Stream {
    Gzip(Gzip),
    Snappy(Snappy),
    Lz4(Lz4),
    Zstd(Zstd),
    Plain(Bytes),
    Broken(Unreadable),
}

impl Inflated {
    pub(crate) fn new(codec: Codec, payload: Bytes) -> Inflated {
        let stream = Stream::open(codec, payload).unwrap_or_else(Stream::Broken);
        Inflated { stream, buffer: Scratch::default(), start: 0, end: 0, produced: 0, ended: false }
    }

    /// What has been inflated and not yet consumed.
    #[inline]
    pub(crate) fn window(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start = (self.start + count).min(self.end);
    }

    /// Inflates some more behind the window. False at the end of the stream. The buffer grows only when it is full.
    pub(crate) fn fill(&mut self) -> Result<bool, Unreadable> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = self.stream.read(room)?;
        self.end += read;
        self.produced += read as u64;
        self.ended = read == 0;
        if self.produced > INFLATED_BYTES_MAX {
            return Err(Unreadable::TooMuch(INFLATED_BYTES_MAX));
        }
        Ok(read > 0)
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.is_empty() {
            self.buffer = Scratch::with_length(CHUNK_BYTES);
        } else if self.end == self.buffer.len() {
            self.buffer.grow(self.buffer.len() * 2);
        }
    }

    /// Inflates until the window has `count` bytes or the stream ends. Returns whether it has them.
    pub(crate) fn ensure(&mut self, count: usize) -> Result<bool, Unreadable> {
        while self.end - self.start < count {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether nothing follows what was consumed. Reads to the end, so that the stream's own checks are made.
    pub(crate) fn at_end(&mut self) -> Result<bool, Unreadable> {
        Ok(!self.ensure(1)?)
    }

    /// The next record, whole and consumed: its length and everything that the length covers.
    pub(crate) fn whole_record(&mut self, index: i32) -> Result<&[u8], BatchError> {
        let bad = |problem: Problem| Invalidity::Record { index, problem };
        self.ensure(5)?;
        let mut cursor = Cursor::new(self.window());
        let length = cursor.int().ok_or(bad(TRUNCATED))?;
        let length = usize::try_from(length).map_err(|_| bad(MALFORMED))?;
        let total = self.window().len() - cursor.rest.len() + length;
        if total > WHOLE_RECORD_MAX {
            return Err(Unreadable::TooMuch(WHOLE_RECORD_MAX as u64).into());
        }
        if !self.ensure(total)? {
            return Err(bad(TRUNCATED).into());
        }
        let start = self.start;
        self.consume(total);
        Ok(self.buffer.get(start..start + total).unwrap_or_default())
    }
}

impl fmt::Debug for Inflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflated")
            .field("produced", &self.produced)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Stream {
    fn open(codec: Codec, payload: Bytes) -> Result<Stream, Unreadable> {
        Ok(match codec {
            Codec::None => Stream::Plain(payload),
            Codec::Gzip => Stream::Gzip(Gzip::new(payload)),
            Codec::Snappy => Stream::Snappy(Snappy::new(payload)?),
            Codec::Lz4 => Stream::Lz4(Lz4::new(payload)?),
            Codec::Zstd => Stream::Zstd(Zstd::new(payload)?),
        })
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        match self {
            Stream::Gzip(decoder) => decoder.read(out),
            Stream::Snappy(decoder) => decoder.read(out),
            Stream::Lz4(decoder) => decoder.read(out),
            Stream::Zstd(decoder) => decoder.read(out),
            Stream::Plain(bytes) => {
                let count = bytes.len().min(out.len());
                bytes.copy_to_slice(&mut out[..count]);
                Ok(count)
            }
            Stream::Broken(why) => Err(why.clone()),
        }
    }
}

fn damaged(error: impl fmt::Display) -> Unreadable {
    Unreadable::Stream(error.to_string())
}
