//! The scrubber: goes through every segment of a store from time to time, as slowly as it is told to, and finds what has become of bytes
//! that nobody reads.
//!
//! It keeps nothing between two starts. So each first pass begins with a random partition, and a broker that is started often looks at
//! all of them in the end. A segment that more is appended to is looked at as far as its file goes.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};

use super::examine::{Trouble, examine};
use crate::core::{Core, count};
use crate::log::Log;
use crate::pace::{Paced, Stopped};
use crate::runtime::Runtime;
use crate::segment::files::{Kind, file_name};
use crate::units::{Offset, PartitionId};

/// Partitions without anything to read that are passed in one turn of the shard.
const TURN: usize = 32;
/// What looking for a segment and its indexes counts as.
const SEGMENT_BYTES: usize = 64 << 10;

/// Scrubs until the store closes.
pub(crate) async fn run<R: Runtime>(core: Rc<Core<R>>) {
    let mut from = core.runtime.random();
    loop {
        let began = core.runtime.monotonic();
        if pass(&core, from).await.is_err() {
            return;
        }
        from = 0;
        count(&core.counts.scrubs, 1);
        let closing = core.events.closing.listen();
        let took = core.runtime.monotonic().saturating_sub(began);
        // Never without a pause, even if there was nothing to do.
        let pause = core.options.scrub.every.saturating_sub(took).max(Duration::from_millis(10));
        let pause = std::pin::pin!(core.runtime.sleep(pause));
        if let Either::Left(_) = select(closing, pause).await {
            return;
        }
        if core.stopped.get() || core.closing.get() || core.check_online().is_err() {
            return;
        }
    }
}

/// One look at everything that there is now, from one of the partitions on.
async fn pass<R: Runtime>(core: &Rc<Core<R>>, from: u64) -> Result<(), Stopped> {
    let mut ids: Vec<PartitionId> = core.logs.borrow().keys().copied().collect();
    let first = usize::try_from(from % (ids.len().max(1) as u64)).unwrap_or(0);
    ids.rotate_left(first);
    let scrub = &core.options.scrub;
    let pace = Paced::new(core, scrub.bytes_per_second, scrub.io_bytes);
    for (passed, id) in ids.into_iter().enumerate() {
        if passed % TURN == TURN - 1 {
            core.runtime.sleep(Duration::ZERO).await;
        }
        let Some(log) = core.log(id) else { continue };
        if !log.state().segments.iter().any(|segment| segment.filed > 0) {
            continue;
        }
        log.learn_damage().await;
        let bases: Vec<Offset> = log.state().segments.iter().map(|segment| segment.base).collect();
        for base in bases {
            // Ten thousand small ones are no less work than their files.
            pace.moved(SEGMENT_BYTES).await?;
            match examine(core, &log, base, &pace).await {
                Ok(_) | Err(Trouble::Moved) => {}
                Err(Trouble::Stopped) => return Err(Stopped),
                Err(Trouble::Unreadable(position, error)) => {
                    unreadable(core, &log, base, position, &error);
                }
            }
        }
        if core.stopped.get() || core.closing.get() || core.check_online().is_err() {
            return Err(Stopped);
        }
    }
    Ok(())
}

/// It may be readable the next time, so that it is not marked.
fn unreadable<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    base: Offset,
    position: u64,
    error: &std::io::Error,
) {
    count(&core.counts.scrub_errors, 1);
    let path = log.state().directory.join(file_name(base, Kind::Log));
    tracing::error!(file = %path.display(), position, %error, "the disk cannot read this: check the drive, and move the partition to another");
}
