//! The log directory's identity: `meta.properties`, written on the first start, compared on every later one.
//!
//! `create` comes before the directory is locked, `identify` after, so that two processes cannot both format it. The file is complete or
//! not there: it is written beside its name, synced, renamed, and the directory is synced, before anything else is put into it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use storage::checkpoint::{CheckpointError, MetaProperties};
use storage::units::TopicId;
use uuid::Uuid;

const NAME: &str = "meta.properties";
const PART: &str = "meta.properties.part";

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
    #[error("log directory {}: {source}. log.dirs names the directory; it must be writable by this user", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "log directory {} belongs to node {found}, but this is node {expected}: set node.id={found}, or name another directory in log.dirs",
        path.display()
    )]
    OtherNode { path: PathBuf, found: i32, expected: i32 },
    #[error(
        "log directory {} belongs to cluster {found}, but odradek.cluster.id={expected}: leave odradek.cluster.id out, or name another \
         directory in log.dirs",
        path.display()
    )]
    OtherCluster { path: PathBuf, found: String, expected: String },
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
    #[error("{}: {error}. Restore the file from a copy: it says whose data this is", path.join(NAME).display())]
    Unreadable { path: PathBuf, error: CheckpointError },
    #[error(
        "log directory {} is not empty ({entry} is in it), but has no meta.properties: name an empty directory in log.dirs, or restore that \
         file from a copy",
        path.display()
    )]
    NotOurs { path: PathBuf, entry: String },
}

/// Makes the directory if it is not there. Its name is durable when this returns.
pub fn create(path: &Path) -> Result<(), DirectoryError> {
    let io = |source| DirectoryError::Io { path: path.to_owned(), source };
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
pub fn is_formatted(path: &Path) -> bool {
    path.join(NAME).exists()
}

/// Reads whose directory it is, or makes it this node's if it is new. The caller holds the directory's lock.
pub fn identify(
    path: &Path,
    node_id: i32,
    cluster_id: Option<&str>,
) -> Result<Identity, DirectoryError> {
    let io = |source| DirectoryError::Io { path: path.to_owned(), source };
    match fs::read(path.join(NAME)) {
        Ok(text) => {
            let unreadable = |error| DirectoryError::Unreadable { path: path.to_owned(), error };
            let found = MetaProperties::parse(&text).map_err(unreadable)?;
            compare(path, found, node_id, cluster_id)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(entry) = foreign_entry(path).map_err(io)? {
                return Err(DirectoryError::NotOurs { path: path.to_owned(), entry });
            }
            let cluster_id = cluster_id.map_or_else(|| new_id().to_string(), str::to_owned);
            write(path, cluster_id, node_id, new_id(), true).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}

fn compare(
    path: &Path,
    found: MetaProperties,
    node_id: i32,
    cluster_id: Option<&str>,
) -> Result<Identity, DirectoryError> {
    if found.node_id != node_id {
        let path = path.to_owned();
        return Err(DirectoryError::OtherNode { path, found: found.node_id, expected: node_id });
    }
    if let Some(expected) = cluster_id.filter(|expected| **expected != found.cluster_id) {
        let (path, expected) = (path.to_owned(), expected.to_owned());
        return Err(DirectoryError::OtherCluster { path, found: found.cluster_id, expected });
    }
    match found.directory_id {
        Some(TopicId(id)) => {
            Ok(Identity { cluster_id: found.cluster_id, directory_id: id, formatted: false })
        }
        None => {
            let written = write(path, found.cluster_id, node_id, new_id(), false);
            written.map_err(|source| DirectoryError::Io { path: path.to_owned(), source })
        }
    }
}

fn write(
    path: &Path,
    cluster_id: String,
    node_id: i32,
    directory_id: TopicId,
    formatted: bool,
) -> io::Result<Identity> {
    let properties = MetaProperties { cluster_id, node_id, directory_id: Some(directory_id) };
    let mut file = File::create(path.join(PART))?;
    file.write_all(properties.print().as_bytes())?;
    file.sync_all()?;
    fs::rename(path.join(PART), path.join(NAME))?;
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
fn foreign_entry(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "lost+found" | ".lock" | PART) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
