//! Decompression of a batch's records, streamed: a few bytes of a hostile stream never become a large allocation.
//!
//! | codec  | accepted | memory beside the buffer |
//! |---|---|---|
//! | gzip   | any number of members | 32 KiB window |
//! | snappy | the framing of Java's library (`82 "SNAPPY" 00`, two i32, then blocks of i32 length + raw snappy), or one raw block, as librdkafka sends | one block, at most 22 times its compressed size: no snappy block inflates further |
//! | lz4    | one frame of independent blocks; linked ones, which Kafka's reader refuses, are refused | two blocks of at most 4 MiB |
//! | zstd   | any number of frames, windows up to 128 MiB as in Kafka | the window, touched only as far as it inflates |
//!
//! A stream that inflates to more than [`INFLATED_BYTES_MAX`] is refused: it costs processor time only, but without end.

use std::fmt;
use std::io::Read;

use bytes::buf::Reader;
use bytes::{Buf, Bytes};

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
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    produced: u64,
    ended: bool,
}

enum Stream {
    Gzip(Box<flate2::bufread::MultiGzDecoder<Reader<Bytes>>>),
    Snappy(Snappy),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Reader<Bytes>>>),
    Zstd(zstd::stream::read::Decoder<'static, Reader<Bytes>>),
    Plain(Reader<Bytes>),
    Broken(Unreadable),
}

impl Inflated {
    pub(crate) fn new(codec: Codec, payload: Bytes) -> Inflated {
        let stream = Stream::open(codec, payload).unwrap_or_else(Stream::Broken);
        Inflated { stream, buffer: Vec::new(), start: 0, end: 0, produced: 0, ended: false }
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
        if self.end == self.buffer.len() {
            let larger = (self.buffer.len() * 2).max(CHUNK_BYTES);
            self.buffer.resize(larger, 0);
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
            Codec::None => Stream::Plain(payload.reader()),
            Codec::Gzip => {
                Stream::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(payload.reader())))
            }
            Codec::Snappy => Stream::Snappy(Snappy::new(payload)?),
            Codec::Lz4 => {
                check_lz4_frame(&payload)?;
                Stream::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(payload.reader())))
            }
            Codec::Zstd => Stream::Zstd(
                zstd::stream::read::Decoder::with_buffer(payload.reader()).map_err(damaged)?,
            ),
        })
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        match self {
            Stream::Gzip(decoder) => decoder.read(out).map_err(damaged),
            Stream::Snappy(decoder) => decoder.read(out),
            Stream::Lz4(decoder) => decoder.read(out).map_err(damaged),
            Stream::Zstd(decoder) => decoder.read(out).map_err(damaged),
            Stream::Plain(reader) => reader.read(out).map_err(damaged),
            Stream::Broken(why) => Err(why.clone()),
        }
    }
}

fn damaged(error: impl fmt::Display) -> Unreadable {
    Unreadable::Stream(error.to_string())
}

/// The frame's first bytes: magic, version 1, blocks that do not refer to each other.
fn check_lz4_frame(payload: &[u8]) -> Result<(), Unreadable> {
    const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
    const VERSION_AND_INDEPENDENCE: u8 = 0b1110_0000;
    match payload.split_first_chunk() {
        Some((&MAGIC, [flags, ..])) if flags & VERSION_AND_INDEPENDENCE == 0b0110_0000 => Ok(()),
        Some((&MAGIC, [_, ..])) => {
            Err(damaged("an lz4 frame of another version, or of linked blocks"))
        }
        _ => Err(damaged("no lz4 frame")),
    }
}

/// Blocks of snappy, one inflated at a time.
struct Snappy {
    input: Bytes,
    framed: bool,
    block: Vec<u8>,
    position: usize,
}

const SNAPPY_MAGIC: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_HEADER_BYTES: usize = 16;
/// The best that snappy's elements can do: 3 bytes copy 64.
const SNAPPY_RATIO_MAX: usize = 22;

impl Snappy {
    fn new(mut input: Bytes) -> Result<Snappy, Unreadable> {
        let framed = input.starts_with(SNAPPY_MAGIC) && input.len() >= SNAPPY_HEADER_BYTES;
        if framed {
            skip_snappy_header(&mut input)?;
        }
        Ok(Snappy { input, framed, block: Vec::new(), position: 0 })
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        while self.position == self.block.len() {
            if self.input.is_empty() {
                return Ok(0);
            }
            let compressed =
                if self.framed { self.next_framed()? } else { std::mem::take(&mut self.input) };
            self.inflate_block(&compressed)?;
        }
        let ready = self.block.get(self.position..).unwrap_or_default();
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.position += count;
        Ok(count)
    }

    fn next_framed(&mut self) -> Result<Bytes, Unreadable> {
        // Streams may be joined: another header may stand where a length is expected.
        if self.input.starts_with(SNAPPY_MAGIC) && self.input.len() >= SNAPPY_HEADER_BYTES {
            skip_snappy_header(&mut self.input)?;
            if self.input.is_empty() {
                return Ok(Bytes::from_static(&[0]));
            }
        }
        let length = self.input.try_get_i32().map_err(damaged)?;
        let length =
            usize::try_from(length).map_err(|_| damaged("a snappy block of negative length"))?;
        if length > self.input.len() {
            return Err(damaged("a snappy block is cut short"));
        }
        Ok(self.input.split_to(length))
    }

    fn inflate_block(&mut self, compressed: &[u8]) -> Result<(), Unreadable> {
        let length = snap::raw::decompress_len(compressed).map_err(damaged)?;
        if length > compressed.len().saturating_mul(SNAPPY_RATIO_MAX) {
            return Err(damaged("a snappy block announces more than it can hold"));
        }
        self.block.resize(length, 0);
        self.position = 0;
        snap::raw::Decoder::new().decompress(compressed, &mut self.block).map_err(damaged)?;
        Ok(())
    }
}

fn skip_snappy_header(input: &mut Bytes) -> Result<(), Unreadable> {
    // After the magic: the version, and the oldest version whose readers can read this.
    let version = input.get(8..12).and_then(|v| v.try_into().ok()).map_or(0, i32::from_be_bytes);
    if version < 1 {
        return Err(damaged("a snappy stream of an unknown version"));
    }
    input.advance(SNAPPY_HEADER_BYTES);
    Ok(())
}
