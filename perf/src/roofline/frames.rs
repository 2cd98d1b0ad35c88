//! A frame as it came: which request it is. What is counted is read by hand, the rest is left to `net::wire`.

use anyhow::{Context as _, Result, ensure};
use net::wire::{Request as _, fetch::FetchRequest, produce::ProduceRequest};

use super::produce::Produce;
use crate::client::{FETCH, PRODUCE};

/// A request, borrowed from the connection's buffer.
pub(super) enum Asked<'a> {
    Produce(Produce<'a>),
    Fetch {
        correlation: [u8; 4],
        topic: &'a [u8],
    },
    /// The whole frame.
    Other(&'a [u8]),
}

/// Reads a frame without its length prefix.
pub(super) fn parse(frame: &[u8]) -> Result<Asked<'_>> {
    let mut reader = Reader::new(frame);
    let asked = (reader.i16()?, reader.i16()?);
    let correlation = reader.array()?;
    // The client's id.
    reader.string()?;
    if asked == (ProduceRequest::KEY, PRODUCE) {
        Ok(Asked::Produce(Produce::read(correlation, reader)?))
    } else if asked == (FetchRequest::KEY, FETCH) {
        reader.take(4 + 4 + 4 + 4 + 1 + 4 + 4)?;
        ensure!(reader.i32()? == 1, "a Fetch of more than one topic");
        Ok(Asked::Fetch { correlation, topic: reader.string()? })
    } else {
        Ok(Asked::Other(frame))
    }
}

/// Reads what is not flexible, from front to back.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { left: bytes }
    }

    pub(super) fn left(&self) -> &'a [u8] {
        self.left
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, left) =
            self.left.split_at_checked(length).context("a request that ends early")?;
        self.left = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub(super) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A string that may be null, which reads as empty.
    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        let length = self.i16()?.max(0);
        self.take(usize::try_from(length)?)
    }
}
