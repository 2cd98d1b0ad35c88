//! The turn of the commit log: one group at a time is written, with its extents, and completed.
//!
//! While a group is in flight, the next one grows: so the busier the shard, the larger its groups. A group is submitted only
//! when the one before it and all its extents are complete. An idle shard writes one empty group, which carries the last
//! mark.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures::StreamExt;
use futures::future::{Either, join_all, select};
use futures::stream::FuturesUnordered;

use super::GroupSequence;
use super::commit::{Group, Sealed};
use crate::config::Durability;
use crate::core::{Advance, Core, GroupMemory, count};
use crate::error::Offline;
use crate::planted::{Bug, is};
use crate::runtime::{Dsync, Runtime};
use crate::segment::files::{Kind, sync_file};
use crate::units::Offset;

/// Writes groups until the store is closed or goes offline.
pub(crate) async fn run<R: Runtime>(core: Rc<Core<R>>) {
    while let Some(sealed) = next_group(&core).await {
        // The empty group is there to be durable.
        let is_empty = sealed.group.touched.is_empty();
        let dsync = if core.options.durability == Durability::Sync || is_empty {
            Dsync::Yes
        } else {
            Dsync::No
        };
        if let Err(error) = write(&core, sealed, dsync).await {
            core.go_offline(&format!("a write of the commit log failed: {error}"));
        }
    }
}

/// Waits for something to write, or for the time to record the last mark.
async fn next_group<R: Runtime>(core: &Core<R>) -> Option<Sealed<R>> {
    loop {
        let added = core.events.appended.listen();
        core.check_online().ok()?;
        let sealed = core.commit.borrow_mut().seal_next();
        if sealed.is_some() {
            return sealed;
        }
        if core.record_wanted.get() && open_empty(core) {
            continue;
        }
        if core.stopped.get() {
            return None;
        }
        if !is_mark_unrecorded(core) {
            added.await;
            continue;
        }
        let idle = std::pin::pin!(core.runtime.sleep(core.options.idle_after));
        if let Either::Right(_) = select(added, idle).await {
            core.record_wanted.set(true);
        }
    }
}

/// An empty group is worth it if it carries a mark that no other carries: it takes a block of what may be kept for recycling.
fn open_empty<R: Runtime>(core: &Core<R>) -> bool {
    core.record_wanted.set(false);
    let mut commit = core.commit.borrow_mut();
    let is_worth_it = commit.marks.recorded < commit.marks.durable && !commit.marks.is_carried();
    let opened = is_worth_it && commit.open_empty();
    if opened {
        count(&core.counts.empty_groups, 1);
    }
    opened
}

/// Whether entries are durable that no durable group says are.
fn is_mark_unrecorded<R: Runtime>(core: &Core<R>) -> bool {
    let commit = core.commit.borrow();
    commit.marks.recorded < commit.last_content && commit.marks.durable >= commit.last_content
}

/// Writes a group and its extents, all at once, and completes it when all have returned.
pub(crate) async fn write<R: Runtime>(
    core: &Core<R>,
    mut sealed: Sealed<R>,
    dsync: Dsync,
) -> std::io::Result<()> {
    let extents = std::mem::take(&mut sealed.group.extents);
    let mut files = Vec::with_capacity(extents.len());
    for extent in &extents {
        files.push(core.files.writable(core, &extent.log, extent.segment).await?);
    }
    if is(Bug::AcknowledgedAtAppend) {
        // A fast disk leaves some microseconds between the two; the harness that kills must be able to meet them.
        core.runtime.sleep(std::time::Duration::from_millis(5)).await;
    }
    count(&core.counts.groups, 1);
    count(&core.counts.group_bytes, sealed.bytes.len());
    let bytes = sealed.bytes.len();
    let log = core.runtime.write_at(&sealed.file.file, sealed.bytes, sealed.position, dsync);
    let writes: Vec<_> = extents
        .iter()
        .zip(&files)
        .map(|(extent, file)| {
            core.runtime.write_at(file, extent.bytes.clone(), u64::from(extent.position), dsync)
        })
        .collect();
    if is(Bug::AcknowledgedAtSubmission) {
        sealed.group.outcome.written.set(true);
        sealed.group.outcome.durable.set(true);
        sealed.group.outcome.wake();
    }
    if writes.is_empty() || is(Bug::AcknowledgedWithoutExtents) {
        core.of_log(log.await)?;
    } else {
        let (log, extents) = futures::join!(log, join_all(writes));
        core.of_log(log)?;
        extents.into_iter().collect::<std::io::Result<()>>()?;
    }
    let touched_files =
        extents.iter().zip(files).map(|(extent, file)| (extent.log.clone(), extent.segment, file));
    sealed.group.files.extend(touched_files);
    sealed.group.log_file = Some(Rc::clone(&sealed.file));
    for extent in &extents {
        extent.log.filed(extent.segment, extent.position, crate::tail::length(&extent.bytes));
    }
    complete(core, sealed.group, sealed.mark, dsync == Dsync::Yes, bytes);
    Ok(())
}

