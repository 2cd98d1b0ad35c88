//! Compression of a batch's records as Kafka's Java client does it, a record at a time: what was compressed already is all that is in
//! memory. Writing to memory does not fail.

use std::io::Write;

use super::Codec;

const MEMORY: &str = "writing to memory does not fail";
/// Java's library compresses so many bytes at a time.
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;

/// A stream that takes records and gives their compressed bytes at its end.
pub(crate) enum Deflate {
    Plain(Vec<u8>),
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
    Snappy { out: Vec<u8>, block: Vec<u8> },
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Deflate {
    pub(crate) fn new(codec: Codec) -> Deflate {
        match codec {
            Codec::None => Deflate::Plain(Vec::new()),
            Codec::Gzip => {
                let level = flate2::Compression::default();
                Deflate::Gzip(Box::new(flate2::write::GzEncoder::new(Vec::new(), level)))
            }
            Codec::Snappy => Deflate::Snappy {
                out: b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec(),
                block: Vec::new(),
            },
            Codec::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_size(lz4_flex::frame::BlockSize::Max64KB)
                    .block_mode(lz4_flex::frame::BlockMode::Independent);
                let encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                Deflate::Lz4(Box::new(encoder))
            }
            Codec::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect(MEMORY);
                Deflate::Zstd(Box::new(encoder))
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match self {
            Deflate::Plain(out) => out.extend_from_slice(bytes),
            Deflate::Gzip(encoder) => encoder.write_all(bytes).expect(MEMORY),
            Deflate::Snappy { out, block } => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (now, later) =
                        rest.split_at(rest.len().min(SNAPPY_BLOCK_BYTES - block.len()));
                    block.extend_from_slice(now);
                    rest = later;
                    if block.len() == SNAPPY_BLOCK_BYTES {
                        put_snappy(out, block);
                    }
                }
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
            Deflate::Zstd(encoder) => encoder.finish().expect(MEMORY),
        }
    }
}

fn put_snappy(out: &mut Vec<u8>, block: &mut Vec<u8>) {
    let compressed =
        snap::raw::Encoder::new().compress_vec(block).expect("a small block can be compressed");
    out.extend(super::builder::count(compressed.len()).to_be_bytes());
    out.extend(compressed);
    block.clear();
}
