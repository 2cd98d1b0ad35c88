//! The commit log's files: which are in use, in which order, and where the next group goes.
//!
//! Groups go behind each other into the active file, and into a free one when they do not fit. A file becomes free again
//! when recycling has seen to it that nothing in it is needed ([`crate::recycle`]).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{GroupSequence, LogId};
use crate::config::StoreName;
use crate::runtime::Runtime;

/// One file of the log.
pub(crate) struct LogFile<R: Runtime> {
    pub(crate) number: u32,
    pub(crate) file: R::File,
    /// The size of log files when it was made. One of another size than now is not used again.
    pub(crate) length: u64,
}

/// A file with groups in it.
pub(crate) struct Used<R: Runtime> {
    pub(crate) file: Rc<LogFile<R>>,
    /// The first group that was placed in it, the log that this group belongs to, and the checksum that it names. A start gives the
    /// log another id, and the files from before it keep theirs.
    pub(crate) first: GroupSequence,
    pub(crate) id: LogId,
    pub(crate) previous: u32,
    /// The last group that was placed in it.
    pub(crate) last: GroupSequence,
}

/// See the head of the file.
pub(crate) struct Files<R: Runtime> {
    pub(crate) file_bytes: u64,
    /// Oldest first; the last one is active.
    pub(crate) used: VecDeque<Used<R>>,
    /// Where the next group goes in the active file.
    pub(crate) cursor: u64,
    pub(crate) free: VecDeque<Rc<LogFile<R>>>,
    /// The number of the next file that is made.
    pub(crate) next_number: u32,
}

/// `odradek-<store>-<n>.commit`
pub(crate) fn file_name(store: StoreName, number: u32) -> String {
    format!("odradek-{store}-{number}.commit")
}

pub(crate) fn number_of(store: StoreName, name: &str) -> Option<u32> {
    name.strip_prefix(&format!("odradek-{store}-"))?.strip_suffix(".commit")?.parse().ok()
}

impl<R: Runtime> Files<R> {
    pub(crate) fn new(file_bytes: u64) -> Self {
        Files {
            file_bytes,
            used: VecDeque::new(),
            cursor: file_bytes,
            free: VecDeque::new(),
            next_number: 0,
        }
    }

    /// What can still be written, were it not for the ends of files that a group does not fit into.
    pub(crate) fn room(&self) -> u64 {
        self.free.len() as u64 * self.file_bytes + (self.file_bytes - self.cursor)
    }

    /// Whether a group of `length` bytes (whole blocks) has a place, and how much room is left then.
    pub(crate) fn room_after(&self, length: u64) -> Option<u64> {
        if length <= self.file_bytes - self.cursor {
            Some(self.room() - length)
        } else if length <= self.file_bytes && !self.free.is_empty() {
            Some(self.free.len() as u64 * self.file_bytes - length)
        } else {
            None
        }
    }

    /// Gives the group its place. None if there is none: the caller has checked.
    pub(crate) fn place(
        &mut self,
        sequence: GroupSequence,
        length: u64,
    ) -> Option<(Rc<LogFile<R>>, u64)> {
        if length > self.file_bytes - self.cursor {
            let file = self.free.pop_front()?;
            // `sealed_first` says of which log, and after which group.
            let id = LogId(0);
            self.used.push_back(Used { file, first: sequence, id, previous: 0, last: sequence });
            self.cursor = 0;
        }
        let position = self.cursor;
        self.cursor += length;
        let active = self.used.back_mut()?;
        active.last = sequence;
        Some((Rc::clone(&active.file), position))
    }

    /// The next group goes to the start of a file, if one is free.
    pub(crate) fn skip_to_free_file(&mut self) {
        if !self.free.is_empty() {
            self.cursor = self.file_bytes;
        }
    }

    /// The first group of a file is sealed: this is its log, and the checksum that it names.
    pub(crate) fn sealed_first(&mut self, sequence: GroupSequence, id: LogId, previous: u32) {
        if let Some(used) = self.used.iter_mut().find(|used| used.first == sequence) {
            (used.id, used.previous) = (id, previous);
        }
    }

    /// Takes a file in which nothing is needed any more: it is free, or returned to be unlinked where it is of another size.
    pub(crate) fn release(&mut self, file: Rc<LogFile<R>>) -> Option<u32> {
        if file.length == self.file_bytes {
            self.free.push_back(file);
            return None;
        }
        Some(file.number)
    }

    /// The oldest file, if it is not the active one.
    pub(crate) fn oldest(&self) -> Option<&Used<R>> {
        if self.used.len() > 1 { self.used.front() } else { None }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<LogFile<R>>> {
        self.used.iter().map(|used| &used.file).chain(&self.free)
    }

    pub(crate) fn count(&self) -> usize {
        self.used.len() + self.free.len()
    }
}

/// A log directory, and the one in which its shards have their commit logs and manifests: the same, or one apart
/// ([`crate::apart`]). The controller's are always in the log directory itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDir<'a> {
    pub path: &'a Path,
    pub commit: &'a Path,
}

impl<'a> LogDir<'a> {
    /// With the commit logs in it.
    #[must_use]
    pub fn whole(path: &'a Path) -> Self {
        LogDir { path, commit: path }
    }

    pub(crate) fn of(self, store: StoreName) -> &'a Path {
        match store {
            StoreName::Shard(_) => self.commit,
            StoreName::Controller => self.path,
        }
    }

    /// Where the store keeps its manifest.
    pub(crate) fn manifest(self, store: StoreName) -> PathBuf {
        manifest_path(self.of(store), store)
    }
}

/// Where the store keeps its manifest: in the directory of its commit log.
pub(crate) fn manifest_path(directory: &Path, store: StoreName) -> PathBuf {
    directory.join(format!("odradek-{store}.manifest"))
}
