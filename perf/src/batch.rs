//! Record batches of magic 2, built for sending and read back: uncompressed, without headers.
//!
//! The layout is drawn in `storage`, which this crate does not import: what measures and checks the broker from outside
//! should not share its mistakes.

use anyhow::{Result, bail, ensure};

pub const HEADER_BYTES: usize = 61;
const CRC_FROM: usize = 21;

/// Who numbered a batch: producer id, epoch and the sequence of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
}

impl Producer {
    pub const NONE: Producer = Producer { id: -1, epoch: -1, sequence: -1 };
}

/// Builds one batch from its values, without keys.
pub fn build(values: &[&[u8]], producer: Producer, timestamp_ms: i64) -> Result<Vec<u8>> {
    let records: Vec<_> = values.iter().map(|value| (None, *value)).collect();
    build_records(&records, producer, timestamp_ms)
}

/// Builds one batch from its records: (key, value).
pub fn build_records(
    records: &[(Option<&[u8]>, &[u8])],
    producer: Producer,
    timestamp_ms: i64,
) -> Result<Vec<u8>> {
    let count = i32::try_from(records.len())?;
    let mut batch = vec![0; HEADER_BYTES];
    for (delta, (key, value)) in (0..).zip(records) {
        put_record(&mut batch, delta, *key, value)?;
    }
    let length = i32::try_from(batch.len() - 12)?;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[27..35].copy_from_slice(&timestamp_ms.to_be_bytes());
    batch[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&producer.sequence.to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(batch)
}

fn put_record(
    batch: &mut Vec<u8>,
    offset_delta: i64,
    key: Option<&[u8]>,
    value: &[u8],
) -> Result<()> {
    let mut record = vec![0u8, 0];
    put_varint(&mut record, offset_delta);
    put_varint(&mut record, key.map_or(Ok(-1), |key| i64::try_from(key.len()))?);
    record.extend_from_slice(key.unwrap_or_default());
    put_varint(&mut record, i64::try_from(value.len())?);
    // Behind the value comes only the count of headers: one byte, 0.
    put_varint(batch, i64::try_from(record.len() + value.len() + 1)?);
    batch.extend_from_slice(&record);
    batch.extend_from_slice(value);
    batch.push(0);
    Ok(())
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push((left & 0x7f) as u8);
}

/// One batch as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    pub base_offset: i64,
    pub last_offset: i64,
    pub count: i32,
    pub producer: Producer,
    bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Length in the log.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn check_crc(&self) -> Result<()> {
        let crc = crc32c::crc32c(&self.bytes[CRC_FROM..]);
        ensure!(
            crc.to_be_bytes() == self.bytes[17..21],
            "batch at {}: wrong CRC",
            self.base_offset
        );
        Ok(())
    }

    /// The values of its records, in order.
    pub fn values(&self) -> Result<Vec<&'a [u8]>> {
        let mut reader = Reader { left: &self.bytes[HEADER_BYTES..] };
        let mut values = Vec::new();
        while !reader.left.is_empty() {
            let length = usize::try_from(reader.varint()?)?;
            let mut record = Reader { left: reader.take(length)? };
            record.take(1)?;
            record.varint()?;
            record.varint()?;
            let key = record.varint()?;
            ensure!(key == -1, "a record with a key");
            let length = usize::try_from(record.varint()?)?;
            values.push(record.take(length)?);
        }
        ensure!(
            i32::try_from(values.len())? == self.count,
            "batch at {}: {} records, not {}",
            self.base_offset,
            values.len(),
            self.count
        );
        Ok(values)
    }
}

/// The whole batches at the front of fetched records; a torn one at the end is left out.
pub fn read(records: &[u8]) -> Stream<'_> {
    Stream { left: records }
}

pub struct Stream<'a> {
    left: &'a [u8],
}

impl<'a> Iterator for Stream<'a> {
    type Item = Stored<'a>;

    fn next(&mut self) -> Option<Stored<'a>> {
        let length: [u8; 4] = self.left.get(8..12)?.try_into().ok()?;
        let end = 12 + usize::try_from(i32::from_be_bytes(length)).ok()?;
        if end < HEADER_BYTES {
            return None;
        }
        let bytes = self.left.get(..end)?;
        self.left = &self.left[end..];
        let base_offset = i64_at(bytes, 0);
        Some(Stored {
            base_offset,
            last_offset: base_offset + i64::from(i32_at(bytes, 23)),
            count: i32_at(bytes, 57),
            producer: Producer {
                id: i64_at(bytes, 43),
                epoch: i16_at(bytes, 51),
                sequence: i32_at(bytes, 53),
            },
            bytes,
        })
    }
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(field)
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    i32::from_be_bytes(field)
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let Some((taken, left)) = self.left.split_at_checked(length) else {
            bail!("a record that ends early")
        };
        self.left = left;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<i64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        bail!("a varint of more than 10 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_reads_back() {
        let values: Vec<Vec<u8>> =
            [0, 1, 63, 64, 200, 8191, 70_000].iter().map(|&n| vec![7; n]).collect();
        let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let producer = Producer { id: 4000, epoch: 3, sequence: 77 };
        let mut bytes = build(&slices, producer, 1_700_000_000_000).unwrap();
        let whole = bytes.len();
        bytes.extend_from_within(..40);
        let found: Vec<_> = read(&bytes).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].len(), found[0].last_offset, found[0].producer), (whole, 6, producer));
        found[0].check_crc().unwrap();
        assert_eq!(found[0].values().unwrap(), slices);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let mut bytes = build(&[b"value"], Producer::NONE, 0).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        assert!(read(&bytes).next().unwrap().check_crc().is_err());
    }
}
