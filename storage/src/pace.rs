//! How fast background work goes: in slices with sleeps, within a number of bytes per second, and not beyond the end of the store.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::select;

use crate::core::Core;
use crate::runtime::{BLOCK, Runtime};

/// Bytes of records that are looked at in one turn of the shard.
const SLICE_BYTES: usize = 64 << 10;
/// A slice is followed by a pause of its own length: such work takes half of a processor at most. But none is longer than this.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// The store ends: whatever is under way is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// See the head of the file.
pub(crate) struct Paced<R: Runtime> {
    core: Rc<Core<R>>,
    bytes_per_second: f64,
    io_bytes: usize,
    spent: Cell<usize>,
    since: Cell<Duration>,
    /// When what was read and written so far is due.
    due: Cell<Duration>,
}

impl<R: Runtime> Paced<R> {
    /// Reads and writes of `io_bytes`, `bytes_per_second` together.
    pub(crate) fn new(core: &Rc<Core<R>>, bytes_per_second: f64, io_bytes: usize) -> Self {
        let now = core.runtime.monotonic();
        Paced {
            core: Rc::clone(core),
            bytes_per_second,
            io_bytes,
            spent: Cell::new(0),
            since: Cell::new(now),
            due: Cell::new(now),
        }
    }

    pub(crate) fn io_bytes(&self) -> usize {
        self.io_bytes.max(BLOCK)
    }

    /// So many bytes are about to be read or written.
    pub(crate) async fn moved(&self, bytes: usize) -> Result<(), Stopped> {
        self.check()?;
        #[expect(clippy::cast_precision_loss, reason = "a time")]
        let takes = Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second.max(1.0))
            .unwrap_or_default();
        let now = self.core.runtime.monotonic();
        let due = self.due.get().max(now);
        self.due.set(due + takes);
        // In pieces: a stop does not wait for a slow rate.
        while self.due.get() > self.core.runtime.monotonic() + Duration::from_millis(1) {
            let left = self.due.get() - self.core.runtime.monotonic();
            self.rest(left.min(Duration::from_millis(100))).await;
            self.check()?;
        }
        self.spent(0).await
    }

    /// So many bytes of records were looked at.
    pub(crate) async fn spent(&self, bytes: usize) -> Result<(), Stopped> {
        self.spent.set(self.spent.get() + bytes);
        if self.spent.get() < SLICE_BYTES {
            return Ok(());
        }
        let took = self.core.runtime.monotonic().saturating_sub(self.since.get());
        self.rest(took.min(PAUSE_MAX)).await;
        self.spent.set(0);
        self.since.set(self.core.runtime.monotonic());
        self.check()
    }

    /// The end of the store ends it: who sleeps keeps the store, and the lock of its directory.
    async fn rest(&self, time: Duration) {
        let closing = self.core.events.closing.listen();
        let sleep = std::pin::pin!(self.core.runtime.sleep(time));
        select(closing, sleep).await;
    }

    fn check(&self) -> Result<(), Stopped> {
        let core = &self.core;
        match core.stopped.get() || core.closing.get() || core.check_online().is_err() {
            true => Err(Stopped),
            false => Ok(()),
        }
    }
}
