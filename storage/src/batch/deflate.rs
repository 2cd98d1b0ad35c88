//! Compression of a batch's records as Kafka's Java code does it, a record at a time: what was compressed already is all that is in
//! memory. Writing to memory does not fail.

use std::io::Write;

use super::Compression;

const MEMORY: &str = "writing to memory does not fail";
/// Java's library compresses so many bytes at a time.
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;
/// Kafka's frames of lz4 have blocks of 64 KiB that do not refer to each other.
const LZ4_BLOCK_BYTES: usize = 64 << 10;
/// The head of such a frame: magic, flags, block size, and the second byte of the XXH32 of the latter two.
const LZ4_HEAD: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// This bit of a block's length says that it is stored as it is.
const LZ4_STORED: u32 = 1 << 31;

/// A stream that takes records and gives their compressed bytes at its end.
pub(crate) enum Deflate {
    Plain(Vec<u8>),
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
    Snappy {
        out: Vec<u8>,
        block: Vec<u8>,
    },
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    /// The slow compressor, which finds more.
    Lz4High {
        out: Vec<u8>,
        block: Vec<u8>,
        level: i32,
    },
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Deflate {
    pub(crate) fn new(compression: Compression) -> Deflate {
        match compression {
            Compression::None => Deflate::Plain(Vec::new()),
            Compression::Gzip { level } => {
                let level = u32::try_from(level)
                    .map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
                Deflate::Gzip(Box::new(flate2::write::GzEncoder::new(Vec::new(), level)))
            }
            Compression::Snappy => Deflate::Snappy {
                out: b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec(),
                block: Vec::new(),
            },
            Compression::Lz4 { level } if level != Compression::LZ4_LEVEL => {
                Deflate::Lz4High { out: LZ4_HEAD.to_vec(), block: Vec::new(), level }
            }
            Compression::Lz4 { .. } => {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_size(lz4_flex::frame::BlockSize::Max64KB)
                    .block_mode(lz4_flex::frame::BlockMode::Independent);
                let encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                Deflate::Lz4(Box::new(encoder))
            }
            Compression::Zstd { level } => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), level).expect(MEMORY);
                Deflate::Zstd(Box::new(encoder))
            }
        }
    }

    /// `bytes` are to come in all: what compresses best then needs no window that is larger.
    pub(crate) fn expect(&mut self, bytes: u64) {
        if let Deflate::Zstd(encoder) = self {
            encoder.set_pledged_src_size(Some(bytes)).expect(MEMORY);
        }
    }

    /// How much it has given so far.
    pub(crate) fn given(&self) -> usize {
        match self {
            Deflate::Plain(out) | Deflate::Snappy { out, .. } | Deflate::Lz4High { out, .. } => {
                out.len()
            }
            Deflate::Gzip(encoder) => encoder.get_ref().len(),
            Deflate::Lz4(encoder) => encoder.get_ref().len(),
            Deflate::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match self {
            Deflate::Plain(out) => out.extend_from_slice(bytes),
            Deflate::Gzip(encoder) => encoder.write_all(bytes).expect(MEMORY),
            Deflate::Snappy { out, block } => {
                in_blocks(bytes, block, SNAPPY_BLOCK_BYTES, |block| put_snappy(out, block));
            }
            Deflate::Lz4High { out, block, level } => {
                in_blocks(bytes, block, LZ4_BLOCK_BYTES, |block| put_lz4(out, block, *level));
            }
            Deflate::Lz4(encoder) => encoder.write_all(bytes).expect(MEMORY),
            Deflate::Zstd(encoder) => encoder.write_all(bytes).expect(MEMORY),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Deflate::Plain(out) => out,
            Deflate::Gzip(encoder) => encoder.finish().expect(MEMORY),
            Deflate::Snappy { mut out, mut block } => {
                if !block.is_empty() {
                    put_snappy(&mut out, &mut block);
                }
                out
            }
            Deflate::Lz4(encoder) => encoder.finish().expect(MEMORY),
            Deflate::Lz4High { mut out, mut block, level } => {
                if !block.is_empty() {
                    put_lz4(&mut out, &mut block, level);
                }
                out.extend([0; 4]);
                out
            }
            Deflate::Zstd(encoder) => encoder.finish().expect(MEMORY),
        }
    }
}

/// Fills blocks of this size, and lets each that is full be put.
fn in_blocks(
    mut bytes: &[u8],
    block: &mut Vec<u8>,
    size: usize,
    mut put: impl FnMut(&mut Vec<u8>),
) {
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(bytes.len().min(size - block.len()));
        block.extend_from_slice(now);
        bytes = later;
        if block.len() == size {
            put(block);
        }
    }
}

fn put_lz4(out: &mut Vec<u8>, block: &mut Vec<u8>, level: i32) {
    let mode = lz4::block::CompressionMode::HIGHCOMPRESSION(level);
    let compressed =
        lz4::block::compress(block, Some(mode), false).expect("a small block can be compressed");
    let (bytes, stored) = match compressed.len() < block.len() {
        true => (&compressed, 0),
        false => (&*block, LZ4_STORED),
    };
    let length = u32::try_from(bytes.len()).expect("no longer than a block") | stored;
    out.extend(length.to_le_bytes());
    out.extend(bytes);
    block.clear();
}

fn put_snappy(out: &mut Vec<u8>, block: &mut Vec<u8>) {
    let compressed =
        snap::raw::Encoder::new().compress_vec(block).expect("a small block can be compressed");
    out.extend(super::builder::count(compressed.len()).to_be_bytes());
    out.extend(compressed);
    block.clear();
}
