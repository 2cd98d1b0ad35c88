//! A batch compressed anew, for a topic that keeps its batches with a codec of its own (`compression.type`).
//!
//! The records stay as they are, byte by byte; header and offsets, too, but for codec, length and CRC. The work takes as long as it takes,
//! so it is not for a shard's thread.

use super::builder::{count, seal};
use super::deflate::Deflate;
use super::inflate::Inflated;
use super::{Batch, BatchError, Checked, Codec, HEADER_BYTES, LENGTH_OVERHEAD, Unreadable};

/// A codec, and how hard it tries. `level`s are those of Kafka's topic configs `compression.*.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    /// -1: the library's own, else 1 to 9.
    Gzip {
        level: i32,
    },
    Snappy,
    /// [`Compression::LZ4_LEVEL`]: the fast compressor, as in Kafka; else the one that finds more, 1 to 17.
    Lz4 {
        level: i32,
    },
    /// Below 0: faster than 1; at most 22.
    Zstd {
        level: i32,
    },
}

impl Compression {
    pub const LZ4_LEVEL: i32 = 9;

    pub const fn codec(self) -> Codec {
        match self {
            Compression::None => Codec::None,
            Compression::Gzip { .. } => Codec::Gzip,
            Compression::Snappy => Codec::Snappy,
            Compression::Lz4 { .. } => Codec::Lz4,
            Compression::Zstd { .. } => Codec::Zstd,
        }
    }
}

impl From<Codec> for Compression {
    /// With Kafka's level.
    fn from(codec: Codec) -> Compression {
        match codec {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip { level: -1 },
            Codec::Snappy => Compression::Snappy,
            Codec::Lz4 => Compression::Lz4 { level: Compression::LZ4_LEVEL },
            Codec::Zstd => Compression::Zstd { level: 3 },
        }
    }
}

/// The batch, compressed so, and what is to be changed of it on the way into the log.
///
/// # Errors
/// [`BatchError::TooLarge`] if it would be larger than `bytes_max`, found before much more than that is in memory. What was validated is
/// readable.
pub fn recompress(
    batch: &Batch,
    checked: &Checked,
    compression: Compression,
    bytes_max: i32,
) -> Result<(Batch, Checked), BatchError> {
    let mut header = *batch.header();
    let codec = header.codec().ok_or(Unreadable::UnknownCodec(header.attributes.codec_bits()))?;
    let room = usize::try_from(bytes_max).unwrap_or(0);
    let mut out = Deflate::new(compression);
    if let Compression::Zstd { .. } = compression {
        out.expect(inflated_bytes(codec, batch)?);
    }
    let mut records = Inflated::new(codec, batch.payload());
    loop {
        let size = HEADER_BYTES + out.given();
        if size > room {
            return Err(BatchError::TooLarge { size, max: bytes_max });
        }
        if !records.fill()? {
            break;
        }
        out.write(records.window());
        records.consume(records.window().len());
    }
    let payload = out.finish();
    let size = HEADER_BYTES + payload.len();
    if size > room {
        return Err(BatchError::TooLarge { size, max: bytes_max });
    }
    header.attributes = header.attributes.with_codec(compression.codec());
    header.batch_length = count(size - LENGTH_OVERHEAD);
    Ok((seal(header, &payload), checked.with_codec(compression.codec())))
}

fn inflated_bytes(codec: Codec, batch: &Batch) -> Result<u64, Unreadable> {
    let mut records = Inflated::new(codec, batch.payload());
    let mut bytes = 0;
    while records.fill()? {
        bytes += records.window().len() as u64;
        records.consume(records.window().len());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, NewRecord, TimestampType, stamp};
    use crate::units::{Epoch, Offset, Timestamp};

    const ALL: [Compression; 9] = [
        Compression::None,
        Compression::Gzip { level: -1 },
        Compression::Gzip { level: 1 },
        Compression::Snappy,
        Compression::Lz4 { level: Compression::LZ4_LEVEL },
        Compression::Lz4 { level: 17 },
        Compression::Zstd { level: 3 },
        Compression::Zstd { level: -50 },
        Compression::Zstd { level: 22 },
    ];

    /// Some that compress well, and some that do not.
    fn batch(codec: Codec) -> Batch {
        let mut builder = BatchBuilder::new().codec(codec);
        let mut noise = 1_u64;
        for n in 0..300_i64 {
            let value: Vec<u8> = (0_u8..=255)
                .cycle()
                .take(500)
                .map(|at| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if n % 2 == 0 { (noise >> 56) as u8 } else { at % 7 }
                })
                .collect();
            builder.push(NewRecord {
                timestamp: Timestamp(1000 + n),
                key: (n % 3 == 0).then_some(b"key"),
                value: Some(&value),
                headers: &[(b"h", None)],
            });
        }
        builder.build()
    }

    fn contents(batch: &Batch) -> Vec<u8> {
        let mut records = Inflated::new(batch.codec().unwrap(), batch.payload());
        while records.fill().unwrap() {}
        records.window().to_vec()
    }

    #[test]
    fn records_stay_whatever_they_are_compressed_with() {
        let plain = contents(&batch(Codec::None));
        for from in Codec::ALL {
            let batch = batch(from);
            let checked = Checked::own(&batch).unwrap();
            for to in ALL {
                let (new, _) = recompress(&batch, &checked, to, i32::MAX).unwrap();
                let whole = Batch::parse(new.bytes().clone()).unwrap();
                assert_eq!(whole.codec(), Some(to.codec()));
                assert!(contents(&whole) == plain, "{from:?} to {to:?}");
                assert_eq!(whole.header().count, 300);
                assert_eq!(whole.max_timestamp(), Timestamp(1299));
            }
        }
    }

    #[test]
    fn a_level_has_its_effect() {
        let batch = batch(Codec::None);
        let checked = Checked::own(&batch).unwrap();
        let size = |to| recompress(&batch, &checked, to, i32::MAX).unwrap().0.size();
        assert!(size(Compression::Zstd { level: 22 }) < size(Compression::Zstd { level: -50 }));
        assert!(size(Compression::Gzip { level: 9 }) < size(Compression::Gzip { level: 1 }));
        assert!(size(Compression::Lz4 { level: 17 }) < size(Compression::Lz4 { level: 9 }));
    }

    #[test]
    fn what_grows_too_large_is_refused() {
        let small = batch(Codec::Zstd);
        let checked = Checked::own(&small).unwrap();
        let max = i32::try_from(small.size()).unwrap();
        for to in [Compression::None, Compression::Lz4 { level: 1 }, Compression::Snappy] {
            let refused = recompress(&small, &checked, to, max);
            assert!(matches!(refused, Err(BatchError::TooLarge { max: told, .. }) if told == max));
        }
        let same = recompress(&small, &checked, Compression::Zstd { level: 3 }, max + 100);
        assert!(same.is_ok());
    }

    #[test]
    fn a_stamp_keeps_the_new_codec() {
        let batch = batch(Codec::Gzip);
        let checked = Checked::new(batch.header(), TimestampType::LogAppendTime, Timestamp(1299));
        let (new, checked) = recompress(&batch, &checked, Compression::Snappy, i32::MAX).unwrap();
        let mut bytes = new.bytes().to_vec();
        stamp(&mut bytes, Offset(7), Epoch(3), &checked, Some(Timestamp(5000)));
        let stored = Batch::parse(bytes.into()).unwrap();
        assert_eq!(stored.codec(), Some(Codec::Snappy));
        assert_eq!(stored.max_timestamp(), Timestamp(5000));
        assert_eq!(stored.header().timestamp_type(), TimestampType::LogAppendTime);
    }
}