/// The group and its extents are written: marks move, and whoever waited for that is told.
fn complete<R: Runtime>(
    core: &Core<R>,
    mut group: Group<R>,
    mark: GroupSequence,
    dsync: bool,
    bytes: usize,
) {
    let durable = {
        let mut commit = core.commit.borrow_mut();
        commit.in_flight = None;
        let durable =
            dsync && (commit.marks.durable.next() == group.sequence || is(Bug::DsyncIsPrefix));
        commit.marks.completed(group.sequence, mark, durable);
        durable
    };
    remember(core, &group, bytes);
    for (log, end) in &group.touched {
        log.advanced(*end, durable);
    }
    group.outcome.written.set(true);
    group.outcome.durable.set(durable);
    tell(core, &group.touched);
    group.outcome.wake();
    if !durable {
        if group.flush {
            core.sync_wanted.set(true);
        }
        core.sync_within.set(core.sync_within.get().min(group.flush_within));
        group.extents.clear();
        core.commit.borrow_mut().unsynced.push_back(group);
        core.events.unsynced.notify();
    }
    core.events.marks.notify();
    if crate::recycle::is_due(core) {
        core.events.recycle.notify();
    }
}

/// The group's memory is held by the tails of those that it touched; large tails are drained now.
fn remember<R: Runtime>(core: &Core<R>, group: &Group<R>, bytes: usize) {
    let logs: Vec<_> = group.touched.iter().map(|(log, _)| log.clone()).collect();
    for log in &logs {
        log.drain_if_large();
    }
    if !logs.is_empty() {
        let bytes = bytes + group.extent_bytes;
        core.counts.kept_bytes.set(core.counts.kept_bytes.get() + bytes);
        core.memory.borrow_mut().push_back(GroupMemory { sequence: group.sequence, bytes, logs });
    }
    crate::memory::give_back(core);
}

fn tell<R: Runtime>(core: &Core<R>, touched: &[(crate::log::Log<R>, Offset)]) {
    if touched.is_empty() {
        return;
    }
    let Some(on_advance) = core.on_advance.borrow().clone() else { return };
    let advances: Vec<Advance> = touched.iter().map(|(log, _)| log.advance()).collect();
    on_advance(&advances);
}

/// Syncs what was written without, about every second or when somebody waits for it: **every** file that was touched
/// since the durable mark, and the mark moves after all have returned.
pub(crate) async fn run_syncs<R: Runtime>(core: Rc<Core<R>>) {
    loop {
        let more = core.events.unsynced.listen();
        if core.check_online().is_err() || core.stopped.get() {
            return;
        }
        if core.commit.borrow().unsynced.is_empty() {
            core.sync_wanted.set(false);
            more.await;
            continue;
        }
        if !core.sync_wanted.get() {
            wait_for_sync(&core).await;
        }
        core.sync_wanted.set(false);
        // It covers every group that has asked for it: those that are not complete yet ask when they are.
        core.sync_within.set(std::time::Duration::MAX);
        if let Err(offline) = sync_all(&core).await {
            core.go_offline(&offline.0);
            return;
        }
    }
}

/// Waits out the interval, or until a sync is wanted at once, or by a topic's `flush.ms`.
async fn wait_for_sync<R: Runtime>(core: &Core<R>) {
    let began = core.runtime.monotonic();
    loop {
        let more = core.events.unsynced.listen();
        let due = began + core.options.sync_every.min(core.sync_within.get());
        let left = due.saturating_sub(core.runtime.monotonic());
        if core.sync_wanted.get()
            || core.check_online().is_err()
            || core.stopped.get()
            || left.is_zero()
        {
            return;
        }
        select(more, std::pin::pin!(core.runtime.sleep(left))).await;
    }
}

