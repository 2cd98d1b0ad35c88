//! Snappy, in the framing of Java's library or as one raw block.
//!
//! ```text
//! framed  82 "SNAPPY" 00, i32 version (1), i32 oldest version that can read it, then blocks: i32 length, raw block
//! ```
//! Framed streams may be joined. Fewer than 4 bytes at the end are ignored, as Java's library does.

use bytes::{Buf, Bytes};

use super::damaged;
use super::scratch::Scratch;
use crate::batch::Unreadable;

const MAGIC: &[u8] = b"\x82SNAPPY\0";
const HEADER_BYTES: usize = 16;
/// The best that a block's elements can do: 3 bytes copy 64.
const RATIO_MAX: usize = 22;

/// Blocks, one inflated at a time.
pub(super) struct Snappy {
    input: Bytes,
    framed: bool,
    block: Scratch,
    position: usize,
    end: usize,
}

impl Snappy {
    pub(super) fn new(mut input: Bytes) -> Result<Snappy, Unreadable> {
        if input.is_empty() {
            return Err(damaged("no snappy stream"));
        }
        let framed = skip_header(&mut input)?;
        Ok(Snappy { input, framed, block: Scratch::default(), position: 0, end: 0 })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        while self.position == self.end {
            let Some(compressed) = self.next_block()? else {
                return Ok(0);
            };
            self.inflate(&compressed)?;
        }
        let ready = self.block.get(self.position..self.end).unwrap_or_default();
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.position += count;
        Ok(count)
    }

    fn next_block(&mut self) -> Result<Option<Bytes>, Unreadable> {
        if !self.framed {
            let block = std::mem::take(&mut self.input);
            return Ok(Some(block).filter(|block| !block.is_empty()));
        }
        while skip_header(&mut self.input)? {}
        if self.input.len() < 4 {
            return Ok(None);
        }
        let length = usize::try_from(self.input.get_i32())
            .map_err(|_| damaged("a snappy block of negative length"))?;
        if length > self.input.len() {
            return Err(damaged("a snappy block is cut short"));
        }
        Ok(Some(self.input.split_to(length)))
    }

    fn inflate(&mut self, compressed: &[u8]) -> Result<(), Unreadable> {
        let length = snap::raw::decompress_len(compressed).map_err(damaged)?;
        if length > compressed.len().saturating_mul(RATIO_MAX) {
            return Err(damaged("a snappy block announces more than it can hold"));
        }
        if self.block.is_empty() {
            self.block = Scratch::with_length(length);
        }
        self.block.grow(length);
        self.position = 0;
        self.end =
            snap::raw::Decoder::new().decompress(compressed, &mut self.block).map_err(damaged)?;
        Ok(())
    }
}

/// Takes a stream's header from the front, if there is one.
fn skip_header(input: &mut Bytes) -> Result<bool, Unreadable> {
    if !input.starts_with(MAGIC) || input.len() < HEADER_BYTES {
        return Ok(false);
    }
    let version = input.get(8..12).and_then(|v| v.try_into().ok()).map_or(0, i32::from_be_bytes);
    if version < 1 {
        return Err(damaged("a snappy stream of an unknown version"));
    }
    input.advance(HEADER_BYTES);
    Ok(true)
}
