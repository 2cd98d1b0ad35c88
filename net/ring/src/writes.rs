//! Whether anybody writes to a device through a ring of this process, and may wait for it.
//!
//! What is read meanwhile is to be read in pieces, for a device works off what it is given more or less in order. Shards share the device,
//! so this is one cell for all; it is written to once in [`GRAIN_MS`] at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// After so long without a write nobody waits.
const LATELY_MS: u64 = 1000;
const GRAIN_MS: u64 = 50;

/// When the last one began, in milliseconds of the coarse clock. 0: there was none.
static LAST: AtomicU64 = AtomicU64::new(0);

pub(crate) fn begun() {
    let now = now();
    if now.saturating_sub(LAST.load(Ordering::Relaxed)) >= GRAIN_MS {
        LAST.store(now, Ordering::Relaxed);
    }
}

/// Whether there was one in the last second.
pub fn lately() -> bool {
    let last = LAST.load(Ordering::Relaxed);
    last > 0 && now().saturating_sub(last) < LATELY_MS
}

fn now() -> u64 {
    let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map(Duration::from);
    since_boot.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
