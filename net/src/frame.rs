//! Frames out of a stream of bytes.
//!
//! ```text
//! 0       4              4 + length
//! | length | request ... | length | ...
//! ```
//! The length is a signed big-endian 32-bit number that does not count itself.
//!
//! Small frames are cut out of a buffer that is received into as a whole: they share its memory, nothing is copied but the
//! beginning of a frame whose end did not fit, and frames of a few hundred bytes. A frame above `SHARED_FRAME_MAX` gets memory of its own, which grows as its
//! bytes come, and is received straight into it. A connection that has nothing under way has no buffer; how large its next
//! one is depends on how much the last ones were filled.

use bytes::Bytes;
use ring::buffer::{AppendBuffer, Growing};

use crate::budget::Charge;

/// Bytes of the length in front of a frame.
pub const PREFIX: usize = 4;
/// The longest frame that is cut out of a shared buffer.
pub(crate) const SHARED_FRAME_MAX: usize = 64 << 10;
/// The longest frame that is copied out of it.
const COPIED_FRAME_MAX: usize = 512;
/// Sizes of shared buffers: each is the memory of a connection that has begun a frame and not gone on.
pub(crate) const BUFFER_MIN: usize = 4 << 10;
pub(crate) const BUFFER_MAX: usize = 256 << 10;
const BUFFER_STEP: usize = 4;

/// The length in front of a frame is negative or above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {length} bytes is announced, {max} are allowed")]
pub struct BadLength {
    pub length: i32,
    pub max: usize,
}

/// What comes next out of the bytes that are there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Frame(Bytes),
    /// Nothing has begun.
    Nothing,
    /// A frame has begun; it is cut out of the shared buffer when `missing` more bytes are there.
    More {
        missing: usize,
    },
    /// A frame of `length` has begun that gets memory of its own.
    Own {
        length: usize,
    },
}

/// The shared buffer of one connection.
pub(crate) struct Receiver {
    buffer: Option<AppendBuffer>,
    /// Bytes of the buffer that have been given out.
    taken: usize,
    /// Size of the next buffer.
    size: usize,
}

impl Receiver {
    pub(crate) fn new() -> Receiver {
        Receiver { buffer: None, taken: 0, size: BUFFER_MIN }
    }

    pub(crate) fn next(&mut self, frame_bytes_max: usize) -> Result<Next, BadLength> {
        let Some(buffer) = &self.buffer else { return Ok(Next::Nothing) };
        let rest = &buffer.filled()[self.taken..];
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX>() else {
            return Ok(match rest.len() {
                0 => Next::Nothing,
                some => Next::More { missing: PREFIX - some },
            });
        };
        let announced = i32::from_be_bytes(*prefix);
        let length = usize::try_from(announced).ok().filter(|length| *length <= frame_bytes_max);
        let length = length.ok_or(BadLength { length: announced, max: frame_bytes_max })?;
        if let Some(frame) = rest.get(..length) {
            let start = self.taken + PREFIX;
            self.taken = start + length;
            // Copying a short one costs no more than sharing it, and whoever keeps it does not keep the buffer.
            let frame = match length {
                0..=COPIED_FRAME_MAX => Bytes::copy_from_slice(frame),
                _ => buffer.slice(start..self.taken),
            };
            return Ok(Next::Frame(frame));
        }
        if length > SHARED_FRAME_MAX {
            return Ok(Next::Own { length });
        }
        Ok(Next::More { missing: length - rest.len() })
    }

    /// Bytes of the frame that has begun, its length among them.
    pub(crate) fn begun(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.len() - self.taken)
    }

    /// The size of the buffer that is needed before receiving goes on; `None` where the present one will do.
    pub(crate) fn needs_buffer(&self, missing: usize) -> Option<usize> {
        let Some(buffer) = &self.buffer else { return Some(self.size) };
        // Little room makes for many small receives, unless more would have to be copied than is missing.
        let worth_it = buffer.remaining() >= buffer.capacity() / 4 || self.begun() > missing;
        if buffer.remaining() >= missing && worth_it {
            return None;
        }
        // What is announced is not what has arrived: a few times as much as that.
        let frame = (self.begun() + missing).min(self.begun() * BUFFER_STEP);
        Some(self.size.max(frame.next_multiple_of(BUFFER_MIN)).max(self.begun() + 1))
    }

    /// Goes on in `buffer`, with the beginning of a frame that the old one holds.
    pub(crate) fn set_buffer(&mut self, mut buffer: AppendBuffer) {
        if let Some(old) = &self.buffer {
            buffer.append(&old.filled()[self.taken..]);
        }
        self.buffer = Some(buffer);
        self.taken = 0;
    }

    pub(crate) fn buffer(&mut self) -> &mut AppendBuffer {
        self.buffer.as_mut().expect("a buffer was set before receiving")
    }

    /// Learns from a receive whether the next buffer should be larger or smaller.
    pub(crate) fn adapt(&mut self, filled: bool, received: usize) {
        if filled {
            self.size = (self.size * BUFFER_STEP).min(BUFFER_MAX);
        } else if received < self.size / (2 * BUFFER_STEP) {
            self.size = (self.size / BUFFER_STEP).max(BUFFER_MIN);
        }
    }

    /// Gives back the buffer, out of which everything has been taken.
    pub(crate) fn release(&mut self) {
        debug_assert_eq!(self.begun(), 0, "what has begun is not thrown away");
        self.buffer = None;
        self.taken = 0;
    }

    /// Takes the beginning of a frame that gets memory of its own, without its length, and gives back the buffer. Such frames
    /// tend to come one after another: the next is begun in a small buffer.
    pub(crate) fn take_begun(&mut self) -> Growing {
        let begun =
            self.buffer.as_ref().map_or(&[][..], |buffer| &buffer.filled()[self.taken + PREFIX..]);
        let begun = Growing::copy_of(begun);
        self.buffer = None;
        self.taken = 0;
        self.size = BUFFER_MIN;
        begun
    }
}

