//! Reads a frame from front to back.

use bytes::Bytes;

use super::DecodeError;

/// What decoding a frame may allocate, whatever its size.
pub const DECODE_BYTES_BASE: usize = 64 << 10;
/// What decoding a frame may allocate for each of its bytes. The widest honest element, a topic's name in a list of names,
/// takes 32 bytes for a string of 3 and more, within the base.
pub const DECODE_BYTES_PER_FRAME_BYTE: usize = 8;
/// Kept back from the base for what is not charged: `Bytes` makes its shared count on the first slice.
const UNCHARGED_BYTES: usize = 256;

/// A frame and how far it has been read.
pub struct Decoder {
    frame: Bytes,
    position: usize,
    /// Bytes that may still be allocated.
    allowance: usize,
    flexible: bool,
}

/// The head of a tagged field: where it must end.
pub struct Tag {
    pub number: u32,
    end: usize,
}

impl Decoder {
    pub fn new(frame: Bytes) -> Decoder {
        let allowance = frame
            .len()
            .saturating_mul(DECODE_BYTES_PER_FRAME_BYTE)
            .saturating_add(DECODE_BYTES_BASE - UNCHARGED_BYTES);
        Decoder { frame, position: 0, allowance, flexible: false }
    }

    pub fn remaining(&self) -> usize {
        self.frame.len() - self.position
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Returns what it was before.
    pub fn set_flexible(&mut self, flexible: bool) -> bool {
        std::mem::replace(&mut self.flexible, flexible)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.frame[self.position..].first_chunk::<N>() {
            Some(bytes) => {
                self.position += N;
                Ok(*bytes)
            }
            None => Err(self.short(N)),
        }
    }

    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
    }

    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// At most 32 bits, in at most 5 bytes, low ones first.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let position = self.position;
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << shift;
            // Of the fifth byte 4 bits fit; Kafka lets the rest fall, and so do we.
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { position })
    }

    /// The next `length` bytes, as a slice of the frame.
    pub fn slice(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.remaining() {
            return Err(self.short(length));
        }
        let bytes = self.frame.slice(self.position..self.position + length);
        self.position += length;
        Ok(bytes)
    }

    /// Length of a string, `None` for null. The bytes are there.
    pub(super) fn string_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let position = self.position;
        let length = if self.flexible { self.compact_length()? } else { i64::from(self.i16()?) };
        if length > i64::from(i16::MAX) {
            return Err(DecodeError::Length { position, length });
        }
        self.checked(position, length)
    }

    /// Length of bytes, of records or of an array, `None` for null. There are at least so many bytes.
    pub(super) fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        let position = self.position;
        let length = if self.flexible { self.compact_length()? } else { i64::from(self.i32()?) };
        self.checked(position, length)
    }

    fn compact_length(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from(self.unsigned_varint()?) - 1)
    }

    fn checked(&self, position: usize, length: i64) -> Result<Option<usize>, DecodeError> {
        if length == -1 {
            return Ok(None);
        }
        let length =
            usize::try_from(length).map_err(|_| DecodeError::Length { position, length })?;
        if length > self.remaining() {
            return Err(self.short(length));
        }
        Ok(Some(length))
    }

    /// Charges what is about to be allocated for `count` elements of a `size`.
    pub(super) fn charge(&mut self, count: usize, size: usize) -> Result<(), DecodeError> {
        let needed = count.saturating_mul(size);
        self.allowance = self
            .allowance
            .checked_sub(needed)
            .ok_or(DecodeError::Allocation { needed, remaining: self.allowance })?;
        Ok(())
    }

    /// The head of the next tagged field.
    pub fn tag(&mut self) -> Result<Tag, DecodeError> {
        let number = self.unsigned_varint()?;
        let size = self.unsigned_varint()? as usize;
        if size > self.remaining() {
            return Err(self.short(size));
        }
        Ok(Tag { number, end: self.position + size })
    }

    /// Passes over the bytes of a tagged field that nobody here knows.
    pub fn skip(&mut self, tag: &Tag) -> Result<(), DecodeError> {
        self.position = tag.end;
        Ok(())
    }

    /// Checks that a tagged field took the bytes that it announced.
    pub fn end(&self, tag: &Tag) -> Result<(), DecodeError> {
        if self.position == tag.end {
            Ok(())
        } else {
            Err(DecodeError::Tag { number: tag.number, position: tag.end })
        }
    }

    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.unsigned_varint()? {
            let tag = self.tag()?;
            self.skip(&tag)?;
        }
        Ok(())
    }

    fn short(&self, needed: usize) -> DecodeError {
        DecodeError::Short { position: self.position, needed, remaining: self.remaining() }
    }
}
