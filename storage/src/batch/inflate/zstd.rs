//! Zstd: frames one after another. The decoder is kept for the thread's next stream: making one costs more than inflating a
//! small batch.

use std::cell::RefCell;

use bytes::{Buf, Bytes};
use zstd::zstd_safe::{self, DCtx, InBuffer, OutBuffer, ResetDirective};

use super::damaged;
use crate::batch::Unreadable;

/// A decoder that has grown beyond this (by a frame with a large window) is not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

thread_local! {
    static KEPT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

pub(super) struct Zstd {
    decoder: Option<DCtx<'static>>,
    input: Bytes,
    /// Whether a frame has begun that has not ended.
    inside: bool,
}

impl Zstd {
    pub(super) fn new(input: Bytes) -> Result<Zstd, Unreadable> {
        let kept = KEPT.with(|kept| kept.try_borrow_mut().ok().and_then(|mut kept| kept.take()));
        let decoder = kept
            .or_else(DCtx::try_create)
            .ok_or_else(|| damaged("no memory for a zstd decoder"))?;
        Ok(Zstd { decoder: Some(decoder), input, inside: false })
    }

    /// 0 at the end of the last frame.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        let mut output = OutBuffer::around(out);
        while output.pos() == 0 {
            if self.input.is_empty() && !self.inside {
                return Ok(0);
            }
            let mut input = InBuffer::around(&self.input);
            let hint = decoder
                .decompress_stream(&mut output, &mut input)
                .map_err(|code| damaged(zstd_safe::get_error_name(code)))?;
            let taken = input.pos();
            self.input.advance(taken);
            self.inside = hint != 0;
            if self.inside && self.input.is_empty() && taken == 0 && output.pos() == 0 {
                return Err(damaged("the zstd frame is cut short"));
            }
        }
        Ok(output.pos())
    }
}

impl Drop for Zstd {
    fn drop(&mut self) {
        let Some(mut decoder) = self.decoder.take() else { return };
        if decoder.sizeof() > KEPT_BYTES_MAX || decoder.reset(ResetDirective::SessionOnly).is_err()
        {
            return;
        }
        let _ = KEPT.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut() {
                *kept = Some(decoder);
            }
        });
    }
}