/// A frame in memory of its own, which is accounted for until the last slice of it is gone.
pub(crate) struct OwnFrame {
    bytes: Growing,
    _charges: [Option<Charge>; 2],
}

impl OwnFrame {
    pub(crate) fn freeze(bytes: Growing, charges: [Option<Charge>; 2]) -> Bytes {
        Bytes::from_owner(OwnFrame { bytes, _charges: charges })
    }
}

impl AsRef<[u8]> for OwnFrame {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 100 << 10;

    /// Feeds `stream` in pieces of `piece` bytes; gives the frames, and the own frames' lengths as empty frames.
    fn frames(stream: &[u8], piece: usize) -> Result<Vec<Bytes>, BadLength> {
        let mut receiver = Receiver::new();
        let mut frames = Vec::new();
        let mut rest = stream;
        loop {
            let missing = match receiver.next(MAX)? {
                Next::Frame(frame) => {
                    frames.push(frame);
                    continue;
                }
                Next::Nothing if rest.is_empty() => return Ok(frames),
                Next::Nothing => 1,
                Next::More { missing } => missing,
                Next::Own { length } => {
                    let mut own = receiver.take_begun();
                    let (now, later) = rest.split_at(length - own.len());
                    own.grow(length);
                    let bytes = [own.as_ref(), now].concat();
                    rest = later;
                    frames.push(bytes.into());
                    continue;
                }
            };
            if let Some(size) = receiver.needs_buffer(missing) {
                receiver.set_buffer(AppendBuffer::new(size));
            }
            let room = receiver.buffer().remaining();
            let now = piece.min(rest.len()).min(room);
            receiver.buffer().append(&rest[..now]);
            receiver.adapt(now == room, now);
            rest = &rest[now..];
        }
    }

    #[test]
    fn frames_are_the_same_however_they_arrive() {
        let lengths = [0, 1, 3, 4000, 5000, 0, 70_000, 17, 64 << 10, 100 << 10, 9, 30_000, 30_000];
        let expected: Vec<Vec<u8>> =
            lengths.iter().zip(1..).map(|(length, n): (_, u8)| vec![n; *length]).collect();
        let stream: Vec<u8> = expected
            .iter()
            .flat_map(|frame| {
                i32::try_from(frame.len()).unwrap().to_be_bytes().into_iter().chain(frame.clone())
            })
            .collect();
        for piece in [1, 2, 3, 5, 100, 4096, 10_000, 1 << 20] {
            assert_eq!(frames(&stream, piece).unwrap(), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for (length, ok) in
            [(-1, false), (i32::MIN, false), (i32::MAX, false), (100 * 1024 + 1, false), (0, true)]
        {
            let result = frames(&length.to_be_bytes(), 8);
            assert_eq!(result.is_ok(), ok, "{length}");
        }
    }

    #[test]
    fn a_buffer_follows_what_arrives_not_what_is_announced() {
        let mut receiver = Receiver::new();
        assert_eq!(receiver.needs_buffer(1), Some(BUFFER_MIN));
        receiver.set_buffer(AppendBuffer::new(BUFFER_MIN));
        receiver.buffer().append(&60_000_i32.to_be_bytes());
        receiver.buffer().append(&[0; 4000]);
        let Next::More { missing } = receiver.next(MAX).unwrap() else {
            panic!("the frame has begun")
        };
        assert_eq!(missing, 56_000);
        assert_eq!(receiver.needs_buffer(missing), Some(4 * BUFFER_MIN));
    }
}
