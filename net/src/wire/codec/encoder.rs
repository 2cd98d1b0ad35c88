//! Measures a message, then writes it into one buffer.

use bytes::{BufMut, Bytes, BytesMut};

use super::{EncodeError, Wire};
use crate::send::{Part, Parts};

/// Where a message is written, or only measured.
pub struct Encoder {
    buffer: BytesMut,
    /// Parts that stand before the byte of the buffer named beside them.
    inserts: Vec<(usize, Part)>,
    /// Bytes put into the buffer so far, or that would have been.
    length: usize,
    /// Parts laid between them so far, and their bytes.
    parts: usize,
    parts_bytes: u64,
    measuring: bool,
    flexible: bool,
}

/// Runs `write` twice: to measure, and to write.
pub(in crate::wire) fn encode(
    mut write: impl FnMut(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<Encoded, EncodeError> {
    let mut e = Encoder {
        buffer: BytesMut::new(),
        inserts: Vec::new(),
        length: 0,
        parts: 0,
        parts_bytes: 0,
        measuring: true,
        flexible: false,
    };
    write(&mut e)?;
    let (length, parts) = (e.length, e.parts);
    e.buffer.reserve(length);
    e.inserts.reserve_exact(parts);
    (e.length, e.parts, e.parts_bytes, e.measuring) = (0, 0, 0, false);
    write(&mut e)?;
    debug_assert_eq!(
        (e.buffer.len(), e.inserts.len()),
        (length, parts),
        "both runs over a message do the same"
    );
    Ok(Encoded { buffer: e.buffer, inserts: e.inserts, parts_bytes: e.parts_bytes })
}

impl Encoder {
    pub fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if !self.measuring {
            self.buffer.put_slice(bytes);
        }
    }

    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Returns what it was before.
    pub fn set_flexible(&mut self, flexible: bool) -> bool {
        std::mem::replace(&mut self.flexible, flexible)
    }

    pub fn unsigned_varint(&mut self, mut value: u32) {
        let mut bytes = [0; 5];
        let mut length = 0;
        loop {
            let low = value.to_le_bytes()[0] & 0x7f;
            value >>= 7;
            bytes[length] = if value == 0 { low } else { low | 0x80 };
            length += 1;
            if value == 0 {
                return self.put(&bytes[..length]);
            }
        }
    }

    /// A string's length, or null.
    pub(super) fn string_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        if let Some(length) = length
            && i16::try_from(length).is_err()
        {
            return Err(EncodeError::Length { length: length as u64 });
        }
        if self.flexible {
            return self.compact_length(length.map(|length| length as u64));
        }
        self.put(&length.map_or(Ok(-1), i16::try_from).unwrap_or(i16::MAX).to_be_bytes());
        Ok(())
    }

    /// The length of bytes, of records or of an array, or null.
    pub(super) fn length(&mut self, length: Option<u64>) -> Result<(), EncodeError> {
        if self.flexible {
            return self.compact_length(length);
        }
        let length = length.map_or(Ok(-1), |length| {
            i32::try_from(length).map_err(|_| EncodeError::Length { length })
        })?;
        self.put(&length.to_be_bytes());
        Ok(())
    }

    fn compact_length(&mut self, length: Option<u64>) -> Result<(), EncodeError> {
        let plus_one = match length {
            None => 0,
            Some(length) => {
                i32::try_from(length).map_err(|_| EncodeError::Length { length })?.unsigned_abs()
                    + 1
            }
        };
        self.unsigned_varint(plus_one);
        Ok(())
    }

    /// Lays parts here, without copying them.
    pub(super) fn insert(&mut self, parts: &Parts) {
        self.parts += parts.as_slice().len();
        self.parts_bytes += parts.len();
        if !self.measuring {
            let position = self.buffer.len();
            self.inserts.extend(parts.iter().map(|part| (position, part.clone())));
        }
    }

    /// A tagged field: its tag, its size, itself.
    pub fn tagged(&mut self, tag: u32, value: &impl Wire, version: i16) -> Result<(), EncodeError> {
        let size = self.measure(|e| value.encode(e, version))?;
        let size = u32::try_from(size).map_err(|_| EncodeError::Length { length: size })?;
        self.unsigned_varint(tag);
        self.unsigned_varint(size);
        value.encode(self, version)
    }

    /// The bytes that `write` would write.
    fn measure(
        &mut self,
        write: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<u64, EncodeError> {
        let before = (self.length, self.parts, self.parts_bytes);
        let measuring = std::mem::replace(&mut self.measuring, true);
        write(self)?;
        let size = (self.length - before.0) as u64 + (self.parts_bytes - before.2);
        (self.length, self.parts, self.parts_bytes) = before;
        self.measuring = measuring;
        Ok(size)
    }
}

/// What has been written, and the parts to lay between.
pub(in crate::wire) struct Encoded {
    buffer: BytesMut,
    inserts: Vec<(usize, Part)>,
    parts_bytes: u64,
}

impl Encoded {
    /// Writes the length of all that follows into the first 4 bytes, which have been left for it.
    pub(in crate::wire) fn prefix_length(&mut self) -> Result<(), EncodeError> {
        let length = (self.buffer.len() - 4) as u64 + self.parts_bytes;
        let prefix = i32::try_from(length).map_err(|_| EncodeError::Length { length })?;
        self.buffer[..4].copy_from_slice(&prefix.to_be_bytes());
        Ok(())
    }

    pub(in crate::wire) fn into_parts(self) -> Parts {
        let mut rest = self.buffer.freeze();
        if self.inserts.is_empty() {
            return rest.into();
        }
        let mut parts = Parts::with_capacity(self.inserts.len() * 2 + 1);
        let mut written = 0;
        for (position, part) in self.inserts {
            parts.push(rest.split_to(position - written));
            parts.push(part);
            written = position;
        }
        parts.push(rest);
        parts
    }

    /// One run of bytes, where there is no file.
    pub(in crate::wire) fn into_bytes(self) -> Result<Bytes, EncodeError> {
        if self.inserts.is_empty() {
            return Ok(self.buffer.freeze());
        }
        let parts = self.into_parts();
        let mut all = BytesMut::with_capacity(usize::try_from(parts.len()).unwrap_or_default());
        for part in parts {
            match part {
                Part::Bytes(bytes) => all.put(bytes),
                Part::File(_) => return Err(EncodeError::File),
            }
        }
        Ok(all.freeze())
    }
}