/// Makes everything durable that is written now.
async fn sync_all<R: Runtime>(core: &Core<R>) -> Result<(), Offline> {
    let (up_to, syncs) = {
        let commit = core.commit.borrow();
        let mut logs: Vec<&Rc<super::files::LogFile<R>>> = Vec::new();
        let mut segments = BTreeMap::new();
        for group in &commit.unsynced {
            if let Some(file) = &group.log_file
                && !logs.iter().any(|known| Rc::ptr_eq(known, file))
            {
                logs.push(file);
            }
            for (log, segment, file) in group.files.iter().filter(|_| !is(Bug::SyncWithoutSegments))
            {
                segments.insert((log.birth(), *segment), (log.clone(), file.clone()));
            }
        }
        let logs = logs.iter().map(|log| {
            let synced = core.runtime.fdatasync(&log.file);
            Either::Left(async move { (true, synced.await) })
        });
        let segments = segments.into_iter().map(|((_, segment), (log, file))| {
            Either::Right(async move {
                (false, sync_file(core, &log, (segment, Kind::Log), &file).await)
            })
        });
        let syncs: Vec<_> = logs.chain(segments).collect();
        (commit.marks.written, syncs)
    };
    count(&core.counts.syncs, syncs.len());
    if is(Bug::MarkBeforeSync) {
        all_synced(core, up_to);
    }
    let mut syncs: FuturesUnordered<_> = syncs.into_iter().collect();
    while let Some((is_log, result)) = syncs.next().await {
        match if is_log { core.of_log(result) } else { result } {
            // A second one would succeed: the cache takes for clean what it has lost.
            Err(_) if is(Bug::SyncTriedAgain) => {}
            other => other.map_err(|error| Offline(format!("a sync failed: {error}")))?,
        }
        if is(Bug::MarkAfterFirstSync) {
            all_synced(core, up_to);
        }
    }
    all_synced(core, up_to);
    Ok(())
}

/// Every sync up to this group has returned: the durable mark moves, and whoever waited for that is told.
fn all_synced<R: Runtime>(core: &Core<R>, up_to: GroupSequence) {
    let mut synced = Vec::new();
    {
        let mut commit = core.commit.borrow_mut();
        commit.marks.synced(up_to);
        while commit.unsynced.front().is_some_and(|group| group.sequence <= up_to) {
            synced.extend(commit.unsynced.pop_front());
        }
    }
    for group in &synced {
        for (log, end) in &group.touched {
            log.advanced(*end, true);
        }
        group.outcome.durable.set(true);
    }
    for group in &synced {
        tell(core, &group.touched);
        group.outcome.wake();
    }
    core.events.marks.notify();
    core.events.appended.notify();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::config::{Durability, LogConfig, StoreOptions};
    use crate::runtime::Runtime;
    use crate::simulation::hand::{append, disk, id, run};
    use crate::simulation::life::options;
    use crate::store::Store;

    /// Whenever it was appended, a sync of what came before does not take its `flush.ms` away.
    #[test]
    fn flush_ms_holds_for_every_batch() {
        for seed in 0..100 {
            run(seed, &disk(), async move |runtime| {
                let options = StoreOptions {
                    sync_every: Duration::from_secs(1000),
                    ..options(0, Durability::Written)
                };
                let config = Arc::new(LogConfig { flush_ms: 3, ..LogConfig::default() });
                let placed = vec![(id(1), "t".to_owned(), config)];
                let (store, _) = Store::open(runtime.clone(), options, placed).await.unwrap();
                let log = store.log(id(1)).unwrap();
                append(&store, &log, 10).await.ticket.await.unwrap();
                runtime.sleep(Duration::from_micros(2_900 + 2 * seed)).await;
                append(&store, &log, 10).await.ticket.await.unwrap();
                runtime.sleep(Duration::from_secs(1)).await;
                assert_eq!(log.durable(), log.end(), "seed {seed}");
            });
        }
    }
}
