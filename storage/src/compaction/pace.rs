//! How fast the cleaner goes: in slices with sleeps, within `log.cleaner.io.max.bytes.per.second`, and not beyond the end of the store.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::Trouble;
use super::filter::Pace;
use crate::core::Core;
use crate::runtime::Runtime;

/// Bytes of records that are looked at in one turn of the shard.
const SLICE_BYTES: usize = 64 << 10;
/// A slice is followed by a pause of its own length: the cleaner takes half of a processor at most. But none is longer than this.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// See the head of the file.
pub(super) struct Paced<R: Runtime> {
    core: Rc<Core<R>>,
    spent: Cell<usize>,
    since: Cell<Duration>,
    /// When what was read and written so far is due.
    due: Cell<Duration>,
}

impl<R: Runtime> Paced<R> {
    pub(super) fn new(core: &Rc<Core<R>>) -> Self {
        let now = core.runtime.monotonic();
        Paced {
            core: Rc::clone(core),
            spent: Cell::new(0),
            since: Cell::new(now),
            due: Cell::new(now),
        }
    }

    pub(super) fn io_bytes(&self) -> usize {
        self.core.cleaner.borrow().io_bytes.max(crate::runtime::BLOCK)
    }

    /// So many bytes are about to be read or written.
    pub(super) async fn moved(&self, bytes: usize) -> Result<(), Trouble> {
        self.check()?;
        let rate = self.core.cleaner.borrow().bytes_per_second;
        #[expect(clippy::cast_precision_loss, reason = "a time")]
        let takes = Duration::try_from_secs_f64(bytes as f64 / rate.max(1.0)).unwrap_or_default();
        let now = self.core.runtime.monotonic();
        let due = self.due.get().max(now);
        self.due.set(due + takes);
        // In pieces: a stop does not wait for a slow rate.
        while self.due.get() > self.core.runtime.monotonic() + Duration::from_millis(1) {
            let left = self.due.get() - self.core.runtime.monotonic();
            self.core.runtime.sleep(left.min(Duration::from_millis(100))).await;
            self.check()?;
        }
        self.spent(0).await
    }

    fn check(&self) -> Result<(), Trouble> {
        let core = &self.core;
        match core.stopped.get() || core.closing.get() || core.check_online().is_err() {
            true => Err(Trouble::Stopped),
            false => Ok(()),
        }
    }
}

impl<R: Runtime> Pace for Paced<R> {
    type Stop = Trouble;

    async fn spent(&self, bytes: usize) -> Result<(), Trouble> {
        self.spent.set(self.spent.get() + bytes);
        if self.spent.get() < SLICE_BYTES {
            return Ok(());
        }
        let took = self.core.runtime.monotonic().saturating_sub(self.since.get());
        self.core.runtime.sleep(took.min(PAUSE_MAX)).await;
        self.spent.set(0);
        self.since.set(self.core.runtime.monotonic());
        self.check()
    }
}
