//! What can go wrong, one enum per operation, holding what its caller can act on.

use std::io;
use std::path::{Path, PathBuf};

use crate::units::Offset;

/// The log directory is offline: a write or a sync failed, and nothing can be acknowledged any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log directory is offline: {0}")]
pub struct Offline(pub String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Retriable: the commit log has no room until its oldest file is recycled, or the disk is full.
    #[error("no room in the commit log: {0}")]
    NoRoom(&'static str),
    /// The batch can never fit: larger than a commit log file or a segment can be.
    #[error("a batch of {0} bytes is larger than this log can hold")]
    TooLarge(usize),
    #[error(transparent)]
    Offline(#[from] Offline),
    #[error("the partition was deleted")]
    Deleted,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("offset {offset:?} is outside {log_start:?}..{end:?}")]
    OutOfRange { offset: Offset, log_start: Offset, end: Offset },
    #[error(
        "{file}: damaged at byte {position}; `odradek inspect` tells which offsets are lost, and the log what can be done"
    )]
    Damaged { file: String, position: u64 },
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(transparent)]
    Offline(#[from] Offline),
    #[error("this partition exists already")]
    Exists,
    #[error("no such partition")]
    Unknown,
    #[error("no room in the commit log: {0}")]
    NoRoom(&'static str),
}

/// Why a log was not truncated.
#[derive(Debug, thiserror::Error)]
pub enum TruncateError {
    #[error(transparent)]
    Offline(#[from] Offline),
    #[error("the partition was deleted, or the store ends")]
    Gone,
    /// It is moving to another directory, or is being truncated already.
    #[error("the log is moving to another directory, or is being truncated")]
    Busy,
    /// The producers' state, which the entry says, does not fit into a file of the commit log.
    #[error("an entry of {0} bytes is larger than a file of the commit log")]
    TooLarge(usize),
    /// What is left cannot be read, so that nothing was cut.
    #[error("{}: cannot be truncated: {what}", directory.display())]
    Unreadable { directory: PathBuf, what: String },
}

/// Why a partition does not move to another directory (now).
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Retriable.
    #[error("no room in the commit log: {0}")]
    NoRoom(&'static str),
    #[error("a batch of {0} bytes is larger than the log can hold there")]
    TooLarge(usize),
    /// The source starts behind what was copied: the move must begin anew.
    #[error("the log starts behind what was copied of it")]
    Behind,
    #[error("the partition was deleted, or the store ends")]
    Gone,
    #[error("{}: cannot be copied: {what}", directory.display())]
    Unreadable { directory: PathBuf, what: String },
    #[error("the copy cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl From<StorageError> for MoveError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Offline(offline) => MoveError::Offline(offline),
            StorageError::NoRoom(why) => MoveError::NoRoom(why),
            StorageError::Exists | StorageError::Unknown => MoveError::Gone,
        }
    }
}

impl From<AppendError> for StorageError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::NoRoom(why) => StorageError::NoRoom(why),
            AppendError::TooLarge(_) => StorageError::NoRoom("the entry is larger than a log file"),
            AppendError::Offline(offline) => StorageError::Offline(offline),
            AppendError::Deleted => StorageError::Unknown,
        }
    }
}

/// What [`OpenError::Manifest`] says of one that cannot be read.
pub(crate) const MANIFEST_DAMAGED: &str = "the manifest is damaged; without it nothing says where the log begins. The directory is refused, and nothing in it was changed. \
     Put a copy of the whole directory in its place; or name another directory in log.dirs, and keep \
     this one: kafka-dump-log reads its segments";

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// Bytes that were known to be durable are not there any more. Nothing was cut.
    #[error(
        "{file}: damaged at byte {position}: {what}. These bytes were on stable storage once: the directory is refused, and nothing in it was \
         changed. Put a copy of the whole directory in its place, for one older file among newer ones would be worse; or name another directory in log.dirs, and keep this \
         one: kafka-dump-log reads its segments"
    )]
    Rot { file: String, position: u64, what: String },
    #[error("{path}: {what}")]
    Manifest { path: PathBuf, what: String },
    /// The directory was written with another number of shards and not stopped cleanly.
    #[error("{0}")]
    Shards(String),
    #[error("{0}")]
    Foreign(String),
}

impl OpenError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    }
}
