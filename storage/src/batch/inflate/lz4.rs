//! One lz4 frame, by the rules of Kafka's reader.
//!
//! ```text
//! frame   u32 magic 0x184d2204, flags, block size, [u64 content size], header checksum, blocks, end mark, [u32 content checksum]
//! block   u32 length (top bit: stored as it is), bytes, [u32 checksum];  the end mark is a length of 0
//! ```
//! All little endian. Blocks must be independent. The end mark must be there: a frame that was cut at the edge of a block is
//! damage. What follows it is ignored, as is the content's checksum; the header's and the blocks' are checked.

use bytes::{Buf, Bytes};

use super::damaged;
use super::scratch::Scratch;
use crate::batch::Unreadable;

const MAGIC: u32 = 0x184d_2204;
const STORED: u32 = 1 << 31;
const CUT_SHORT: &str = "the lz4 frame is cut short";

/// Blocks, one inflated at a time.
pub(super) struct Lz4 {
    input: Bytes,
    block_max: usize,
    block_checksums: bool,
    ended: bool,
    block: Scratch,
    position: usize,
    end: usize,
}

impl Lz4 {
    pub(super) fn new(mut input: Bytes) -> Result<Lz4, Unreadable> {
        if input.len() < 7 {
            return Err(damaged(CUT_SHORT));
        }
        if input.get_u32_le() != MAGIC {
            return Err(damaged("no lz4 frame"));
        }
        let (flags, size) = (input[0], input[1]);
        // Version 01, independent blocks; the two lowest bits (one reserved, one for a dictionary) are not allowed.
        if flags & 0b1110_0011 != 0b0110_0000 {
            return Err(damaged("an lz4 frame of another version, or of linked blocks"));
        }
        let block_max = match size {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return Err(damaged("an lz4 frame of an unknown block size")),
        };
        let described = if flags & 0b1000 != 0 { 2 + 8 } else { 2 };
        let checksum = *input.get(described).ok_or_else(|| damaged(CUT_SHORT))?;
        if checksum != xxh32(&input[..described]).to_le_bytes()[1] {
            return Err(damaged("the lz4 frame's header is damaged"));
        }
        input.advance(described + 1);
        let block_checksums = flags & 0b1_0000 != 0;
        let block = Scratch::default();
        Ok(Lz4 { input, block_max, block_checksums, ended: false, block, position: 0, end: 0 })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        while self.position == self.end {
            if self.ended {
                return Ok(0);
            }
            self.next_block()?;
        }
        let ready = self.block.get(self.position..self.end).unwrap_or_default();
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.position += count;
        Ok(count)
    }

    fn next_block(&mut self) -> Result<(), Unreadable> {
        let word = self.input.try_get_u32_le().map_err(|_| damaged(CUT_SHORT))?;
        let length = (word & !STORED) as usize;
        if length == 0 {
            self.ended = true;
            return Ok(());
        }
        if length > self.block_max {
            return Err(damaged("an lz4 block is larger than its frame says"));
        }
        if length > self.input.len() {
            return Err(damaged(CUT_SHORT));
        }
        let compressed = self.input.split_to(length);
        if self.block_checksums {
            let stored = self.input.try_get_u32_le().map_err(|_| damaged(CUT_SHORT))?;
            if stored != xxh32(&compressed) {
                return Err(damaged("an lz4 block is damaged"));
            }
        }
        self.inflate(&compressed, word & STORED != 0)
    }

    fn inflate(&mut self, compressed: &[u8], stored: bool) -> Result<(), Unreadable> {
        // No block inflates to more than 255 times its size, so a small one needs no large buffer.
        let length =
            if stored { compressed.len() } else { self.block_max.min(compressed.len() * 255) };
        if self.block.is_empty() {
            self.block = Scratch::with_length(length);
        }
        self.block.grow(length);
        self.position = 0;
        let room = &mut self.block[..length];
        if stored {
            room.copy_from_slice(compressed);
            self.end = length;
        } else {
            self.end = lz4_flex::block::decompress_into(compressed, room).map_err(damaged)?;
        }
        Ok(())
    }
}

const PRIMES: [u32; 5] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f, 0x1656_67b1];

/// xxHash, 32 bits, seed 0: the checksum of lz4 frames.
fn xxh32(bytes: &[u8]) -> u32 {
    let (stripes, rest) = bytes.as_chunks::<16>();
    let mut hash = if stripes.is_empty() {
        PRIMES[4]
    } else {
        let mut lanes = [PRIMES[0].wrapping_add(PRIMES[1]), PRIMES[1], 0, PRIMES[0].wrapping_neg()];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks::<4>().0) {
                let word = u32::from_le_bytes(*word);
                *lane = lane
                    .wrapping_add(word.wrapping_mul(PRIMES[1]))
                    .rotate_left(13)
                    .wrapping_mul(PRIMES[0]);
            }
        }
        lanes
            .iter()
            .zip([1, 7, 12, 18])
            .fold(0u32, |sum, (lane, by)| sum.wrapping_add(lane.rotate_left(by)))
    };
    // The hash takes the length modulo 2^32; a batch is shorter.
    hash = hash.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let (words, tail) = rest.as_chunks::<4>();
    for word in words {
        hash = hash.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(PRIMES[2]));
        hash = hash.rotate_left(17).wrapping_mul(PRIMES[3]);
    }
    for byte in tail {
        hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(PRIMES[4]));
        hash = hash.rotate_left(11).wrapping_mul(PRIMES[0]);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(PRIMES[1]);
    hash = (hash ^ hash >> 13).wrapping_mul(PRIMES[2]);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_known_texts() {
        assert_eq!(xxh32(b""), 0x02cc_5d05);
        assert_eq!(xxh32(b"a"), 0x550d_7456);
        assert_eq!(xxh32(b"abc"), 0x32d1_53ff);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition"), 0xe229_3b2f);
    }

    #[test]
    fn frames_of_every_kind_are_read() {
        use std::io::Write;
        let text: Vec<u8> = (0..300_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for size in [lz4_flex::frame::BlockSize::Max64KB, lz4_flex::frame::BlockSize::Max4MB] {
            for checksums in [false, true] {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_size(size)
                    .block_checksums(checksums)
                    .content_checksum(checksums)
                    .content_size(checksums.then_some(text.len() as u64));
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(&text).unwrap();
                let frame = encoder.finish().unwrap();
                let mut found: Vec<u8> = Vec::new();
                let mut lz4 = Lz4::new(frame.clone().into()).unwrap();
                let mut buffer = [0; 1000];
                while let Ok(count @ 1..) = lz4.read(&mut buffer) {
                    found.extend(&buffer[..count]);
                }
                assert!(found == text && lz4.ended);
                if checksums {
                    let mut damaged = frame;
                    damaged[100] ^= 1;
                    assert!(Lz4::new(damaged.into()).unwrap().read(&mut buffer).is_err());
                }
            }
        }
    }
}
