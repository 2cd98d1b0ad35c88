//! The drive: an image that is stable, and the writes since the last flush, which are not.
//!
//! - `write`: complete when it returns, and volatile. Reads see it.
//! - `flush`: when it returns, everything written before is in the image.
//! - `cut`: what was written since the last flush is lost, torn at sectors or kept, each write by itself, as the seed chooses. From
//!   then on everything fails with [`Off`], the flush that the cut fell on as well.
//!
//! Surviving writes are applied in the order in which they came: a sector that was written twice may hold the first content, the second
//! or neither, but never the first because the second was overtaken. A drive that has only one cache line for a sector does no other.
//! Because any subset survives, later writes survive without earlier ones: that is what a missing flush looks like.

use std::{collections::HashMap, fs::File, io, os::unix::fs::FileExt as _, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;

/// What a drive writes whole, and what a torn write is torn at.
pub const SECTOR: usize = 512;
/// The first block is kept or lost as a whole: ext4's superblock has its checksum in the second of its sectors and is updated in
/// place, so a tear there needs a file system check. That is ext4's risk, not the broker's.
const WHOLE_BYTES: u64 = 4096;
/// A drive's cache is not larger. When it is full the oldest half goes to the image, as a drive would do whenever it likes.
pub const CACHE_BYTES: usize = 256 << 20;

/// The power is off, or the request is one that is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Off;

/// What is asked of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Read,
    Write,
    Flush,
}

/// What befalls the next requests of a kind: they fail, or take longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub request: Request,
    pub times: u64,
    /// How long they take; without it they fail.
    pub stall: Option<Duration>,
}

pub struct Drive {
    image: File,
    bytes: u64,
    cache_bytes: usize,
    /// Writes since the last flush, oldest first.
    volatile: Vec<Write>,
    volatile_bytes: usize,
    /// For each sector in `volatile`, the newest write of it.
    newest: HashMap<u64, usize>,
    armed: Option<Armed>,
    outcome: Option<Outcome>,
    trouble: Option<Trouble>,
    counts: Counts,
}

struct Write {
    offset: u64,
    data: Vec<u8>,
}

/// A cut that falls on a later write or flush.
#[derive(Clone, Copy)]
struct Armed {
    seed: u64,
    requests: u64,
}

/// What reached the drive since it was switched on.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    pub reads: u64,
    pub writes: u64,
    pub written_bytes: u64,
    pub flushes: u64,
    /// Flushes that found something to make stable.
    pub useful_flushes: u64,
    /// Writes that went to the image because the cache was full.
    pub evicted: u64,
    /// Requests that were made to fail, or to take long.
    pub troubled: u64,
}

/// What a cut did to the writes since the last flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub kept: u64,
    pub torn: u64,
    pub lost: u64,
    pub on_flush: bool,
}

/// How a cut chooses: some drives keep nothing, some almost all.
enum Manner {
    /// Nothing survives.
    Nothing,
    /// Each write by itself, with this probability, torn with that.
    Each { kept: f64, torn: f64 },
    /// Only what came last: order upside down.
    Newest { share: f64 },
}

impl Drive {
    pub fn new(image: File, cache_bytes: usize) -> io::Result<Drive> {
        let bytes = image.metadata()?.len();
        Ok(Drive {
            image,
            bytes,
            cache_bytes,
            volatile: Vec::new(),
            volatile_bytes: 0,
            newest: HashMap::new(),
            armed: None,
            outcome: None,
            trouble: None,
            counts: Counts::default(),
        })
    }

    pub fn len(&self) -> u64 {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the cut did, if there was one.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Reads whole sectors, as many as there are.
    pub fn read(&mut self, offset: u64, length: usize) -> io::Result<Result<Vec<u8>, Off>> {
        if self.outcome.is_some() {
            return Ok(Err(Off));
        }
        if self.fails(Request::Read) {
            return Ok(Err(Off));
        }
        self.counts.reads += 1;
        let length = length.min(usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(0));
        let mut data = vec![0; length];
        self.image.read_exact_at(&mut data, offset)?;
        for (sector, piece) in (offset / SECTOR as u64..).zip(data.chunks_mut(SECTOR)) {
            if let Some(&at) = self.newest.get(&sector) {
                let from = &self.volatile[at];
                let skip = within(sector, from.offset);
                piece.copy_from_slice(&from.data[skip..skip + piece.len()]);
            }
        }
        Ok(Ok(data))
    }

    /// Writes whole sectors.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<Result<(), Off>> {
        if self.interrupted(false)? || self.fails(Request::Write) {
            return Ok(Err(Off));
        }
        self.counts.writes += 1;
        self.counts.written_bytes += data.len() as u64;
        let (first, sectors) = (offset / SECTOR as u64, data.len() / SECTOR);
        self.newest.extend((first..).take(sectors).map(|sector| (sector, self.volatile.len())));
        self.volatile.push(Write { offset, data: data.to_vec() });
        self.volatile_bytes += data.len();
        if self.volatile_bytes > self.cache_bytes {
            self.evict()?;
        }
        Ok(Ok(()))
    }

