//! Kafka's primitive types, as bytes: integers big-endian, strings and arrays behind their length.
//!
//! In flexible versions (KIP-482) a length is an unsigned varint of length + 1, 0 for null, and each struct ends with its
//! tagged fields; in the others a string's length is an int16, that of bytes, records and arrays an int32, -1 for null.
//!
//! A `Decoder` owns a frame and hands out slices of it. It promises: no length is believed before the bytes that remain
//! have been asked; what is allocated for arrays is charged before, and is at most
//! `DECODE_BYTES_BASE + DECODE_BYTES_PER_FRAME_BYTE` x the frame. Strings and bytes cost nothing: they are slices.
//!
//! An `Encoder` runs twice over a message: once to measure, once to write into a buffer of exactly that size. Records are
//! not written into it: their parts are laid between slices of the buffer when it is done.

mod decoder;
mod encoder;
mod primitives;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use bytes::Bytes;

pub(in crate::wire) use self::encoder::encode;
pub use self::{
    decoder::{DECODE_BYTES_BASE, DECODE_BYTES_PER_FRAME_BYTE, Decoder, Tag},
    encoder::Encoder,
    primitives::Records,
};

/// A value that has a form on the wire in each version of its message.
pub trait Wire: Sized {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError>;

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Says in an answer how long its client is throttled, in milliseconds. What has no such field says nothing.
    fn set_throttle_time_ms(&mut self, _throttle_time_ms: i32) {}
}

/// A value that also has a form for null, so that `Option` of it is `Wire`. A struct stands behind a byte, 1 or -1; those
/// that have a length put null there.
pub trait Nullable: Wire {
    fn decode_nullable(d: &mut Decoder, version: i16) -> Result<Option<Self>, DecodeError> {
        if d.i8()? < 0 { Ok(None) } else { Self::decode(d, version).map(Some) }
    }

    fn encode_nullable(
        value: Option<&Self>,
        e: &mut Encoder,
        version: i16,
    ) -> Result<(), EncodeError> {
        match value {
            None => e.put(&[0xff]),
            Some(value) => {
                e.put(&[1]);
                value.encode(e, version)?;
            }
        }
        Ok(())
    }
}

/// A request: the table of APIs is made of these.
pub trait Request: Wire {
    /// Kafka's key of the API.
    const KEY: i16;
    /// The versions that are served.
    const VERSIONS: RangeInclusive<i16>;
    /// The first flexible version.
    const FLEXIBLE: i16;
    type Response: Wire;
}

/// Why bytes are not a message. A connection that sent them is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("{needed} bytes needed at byte {position}, {remaining} remain")]
    Short { position: usize, needed: usize, remaining: usize },
    #[error("length {length} at byte {position} is not one")]
    Length { position: usize, length: i64 },
    #[error("null where there must be a value, at byte {position}")]
    UnexpectedNull { position: usize },
    #[error("{field} may not be null in this version")]
    Null { field: &'static str },
    #[error("a string that is not UTF-8, at byte {position}")]
    Utf8 { position: usize },
    #[error("a varint of more than 32 bits, at byte {position}")]
    Varint { position: usize },
    #[error("tagged field {number} does not end where it says, at byte {position}")]
    Tag { number: u32, position: usize },
    #[error("decoding would allocate {needed} bytes more, {remaining} are left to it")]
    Allocation { needed: usize, remaining: usize },
    #[error("{message} has no version {version}")]
    Version { message: &'static str, version: i16 },
    #[error("no API has key {key}")]
    Key { key: i16 },
    #[error("{remaining} bytes left after the message")]
    Trailing { remaining: usize },
}

/// Why a message has no form in a version. The fault is always this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("{message} has no version {version}")]
    Version { message: &'static str, version: i16 },
    #[error("version {version} cannot say {field}")]
    Unsupported { field: &'static str, version: i16 },
    #[error("{field} may not be null in version {version}")]
    Null { field: &'static str, version: i16 },
    #[error("{length} is too long for its length field")]
    Length { length: u64 },
    #[error("a range of a file where bytes must be")]
    File,
}

/// Encodes a message that stands alone, without length and header: the value of a metadata record, of a snapshot.
pub fn to_bytes(message: &impl Wire, version: i16) -> Result<Bytes, EncodeError> {
    encode(|e| message.encode(e, version))?.into_bytes()
}

/// Decodes a message that stands alone and fills `bytes`.
pub fn from_bytes<T: Wire>(bytes: Bytes, version: i16) -> Result<T, DecodeError> {
    let mut d = Decoder::new(bytes);
    let message = T::decode(&mut d, version)?;
    match d.remaining() {
        0 => Ok(message),
        remaining => Err(DecodeError::Trailing { remaining }),
    }
}
