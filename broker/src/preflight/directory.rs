//! A directory's identity, written on the first start, compared on every later one: `meta.properties` of a log directory, a file of the
//! same form of the directory for commit logs.
//!
//! `create` comes before the directory is locked, `identify` after, so that two processes cannot both format it. The file is complete or
//! not there: it is written beside its name, synced, renamed, and the directory is synced, before anything else is put into it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use storage::checkpoint::{CheckpointError, MetaProperties};
use storage::units::TopicId;
use uuid::Uuid;

/// What a directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Log,
    /// `odradek.commit.log.dir`
    CommitLogs,
}

impl Use {
    /// The file that says whose it is.
    fn file(self) -> &'static str {
        match self {
            Use::Log => "meta.properties",
            Use::CommitLogs => storage::COMMIT_ROOT,
        }
    }

    fn part(self) -> String {
        format!("{}.part", self.file())
    }

    fn key(self) -> &'static str {
        match self {
            Use::Log => "log.dirs",
            Use::CommitLogs => "odradek.commit.log.dir",
        }
    }
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Use::Log => "log directory",
            Use::CommitLogs => "commit log directory",
        })
    }
}

/// Whose directory it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 22 characters of base64url.
    pub cluster_id: String,
    pub directory_id: Uuid,
    /// Whether this start made it.
    pub formatted: bool,
}

/// Why a directory cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("{what} {}: {source}. {} names the directory; it must be writable by this user", path.display(), what.key())]
    Io { what: Use, path: PathBuf, source: io::Error },
    #[error(
        "{what} {} belongs to node {found}, but this is node {expected}: set node.id={found}, or name another directory in {}",
        path.display(), what.key()
    )]
    OtherNode { what: Use, path: PathBuf, found: i32, expected: i32 },
    #[error(
        "log directory {} belongs to cluster {found}, but odradek.cluster.id={expected}: leave odradek.cluster.id out, or name another \
         directory in log.dirs",
        path.display()
    )]
    OtherCluster { path: PathBuf, found: String, expected: String },
    #[error(
        "commit log directory {} belongs to cluster {found}, but the log directories to {expected}: name another directory in \
         odradek.commit.log.dir",
        path.display()
    )]
    CommitLogsOfOther { path: PathBuf, found: String, expected: String },
    #[error(
        "{} is nobody's yet, but log directory {} has its commit log there: mount it if its file system is not mounted, or name in \
         odradek.commit.log.dir where it is now",
        root.display(), directory.display()
    )]
    CommitLogsUnmounted { root: PathBuf, directory: PathBuf },
    #[error(
        "log directory {} belongs to cluster {found}, but the metadata's directory {} to {expected}: name the directories of one cluster in \
         log.dirs and metadata.log.dir",
        path.display(), metadata.display()
    )]
    Strange { path: PathBuf, metadata: PathBuf, found: String, expected: String },
    #[error(
        "log directories {} and {} have the same directory.id: one is a copy of the other, or both are the same file system; name one of \
         them in log.dirs",
        first.display(), second.display()
    )]
    Twice { first: PathBuf, second: PathBuf },
    #[error(
        "{} has no metadata, but log directory {} belongs to cluster {found}: the metadata's directory (metadata.log.dir, or the first of \
         log.dirs) is not the one that it was, or its file system is not mounted",
        metadata.display(), other.display()
    )]
    WithoutMetadata { metadata: PathBuf, other: PathBuf, found: String },
    #[error(
        "no meta.properties in log directory {}, and none of log.dirs is the directory {missing} that holds data of this node: mount it if its \
         file system is not mounted, or take the directory out of log.dirs. To go on without that data, write a meta.properties into the new \
         directory with `kafka-storage format --ignore-formatted --cluster-id {cluster_id}`",
        path.display()
    )]
    Unmounted { path: PathBuf, missing: TopicId, cluster_id: String },
    #[error("{}: {error}. Restore the file from a copy: it says whose data this is", path.join(what.file()).display())]
    Unreadable { what: Use, path: PathBuf, error: CheckpointError },
    #[error(
        "{what} {} is not empty ({entry} is in it), but has no {}: name an empty directory in {}, or restore that file from a copy",
        path.display(), what.file(), what.key()
    )]
    NotOurs { what: Use, path: PathBuf, entry: String },
}

