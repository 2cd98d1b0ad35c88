//! The log directories of a node: what a start finds of them, and which of them it may make its own.
//!
//! - The metadata's directory decides whose node this is. It must be there, or everything must be new.
//! - A directory of another node or cluster, or a copy of another one, is refused, as Kafka refuses it.
//! - One that cannot be read or written when the node starts goes offline with the partitions in it; the others are served (KIP-112).
//! - One that is missing, or empty, is made this node's only if no directory that holds data of the node is missing: an empty mount
//!   point must not take the place of a disk that is not mounted. Kafka refuses it, too: there, formatting is the operator's.
//!
//! Everything here blocks: it runs before the executors do, or off them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::checkpoint::MetaProperties;
use storage::runtime::ring::LockError;
use storage::units::TopicId;
use storage::{CommitRoot, DirectoryLock, LogDir};
use uuid::Uuid;

use crate::config::Config;
use crate::preflight::Identity;
use crate::preflight::directory::{DirectoryError, Use, create, identify, is_formatted};

/// A directory that is this node's, and locked.
#[derive(Debug, Clone)]
pub struct LogDirectory {
    pub path: PathBuf,
    /// `directory.id` of its `meta.properties` (KIP-858).
    pub id: Uuid,
    pub lock: DirectoryLock,
    /// Where its shards have their commit logs, if not in it.
    pub commit_apart: Option<PathBuf>,
}

impl LogDirectory {
    pub fn whole(&self) -> LogDir<'_> {
        let path = self.path.as_path();
        LogDir { path, commit: self.commit_apart.as_deref().unwrap_or(path) }
    }
}

/// What a start finds of one of `log.dirs`.
#[derive(Debug, Clone)]
pub enum Found {
    Ours(LogDirectory),
    /// It is not there, or empty.
    Blank(PathBuf),
    /// It cannot be used now.
    Failed {
        path: PathBuf,
        why: String,
    },
}

/// What a start finds.
#[derive(Debug, Clone)]
pub struct Directories {
    pub identity: Identity,
    pub metadata: LogDirectory,
    /// In the order of `log.dirs`.
    pub log: Vec<Found>,
    pub commit: Option<Commit>,
}

/// `odradek.commit.log.dir`, this node's, and locked. What an earlier process still writes there is kept away by the locks of the log
/// directories: the same rings hold them.
#[derive(Debug, Clone)]
pub struct Commit {
    pub root: CommitRoot,
    _lock: DirectoryLock,
}

/// The directories as they are used, in the order of `log.dirs`. `Err` says why one is offline.
pub type InUse = Arc<[Result<LogDirectory, (PathBuf, String)>]>;

/// Why a node cannot start on its directories.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl Directories {
    /// Looks at all directories and takes their locks. A node without any data begins in all of them.
    pub fn find(config: &Config) -> Result<Directories, StartError> {
        let path = config.metadata_directory();
        create(Use::Log, path)?;
        let lock = DirectoryLock::acquire(path)?;
        if !is_formatted(Use::Log, path) {
            refuse_others_data(config)?;
        }
        let identity = identify(Use::Log, path, config.node_id(), config.cluster_id.as_deref())?;
        let id = identity.directory_id;
        let commit = config.commit_log_dir().map(|path| begin_commit(path, config, &identity));
        let commit = commit.transpose()?;
        // Where only the metadata is, no shard has anything.
        let is_of_shards = config.log_dirs().iter().any(|log| log == path);
        let apart = commit.as_ref().filter(|_| is_of_shards);
        let commit_apart = apart.map(|commit| commit.root.place(TopicId(id)));
        let metadata = LogDirectory { path: path.to_owned(), id, lock, commit_apart };
        let begun =
            Begun { node_id: config.node_id(), identity: &identity, commit: commit.as_ref() };
        let found = config.log_dirs().iter().map(|path| look(path, &begun, &metadata));
        let log = found.collect::<Result<Vec<_>, StartError>>()?;
        let mut seen = BTreeMap::from([(metadata.id, &metadata.path)]);
        for found in &log {
            let Found::Ours(found) = found else { continue };
            match seen.insert(found.id, &found.path) {
                Some(first) if *first != found.path => {
                    let (first, second) = (first.clone(), found.path.clone());
                    return Err(DirectoryError::Twice { first, second }.into());
                }
                _ => {}
            }
        }
        Ok(Directories { identity, metadata, log, commit })
    }

    /// Decides about the blank ones: `holding` are the directories that hold data of this node, as its metadata says.
    pub fn complete(
        self,
        node_id: i32,
        holding: impl IntoIterator<Item = Uuid>,
    ) -> Result<InUse, StartError> {
        let Directories { identity, metadata, log, commit } = self;
        let begun = Begun { node_id, identity: &identity, commit: commit.as_ref() };
        let ours: Vec<Uuid> = log
            .iter()
            .filter_map(|found| match found {
                Found::Ours(found) => Some(found.id),
                Found::Blank(_) | Found::Failed { .. } => None,
            })
            .chain([metadata.id])
            .collect();
        // One that failed cannot be asked for its id: it may be any that is missing.
        let failed = log.iter().filter(|found| matches!(found, Found::Failed { .. })).count();
        let mut missing: Vec<Uuid> =
            holding.into_iter().filter(|id| !ours.contains(id) && id.as_u128() >= 100).collect();
        missing.sort_unstable();
        missing.dedup();
        let unaccounted = (missing.len() > failed).then(|| missing[0]);
        let used = log.into_iter().map(|found| match found {
            Found::Ours(found) => Ok(Ok(found)),
            Found::Failed { path, why } => Ok(Err((path, why))),
            Found::Blank(path) => match unaccounted {
                Some(missing) => {
                    let (missing, cluster_id) = (TopicId(missing), identity.cluster_id.clone());
                    Err(DirectoryError::Unmounted { path, missing, cluster_id }.into())
                }
                None => begin(&path, &begun).map(Ok),
            },
        });
        used.collect::<Result<Vec<_>, StartError>>().map(Arc::from)
    }
}

