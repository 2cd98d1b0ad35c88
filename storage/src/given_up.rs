//! Files that the log gave up: by retention, deletion, or truncation.
//!
//! The entry that gives them up comes first. They are renamed, as Kafka does, only when a durable group says that this entry is
//! durable (the *recorded* mark): recovery checks extents above that mark, so their files must still be there. They are
//! removed after `file.delete.delay.ms` ([`crate::removal`]). A name is not used again before the rename.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::commit_log::GroupSequence;
use crate::core::Core;
use crate::error::Offline;
use crate::log::Log;
use crate::planted::{Bug, is};
use crate::removal::or_gone;
use crate::runtime::Runtime;

/// What was given up with one entry.
pub(crate) struct GivenUp<R: Runtime> {
    /// The group of that entry.
    pub(crate) since: GroupSequence,
    /// Old name and new name. A directory goes with all that is in it.
    pub(crate) renames: Vec<(PathBuf, PathBuf)>,
    /// The directory whose names change.
    pub(crate) parent: PathBuf,
    pub(crate) unlink_after: Duration,
    /// A partition that goes as a whole: what is being written to it now is waited for.
    pub(crate) log: Option<Log<R>>,
}

/// A name whose rename is under way.
pub(crate) struct Renaming<R: Runtime> {
    /// The group that gave it up.
    since: GroupSequence,
    from: PathBuf,
    /// The partition that goes as a whole with it.
    log: Option<Log<R>>,
}

/// Waits until everything is renamed that was given up up to this group.
pub(crate) async fn renamed_up_to<R: Runtime>(
    core: &Core<R>,
    sequence: GroupSequence,
) -> io::Result<()> {
    loop {
        let settled = core.events.settled.listen();
        let left = core.given_up.borrow().iter().any(|given_up| given_up.since <= sequence)
            || core.renaming.borrow().iter().any(|name| name.since <= sequence);
        if !left {
            return Ok(());
        }
        core.check_online().map_err(|offline| io::Error::other(offline.0))?;
        core.events.given_up.notify();
        settled.await;
    }
}

async fn rename<R: Runtime>(core: &Rc<Core<R>>, given_up: GivenUp<R>) -> io::Result<()> {
    if is(Bug::DestroyedAtWritten) {
        core.written(given_up.since).await.map_err(|offline| io::Error::other(offline.0))?;
    }
    if is(Bug::DestroyedAtDurable) {
        core.durable(given_up.since).await.map_err(|offline| io::Error::other(offline.0))?;
    }
    let wait =
        !is(Bug::DestroyedAtOnce) && !is(Bug::DestroyedAtWritten) && !is(Bug::DestroyedAtDurable);
    let since = given_up.since;
    let names = given_up.renames.iter().map(|(from, _)| Renaming {
        since,
        from: from.clone(),
        log: given_up.log.clone(),
    });
    core.renaming.borrow_mut().extend(names);
    if wait {
        core.recorded(given_up.since).await.map_err(|offline| io::Error::other(offline.0))?;
    }
    if let Some(log) = &given_up.log {
        quiet(core, log).await;
        core.files.forget(log, None);
    }
    for (from, to) in &given_up.renames {
        or_gone(core.runtime.rename(from, to).await)?;
    }
    core.runtime.sync_directory(&given_up.parent).await?;
    core.renaming.borrow_mut().retain(|name| name.since != since);
    let paths: Vec<PathBuf> = given_up.renames.into_iter().map(|(_, to)| to).collect();
    crate::removal::later(core, paths, given_up.unlink_after);
    Ok(())
}

/// Waits until no task writes to the log's files. What is only queued for it is forgotten: those that serve the queue may wait for
/// this name.
async fn quiet<R: Runtime>(core: &Core<R>, log: &Log<R>) {
    loop {
        let settled = core.events.settled.listen();
        if take_out(&core.drains, log) {
            log.state_mut().draining = false;
        }
        if take_out(&core.prepares, log) {
            log.state_mut().preparing = false;
        }
        let busy = log.state().draining || log.state().preparing;
        if !busy || core.check_online().is_err() {
            return;
        }
        settled.await;
    }
}

/// Waits until no file of the log is being prepared for extents; what is only queued is forgotten.
pub(crate) async fn quiet_prepares<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
) -> Result<(), Offline> {
    loop {
        let settled = core.events.settled.listen();
        if take_out(&core.prepares, log) {
            log.state_mut().preparing = false;
        }
        core.check_online()?;
        if !log.state().preparing {
            return Ok(());
        }
        settled.await;
    }
}

/// Takes a log out of a queue; false if it is not there.
fn take_out<R: Runtime>(queue: &RefCell<VecDeque<Log<R>>>, log: &Log<R>) -> bool {
    let mut queue = queue.borrow_mut();
    let before = queue.len();
    queue.retain(|other| other.birth() != log.birth());
    queue.len() < before
}

/// Waits until no directory that was given up before this log was has the name of this log's. Its own deletion waits for whatever is
/// still being written to it, so that it cannot be waited for here, nor what comes after it.
pub(crate) async fn name_is_free<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    if is(Bug::NameUsedAgain) {
        return Ok(());
    }
    let path = log.state().directory.clone();
    loop {
        let settled = core.events.settled.listen();
        if !is_waiting(core, &path, Some(log)) {
            return Ok(());
        }
        core.check_online().map_err(|offline| io::Error::other(offline.0))?;
        core.events.given_up.notify();
        settled.await;
    }
}

/// Whether this was given up, before `own` was, and still has its name.
pub(crate) fn is_waiting<R: Runtime>(core: &Core<R>, path: &Path, own: Option<&Log<R>>) -> bool {
    let is_own = |whole: &Option<Log<R>>, own: &Log<R>| {
        whole.as_ref().is_some_and(|log| log.birth() == own.birth())
    };
    let (renaming, given_up) = (core.renaming.borrow(), core.given_up.borrow());
    let begun = renaming.iter().map(|name| (&name.log, name.from == path));
    let waiting = given_up
        .iter()
        .map(|given_up| (&given_up.log, given_up.renames.iter().any(|(from, _)| from == path)));
    begun
        .chain(waiting)
        .take_while(|(whole, _)| !own.is_some_and(|own| is_own(whole, own)))
        .any(|(_, is_it)| is_it)
}

/// Renames what was given up, as soon as that is recorded.
pub(crate) async fn run<R: Runtime>(core: Rc<Core<R>>) {
    loop {
        let more = core.events.given_up.listen();
        if core.stopped.get() || core.check_online().is_err() {
            return;
        }
        let next = core.given_up.borrow_mut().pop_front();
        let Some(next) = next else {
            more.await;
            continue;
        };
        let renamed = rename(&core, next).await;
        core.events.settled.notify();
        if let Err(error) = renamed {
            core.go_offline(&format!("a deleted file cannot be renamed: {error}"));
        }
    }
}