/// Makes the directory if it is not there. Its name is durable when this returns.
pub fn create(what: Use, path: &Path) -> Result<(), DirectoryError> {
    let io = |source| DirectoryError::Io { what, path: path.to_owned(), source };
    if path.is_dir() {
        return Ok(());
    }
    let made: Vec<&Path> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    fs::create_dir_all(path).map_err(io)?;
    // Each new name is durable once the directory that holds it is synced.
    let holders = made.iter().filter_map(|directory| directory.parent());
    let named = |holder: &Path| {
        if holder == Path::new("") { PathBuf::from(".") } else { holder.to_owned() }
    };
    holders.map(named).try_for_each(|holder| sync(&holder)).map_err(io)
}

/// Whether the directory is somebody's.
pub fn is_formatted(what: Use, path: &Path) -> bool {
    path.join(what.file()).exists()
}

/// Reads whose directory it is, or makes it this node's if it is new. The caller holds the directory's lock.
pub fn identify(
    what: Use,
    path: &Path,
    node_id: i32,
    cluster_id: Option<&str>,
) -> Result<Identity, DirectoryError> {
    let io = |source| DirectoryError::Io { what, path: path.to_owned(), source };
    match fs::read(path.join(what.file())) {
        Ok(text) => {
            let unreadable =
                |error| DirectoryError::Unreadable { what, path: path.to_owned(), error };
            let found = MetaProperties::parse(&text).map_err(unreadable)?;
            compare(what, path, found, node_id, cluster_id)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(entry) = foreign_entry(what, path).map_err(io)? {
                return Err(DirectoryError::NotOurs { what, path: path.to_owned(), entry });
            }
            let cluster_id = cluster_id.map_or_else(|| new_id().to_string(), str::to_owned);
            write(what, path, cluster_id, node_id, new_id(), true).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}

fn compare(
    what: Use,
    path: &Path,
    found: MetaProperties,
    node_id: i32,
    cluster_id: Option<&str>,
) -> Result<Identity, DirectoryError> {
    if found.node_id != node_id {
        let (path, found) = (path.to_owned(), found.node_id);
        return Err(DirectoryError::OtherNode { what, path, found, expected: node_id });
    }
    if let Some(expected) = cluster_id.filter(|expected| **expected != found.cluster_id) {
        let (path, found, expected) = (path.to_owned(), found.cluster_id, expected.to_owned());
        return Err(match what {
            Use::Log => DirectoryError::OtherCluster { path, found, expected },
            Use::CommitLogs => DirectoryError::CommitLogsOfOther { path, found, expected },
        });
    }
    match found.directory_id {
        Some(TopicId(id)) => {
            Ok(Identity { cluster_id: found.cluster_id, directory_id: id, formatted: false })
        }
        None => {
            let written = write(what, path, found.cluster_id, node_id, new_id(), false);
            written.map_err(|source| DirectoryError::Io { what, path: path.to_owned(), source })
        }
    }
}

fn write(
    what: Use,
    path: &Path,
    cluster_id: String,
    node_id: i32,
    directory_id: TopicId,
    formatted: bool,
) -> io::Result<Identity> {
    let properties = MetaProperties { cluster_id, node_id, directory_id: Some(directory_id) };
    let part = path.join(what.part());
    let mut file = File::create(&part)?;
    file.write_all(properties.print().as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path.join(what.file()))?;
    sync(path)?;
    Ok(Identity { cluster_id: properties.cluster_id, directory_id: directory_id.0, formatted })
}

/// Syncs a directory's names.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Random, and neither one of Kafka's reserved ids nor one that begins like a command line option.
fn new_id() -> TopicId {
    loop {
        let id = TopicId(Uuid::new_v4());
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// Anything that is not what a fresh file system, our lock or an interrupted first start leaves.
fn foreign_entry(what: Use, path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "lost+found" | ".lock") && name != what.part() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
