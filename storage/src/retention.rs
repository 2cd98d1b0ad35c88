//! Retention, deletion, and the log start: what the log gives up, by Kafka's rules.
//!
//! The decision is a function of the partition's state and the time. Carrying it out: the log start entry first, then the
//! segments leave the list, then their files are renamed ([`crate::given_up`]). Only finished segments are given up; an
//! active one that is too old is rolled, finished by a drain, and given up at the next look.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::commit_log::EntryId;
use crate::commit_log::commit::Reserve;
use crate::commit_log::entry::{Entry, Kind};
use crate::core::{Core, KEPT_TO_MAKE_ROOM};
use crate::error::StorageError;
use crate::given_up::GivenUp;
use crate::log::Log;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::runtime::Runtime;
use crate::segment::files;
use crate::units::{Offset, Timestamp};

/// Looks at all logs from time to time.
pub(crate) async fn run<R: Runtime>(core: Rc<Core<R>>) {
    loop {
        let closing = core.events.closing.listen();
        let sleep = std::pin::pin!(core.runtime.sleep(core.options.retention_every));
        futures::future::select(closing, sleep).await;
        if core.stopped.get() || core.closing.get() || core.check_online().is_err() {
            return;
        }
        enforce(&core);
    }
}

/// One look at all logs.
pub(crate) fn enforce<R: Runtime>(core: &Rc<Core<R>>) {
    let now = core.runtime.now();
    let logs: Vec<Log<R>> = core.logs.borrow().values().cloned().collect();
    for log in logs {
        log.expire_producers(Timestamp(now));
        let expired = log.state().expired(now);
        if expired.roll {
            log.state_mut().roll(now);
            log.request_drain();
        }
        if let Some(start) = expired.start {
            // Without room in the log, it is for the next look.
            if let Err(error) = log.advance_log_start(start) {
                tracing::debug!(%error, "retention waits");
            }
        }
    }
}

/// What retention asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expired {
    /// The log is to start here.
    start: Option<Offset>,
    /// The active segment is too old itself.
    roll: bool,
}

impl Partition {
    /// Kafka's rules: by time, a segment whose newest record is older than `retention.ms`; by size, the oldest ones while what
    /// is left without them is at least `retention.bytes`; below the log start, whatever ends there.
    fn expired(&self, now: i64) -> Expired {
        let mut expired = Expired { start: None, roll: false };
        if self.held || self.truncating {
            return expired;
        }
        let active = self.active().base;
        let mut size = self.size_bytes();
        let acknowledged = self.durable.min(self.written);
        for segment in &self.segments {
            let newest =
                if segment.max_timestamp.0 >= 0 { segment.max_timestamp.0 } else { segment.opened };
            let too_old = self.config.cleanup_delete
                && self.config.retention_ms >= 0
                && now.saturating_sub(newest) > self.config.retention_ms;
            let left = size - u64::from(segment.length);
            let too_much = self.config.cleanup_delete
                && u64::try_from(self.config.retention_bytes).is_ok_and(|limit| left >= limit);
            let below = segment.next <= self.log_start && segment.base != active;
            if !(too_old || too_much || below) || segment.next > acknowledged || segment.length == 0
            {
                break;
            }
            if segment.base == active {
                expired.roll = too_old || too_much;
                break;
            }
            if !segment.finished || segment.swapping {
                break;
            }
            expired.start = Some(segment.next.max(self.log_start));
            size = left;
        }
        expired
    }
}

impl<R: Runtime> Log<R> {
    /// Moves the log start; on stable storage when this returns.
    pub async fn delete_records(&self, start: Offset) -> Result<(), StorageError> {
        self.advance_log_start(start)?;
        let core = self.core();
        let last = core.commit.borrow().last_content;
        core.durable(last).await?;
        Ok(())
    }

    /// Moves the log start, and gives up the finished segments below it. The entry that says so is in the log when this
    /// returns, like an append.
    pub fn advance_log_start(&self, start: Offset) -> Result<(), StorageError> {
        let core = self.core();
        core.check_online()?;
        let mut commit = core.commit.borrow_mut();
        commit.reserve(0, 0, to_make_room(core)).map_err(StorageError::NoRoom)?;
        let mut state = self.state_mut();
        if state.deleted {
            return Err(StorageError::Unknown);
        }
        let start = start.min(state.end).max(state.log_start);
        let entry = Entry { base: start, next: start, ..Entry::new(Kind::LogStart, self.id()) };
        let entry = match is(Bug::RetentionNotLogged) {
            true => EntryId { group: commit.next, ordinal: 0 },
            false => commit.add(&entry, &[], 0),
        };
        crate::log::touch(self, &mut state, commit.group());
        let gone = state.start_at(start);
        let renames: Vec<(PathBuf, PathBuf)> =
            gone.iter().flat_map(|base| state.renames(*base)).collect();
        let delay =
            Duration::from_millis(u64::try_from(state.config.file_delete_delay_ms).unwrap_or(0));
        let parent = state.directory.clone();
        drop((state, commit));
        for base in gone {
            core.files.forget(self, Some(base));
        }
        if !renames.is_empty() {
            let given_up =
                GivenUp { since: entry.group, renames, parent, unlink_after: delay, log: None };
            core.given_up.borrow_mut().push_back(given_up);
            core.events.given_up.notify();
        }
        core.events.appended.notify();
        Ok(())
    }
}