    /// Everything written before is stable when this returns.
    pub fn flush(&mut self) -> io::Result<Result<(), Off>> {
        if self.interrupted(true)? {
            return Ok(Err(Off));
        }
        if self.fails(Request::Flush) {
            // What it held is gone, and the next flush succeeds.
            self.volatile.clear();
            self.newest.clear();
            self.volatile_bytes = 0;
            return Ok(Err(Off));
        }
        self.counts.flushes += 1;
        self.counts.useful_flushes += u64::from(!self.volatile.is_empty());
        for write in self.volatile.drain(..) {
            self.image.write_all_at(&write.data, write.offset)?;
        }
        self.newest.clear();
        self.volatile_bytes = 0;
        Ok(Ok(()))
    }

    /// What befalls the next requests of a kind; nothing any more, without.
    pub fn trouble(&mut self, trouble: Option<Trouble>) {
        self.trouble = trouble;
    }

    /// How long the next request of this kind is to take, if it is to take long.
    pub fn stall(&mut self, request: Request) -> Option<Duration> {
        let stall = self.trouble.and_then(|trouble| trouble.stall)?;
        self.befalls(request).then_some(stall)
    }

    fn fails(&mut self, request: Request) -> bool {
        self.trouble.is_some_and(|trouble| trouble.stall.is_none()) && self.befalls(request)
    }

    fn befalls(&mut self, request: Request) -> bool {
        let is_one = |trouble: &&mut Trouble| trouble.request == request && trouble.times > 0;
        let Some(trouble) = self.trouble.as_mut().filter(is_one) else { return false };
        trouble.times -= 1;
        self.counts.troubled += 1;
        true
    }

    /// Cuts the power when this many more writes and flushes are done, 0: now. Once is enough; a later call changes nothing.
    pub fn cut(&mut self, seed: u64, after: u64) -> io::Result<()> {
        if self.outcome.is_some() {
            return Ok(());
        }
        match after {
            0 => self.cut_now(seed, false),
            requests => {
                self.armed = Some(Armed { seed, requests });
                Ok(())
            }
        }
    }

    /// Whether the power is off, or goes off with this write or flush.
    fn interrupted(&mut self, on_flush: bool) -> io::Result<bool> {
        if self.outcome.is_some() {
            return Ok(true);
        }
        let Some(Armed { seed, requests }) = self.armed else { return Ok(false) };
        if requests > 0 {
            self.armed = Some(Armed { seed, requests: requests - 1 });
            return Ok(false);
        }
        self.cut_now(seed, on_flush)?;
        Ok(true)
    }

    fn cut_now(&mut self, seed: u64, on_flush: bool) -> io::Result<()> {
        let mut random = SmallRng::seed_from_u64(seed);
        let manner = match random.random_range(0..4) {
            0 => Manner::Nothing,
            1 => Manner::Newest { share: random.random() },
            _ => Manner::Each { kept: random.random(), torn: random.random::<f64>() / 2.0 },
        };
        let mut outcome = Outcome { on_flush, ..Outcome::default() };
        let count = self.volatile.len();
        for (at, write) in self.volatile.drain(..).enumerate() {
            let kept = survives(&mut random, &manner, at, count, &write);
            for range in &kept {
                let piece = &write.data[range.clone()];
                self.image.write_all_at(piece, write.offset + range.start as u64)?;
            }
            match kept.iter().map(ExactSizeIterator::len).sum::<usize>() {
                0 => outcome.lost += 1,
                all if all == write.data.len() => outcome.kept += 1,
                _ => outcome.torn += 1,
            }
        }
        self.newest.clear();
        self.outcome = Some(outcome);
        Ok(())
    }

    fn evict(&mut self) -> io::Result<()> {
        let half = self.volatile.len() / 2;
        for write in self.volatile.drain(..half) {
            self.image.write_all_at(&write.data, write.offset)?;
            self.volatile_bytes -= write.data.len();
            self.counts.evicted += 1;
        }
        self.newest.retain(|_, at| *at >= half);
        self.newest.values_mut().for_each(|at| *at -= half);
        Ok(())
    }
}

/// Where a sector lies within a write that begins at `offset`.
fn within(sector: u64, offset: u64) -> usize {
    usize::try_from(sector * SECTOR as u64 - offset).unwrap_or(usize::MAX)
}

/// The ranges of a write that reach the image.
fn survives(
    random: &mut SmallRng,
    manner: &Manner,
    at: usize,
    count: usize,
    write: &Write,
) -> Vec<std::ops::Range<usize>> {
    let all = 0..write.data.len();
    let sectors = write.data.len() / SECTOR;
    let torn = match *manner {
        Manner::Nothing => return Vec::new(),
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        Manner::Newest { share } => {
            return if at as f64 >= count as f64 * share { vec![all] } else { Vec::new() };
        }
        Manner::Each { kept, torn } => {
            if !random.random_bool(kept) {
                return Vec::new();
            }
            random.random_bool(torn) && sectors > 1 && write.offset >= WHOLE_BYTES
        }
    };
    if !torn {
        return vec![all];
    }
    // Half of the torn ones end early, or begin late; of the others any sectors survive.
    let (kind, middle) = (random.random_range(0..4), random.random_range(1..sectors));
    (0..sectors)
        .filter(|&sector| match kind {
            0 => sector < middle,
            1 => sector >= middle,
            _ => random.random(),
        })
        .map(|sector| sector * SECTOR..(sector + 1) * SECTOR)
        .collect()
}

#[cfg(test)]
mod tests;