/// A directory as Kafka names it in its answers.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Whose the directories are.
struct Begun<'a> {
    node_id: i32,
    identity: &'a Identity,
    commit: Option<&'a Commit>,
}

/// One of `log.dirs`.
fn look(path: &Path, begun: &Begun<'_>, metadata: &LogDirectory) -> Result<Found, StartError> {
    if path == metadata.path {
        return Ok(Found::Ours(metadata.clone()));
    }
    let failed = |error: &dyn std::fmt::Display| Found::Failed {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let is_blank = match fs::metadata(path) {
        Ok(found) if found.is_dir() => !is_formatted(Use::Log, path),
        Ok(_) => return Ok(failed(&"it is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Ok(failed(&error)),
    };
    if is_blank && !begun.identity.formatted {
        return Ok(Found::Blank(path.to_owned()));
    }
    match begin(path, begun) {
        Ok(found) => Ok(Found::Ours(found)),
        Err(StartError::Directory(error @ DirectoryError::Io { .. })) => Ok(failed(&error)),
        Err(StartError::Lock(error @ LockError::Io(..))) => Ok(failed(&error)),
        Err(StartError::Directory(DirectoryError::OtherCluster { path, found, expected })) => {
            let metadata = metadata.path.clone();
            Err(DirectoryError::Strange { path, metadata, found, expected }.into())
        }
        Err(error) => Err(error),
    }
}

/// Takes the directory, which is made this node's if it is new.
fn begin(path: &Path, begun: &Begun<'_>) -> Result<LogDirectory, StartError> {
    create(Use::Log, path)?;
    let lock = DirectoryLock::acquire(path)?;
    let own = identify(Use::Log, path, begun.node_id, Some(&begun.identity.cluster_id))?;
    let id = own.directory_id;
    let commit_apart = begun.commit.map(|commit| commit.root.place(TopicId(id)));
    Ok(LogDirectory { path: path.to_owned(), id, lock, commit_apart })
}

/// Takes the directory for commit logs, which is made this node's if it is new: not where an empty mount point is in its place.
fn begin_commit(path: &Path, config: &Config, identity: &Identity) -> Result<Commit, StartError> {
    if !is_formatted(Use::CommitLogs, path) {
        let is_there = |directory: &&PathBuf| {
            let noted = storage::noted(directory).ok().flatten();
            noted.is_some_and(|noted| noted.path == path)
        };
        if let Some(directory) = config.log_dirs().iter().find(is_there) {
            let (root, directory) = (path.to_owned(), directory.clone());
            return Err(DirectoryError::CommitLogsUnmounted { root, directory }.into());
        }
    }
    create(Use::CommitLogs, path)?;
    let lock = DirectoryLock::acquire(path)?;
    let own = identify(Use::CommitLogs, path, config.node_id(), Some(&identity.cluster_id))?;
    let root = CommitRoot { path: path.to_owned(), id: TopicId(own.directory_id) };
    Ok(Commit { root, _lock: lock })
}

/// The metadata's directory is new: no other may have data.
fn refuse_others_data(config: &Config) -> Result<(), StartError> {
    for other in config.log_dirs().iter().filter(|path| *path != config.metadata_directory()) {
        let Ok(text) = fs::read(other.join("meta.properties")) else { continue };
        let found = MetaProperties::parse(&text).map(|found| found.cluster_id).unwrap_or_default();
        let (metadata, other) = (config.metadata_directory().to_owned(), other.clone());
        return Err(DirectoryError::WithoutMetadata { metadata, other, found }.into());
    }
    Ok(())
}