impl Partition {
    /// The log starts here now: forgets what lies wholly below, and returns the segments that are gone.
    pub(crate) fn start_at(&mut self, start: Offset) -> Vec<Offset> {
        self.log_start = start;
        self.epochs.truncate_start(start);
        self.producers.advance_log_start(start);
        let mut gone = Vec::new();
        // While its files change their names, or are copied, a segment stays: the next look takes it.
        while self.segments.len() > 1
            && (!self.held || is(Bug::HeldNotKept))
            && !self.truncating
            && self.segments[0].next <= start
            && self.segments[0].finished
            && !self.segments[0].swapping
        {
            gone.extend(self.segments.pop_front().map(|segment| segment.base));
        }
        if let Some(first) = self.segments.front().map(|segment| segment.base) {
            self.tail.drop_below(first, 0);
        }
        gone
    }

    /// Kafka's names for the files of a segment that is deleted.
    pub(crate) fn renames(&self, base: Offset) -> Vec<(PathBuf, PathBuf)> {
        let name = |kind| self.directory.join(files::file_name(base, kind));
        let deleted = |path: &PathBuf| {
            let mut path = path.as_os_str().to_owned();
            path.push(".deleted");
            PathBuf::from(path)
        };
        files::Kind::ALL.into_iter().map(name).map(|path| (path.clone(), deleted(&path))).collect()
    }
}

/// On a full disk appends use the log up to what is kept for recycling, which waits for room on the disk itself. What gives up files has some
/// blocks more: one look of retention at all logs, or the deletion of a topic, takes a group.
pub(crate) fn to_make_room<R: Runtime>(core: &Core<R>) -> Reserve {
    Reserve::Keep(core.kept_for_recycling() - KEPT_TO_MAKE_ROOM)
}

/// Takes a partition out of the log. Its directory is renamed once that is recorded, and removed later.
pub(crate) fn delete<R: Runtime>(core: &Core<R>, log: &Log<R>) -> Result<(), StorageError> {
    core.check_online()?;
    let mut commit = core.commit.borrow_mut();
    commit.reserve(0, 0, to_make_room(core)).map_err(StorageError::NoRoom)?;
    let mut state = log.state_mut();
    let end = state.end;
    let entry = Entry { base: end, next: end, ..Entry::new(Kind::Delete, log.id()) };
    let entry = commit.add(&entry, &[], 0);
    crate::log::touch(log, &mut state, commit.group());
    state.deleted = true;
    let dirty = state.dirty_bytes();
    state.tail.clear();
    let given_up = GivenUp {
        since: entry.group,
        renames: vec![(state.directory.clone(), deleted_directory(core, &state))],
        parent: core.options.directory.clone(),
        unlink_after: Duration::from_millis(
            u64::try_from(state.config.file_delete_delay_ms).unwrap_or(0),
        ),
        log: Some(log.clone()),
    };
    drop((state, commit));
    core.dirty_fell(dirty, 0);
    core.files.forget(log, None);
    core.logs.borrow_mut().remove(&log.id());
    core.given_up.borrow_mut().push_back(given_up);
    core.events.given_up.notify();
    core.events.appended.notify();
    Ok(())
}

/// `<topic>-<partition>.<32 hex>-delete`, as Kafka names it.
fn deleted_directory<R: Runtime>(core: &Core<R>, partition: &Partition) -> PathBuf {
    let name = files::directory_name(&partition.topic, partition.id.partition);
    core.options.directory.join(given_up_name(&core.runtime, &name, DELETED))
}

/// What Kafka appends to the name of a directory that is to be removed.
pub(crate) const DELETED: &str = "delete";

/// The name of a directory that is given up: `<name>.<32 hex>-<suffix>`.
pub(crate) fn given_up_name<R: Runtime>(runtime: &R, name: &str, suffix: &str) -> String {
    let random = u128::from(runtime.random()) << 64 | u128::from(runtime.random());
    // Kafka shortens the name so that it stays a file name.
    let name: String = name.chars().take(255 - 40).collect();
    format!("{name}.{random:032x}-{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, Checked};
    use crate::error::AppendError;
    use crate::log::Stamp;
    use crate::runtime::simulated::Faults;
    use crate::simulation::hand::{append, disk, id, open, run};
    use crate::units::Epoch;

    /// Appends have used up all the room that they may: what makes room must still find some.
    #[test]
    fn a_full_disk_refuses_appends_but_not_what_makes_room() {
        let disk = disk();
        let files = disk.clone();
        run(1, &disk, async move |runtime| {
            let (store, log) = open(&runtime).await;
            append(&store, &log, 10).await.ticket.await.unwrap();
            files.set_faults(Faults { full: true, ..Faults::default() });
            let batch = BatchBuilder::new().record(Timestamp(1), None, Some(&[7; 10])).build();
            let checked = Checked::own(&batch).unwrap();
            loop {
                let stamp = Stamp { leader_epoch: Epoch(0), append_time: None };
                match log.append(&batch, &checked, stamp) {
                    Ok(appended) => appended.ticket.await.unwrap(),
                    Err(AppendError::NoRoom(_)) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            log.advance_log_start(Offset(1)).unwrap();
            store.delete(id(1)).await.unwrap();
        });
    }
}
