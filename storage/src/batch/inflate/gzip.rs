//! Gzip: members one after another. What follows the last one and is no member is ignored, as Java's reader does.

use std::io::Read;

use bytes::buf::Reader;
use bytes::{Buf, Bytes};

use super::damaged;
use crate::batch::Unreadable;

type Member = flate2::bufread::GzDecoder<Reader<Bytes>>;

pub(super) struct Gzip {
    member: Option<Box<Member>>,
}

impl Gzip {
    pub(super) fn new(input: Bytes) -> Gzip {
        Gzip { member: Some(Box::new(Member::new(input.reader()))) }
    }

    /// 0 at the end of the last member, whose checksum has been compared then.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Unreadable> {
        while let Some(member) = &mut self.member {
            let count = member.read(out).map_err(damaged)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            let rest = self
                .member
                .take()
                .map(|member| member.into_inner().into_inner())
                .unwrap_or_default();
            if rest.starts_with(&[0x1f, 0x8b]) {
                self.member = Some(Box::new(Member::new(rest.reader())));
            }
        }
        Ok(0)
    }
}
