//! A walk through a segment, fed with its bytes in order, in pieces of any size: each batch is checked, its header by [`Chain`] and its
//! bytes by its CRC. No more than a header is kept, however large a batch is.

use super::chain::Chain;
use crate::batch::header::at;
use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::epochs::LeaderEpochs;
use crate::planted::{Bug, is};
use crate::units::Offset;

/// See the head of the file.
#[derive(Debug)]
pub(crate) struct Walk {
    chain: Chain,
    /// Where the batch begins that is next, or under way.
    position: u64,
    /// Where the segment ends.
    length: u64,
    head: Vec<u8>,
    body: Option<Body>,
    /// Where offsets were missing although none should: (position, the offset that was expected).
    gap: Option<(u64, Offset)>,
}

/// A batch whose header is good.
#[derive(Debug)]
struct Body {
    header: BatchHeader,
    crc: u32,
    left: usize,
}

/// What the bytes held.
#[derive(Debug)]
pub(crate) enum Met {
    /// A good batch, and where it begins.
    Batch(u64, BatchHeader),
    Bad(Bad),
}

/// What is wrong, and where it begins.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) position: u64,
    /// The offset that was expected there.
    pub(crate) next: Offset,
    /// The batch's header, if only its bytes are bad: so its size can be believed, perhaps.
    pub(crate) header: Option<BatchHeader>,
    /// Where it ends, if that is known.
    pub(crate) end: Option<u64>,
    pub(crate) what: String,
}

impl Walk {
    pub(crate) fn new(chain: Chain, position: u64, length: u64) -> Walk {
        Walk { chain, position, length, head: Vec::new(), body: None, gap: None }
    }

    /// The next byte that it wants.
    pub(crate) fn wants(&self) -> u64 {
        let taken = match &self.body {
            Some(body) => body.header.size() - body.left,
            None => self.head.len(),
        };
        self.position + taken as u64
    }

    /// Where the batch begins that is next, or under way.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The offset that is expected next.
    pub(crate) fn next(&self) -> Offset {
        self.chain.next
    }

    /// Whether it is between two batches.
    pub(crate) fn is_between(&self) -> bool {
        self.body.is_none() && self.head.is_empty()
    }

    /// Offsets were missing, and nothing that followed said that they should not.
    pub(crate) fn has_gap(&self) -> bool {
        self.gap.is_some()
    }

    /// Goes on behind what is bad.
    pub(crate) fn jump(&mut self, position: u64, next: Offset) {
        self.position = position;
        self.head.clear();
        self.body = None;
        self.gap = None;
        self.chain = Chain { next, last: None, ..self.chain };
    }

    /// Takes bytes off the front until there is something to tell. None when all are taken.
    pub(crate) fn feed(&mut self, bytes: &mut &[u8], epochs: &LeaderEpochs) -> Option<Met> {
        if self.body.is_none() {
            let missing = HEADER_BYTES - self.head.len();
            let (front, rest) = bytes.split_at(missing.min(bytes.len()));
            self.head.extend_from_slice(front);
            *bytes = rest;
            if self.head.len() < HEADER_BYTES {
                return None;
            }
            match self.header(epochs) {
                Ok(body) => self.body = Some(body),
                Err(bad) => return Some(Met::Bad(*bad)),
            }
        }
        let body = self.body.as_mut()?;
        let (front, rest) = bytes.split_at(body.left.min(bytes.len()));
        body.crc = crc32c::crc32c_append(body.crc, front);
        body.left -= front.len();
        *bytes = rest;
        (body.left == 0).then(|| self.end_of_batch())
    }

    fn header(&mut self, epochs: &LeaderEpochs) -> Result<Body, Box<Bad>> {
        let (position, next) = (self.position, self.chain.next);
        let bad = |what| Box::new(Bad { position, next, header: None, end: None, what });
        let header = BatchHeader::read(&self.head).ok_or_else(|| bad("no header".to_owned()))?;
        if let Some((position, next)) = self.gap
            && header.check().is_ok()
            && (next..self.chain.next).contains(&header.base_offset)
        {
            let what = "batches of later offsets are in this place".to_owned();
            let end = Some(self.position);
            return Err(Box::new(Bad { position, next, header: None, end, what }));
        }
        let lenient = Chain { gaps: true, ..self.chain };
        lenient.check(&header, epochs).map_err(bad)?;
        if self.position + header.size() as u64 > self.length {
            let what = format!("a batch of {} bytes that ends behind the segment", header.size());
            return Err(bad(what));
        }
        let crc = crc32c::crc32c(&self.head[at::ATTRIBUTES..]);
        Ok(Body { header, crc, left: header.size() - HEADER_BYTES })
    }

    fn end_of_batch(&mut self) -> Met {
        self.head.clear();
        let position = self.position;
        let Some(Body { header, crc, .. }) = self.body.take() else {
            unreachable!("a batch was under way")
        };
        if crc != header.crc && !is(Bug::CrcNotChecked) {
            let what = format!("CRC-32C is {crc:08x}, the batch says {:08x}", header.crc);
            let (next, header, end) = (self.chain.next, Some(header), None);
            return Met::Bad(Bad { position, next, header, end, what });
        }
        if header.base_offset > self.chain.next && !self.chain.gaps && self.gap.is_none() {
            self.gap = Some((position, self.chain.next));
        }
        self.chain.step(&header, self.chain.gaps);
        self.position += header.size() as u64;
        Met::Batch(position, header)
    }
}
