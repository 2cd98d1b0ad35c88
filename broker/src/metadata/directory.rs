//! The files beside the metadata log, in `__cluster_metadata-0`: elections and snapshots.
//!
//! A file here is written whole: under another name, synced, renamed, the directory synced. After a function returns, what it
//! wrote is on stable storage; a stop before that leaves what was there. Everything blocks: call it off the shards.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use replication::quorum::Election;

use super::quorum_state;
use super::snapshot::{self, Snapshot, SnapshotId, UnreadableSnapshot};

/// The topic of the metadata log, and its directory in the first of `log.dirs`.
pub const TOPIC: &str = "__cluster_metadata";
const DIRECTORY: &str = "__cluster_metadata-0";
/// What the first start begins with, in every log directory.
const BOOTSTRAP: &str = "bootstrap.checkpoint";
/// Snapshots are never written again.
const SNAPSHOT_MODE: u32 = 0o400;

/// How many snapshots are kept: should the newest be damaged, the one before it and the log after that still say all.
pub const SNAPSHOTS_KEPT: usize = 2;

/// See the module.
#[derive(Debug, Clone)]
pub struct MetadataDirectory {
    log_directory: PathBuf,
    path: PathBuf,
}

/// Why the files beside the log are of no use.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is not the record of an election: {source}")]
    Election { path: PathBuf, source: serde_json::Error },
}

impl MetadataDirectory {
    /// Makes the directory if it is not there.
    pub fn open(log_directory: &Path) -> Result<MetadataDirectory, DirectoryError> {
        let path = log_directory.join(DIRECTORY);
        fs::create_dir_all(&path).map_err(|source| io_error(&path, source))?;
        sync_directory(log_directory)?;
        Ok(MetadataDirectory { log_directory: log_directory.to_owned(), path })
    }

    /// The last election that was recorded; none if there is no record.
    pub fn election(&self) -> Result<Option<Election>, DirectoryError> {
        let path = self.path.join(quorum_state::FILE);
        let content = match fs::read_to_string(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&path, source)),
        };
        let decoded = quorum_state::decode(&content);
        decoded.map(Some).map_err(|source| DirectoryError::Election { path, source })
    }

    pub fn record_election(&self, election: &Election) -> Result<(), DirectoryError> {
        let content = quorum_state::encode(election);
        replace(&self.path, quorum_state::FILE, "tmp", content.as_bytes(), 0o644)
    }

    /// Finished snapshots, the newest first.
    pub fn snapshots(&self) -> Result<Vec<SnapshotId>, DirectoryError> {
        let names = self.names()?;
        let mut ids: Vec<SnapshotId> =
            names.iter().filter_map(|name| SnapshotId::parse(name)).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    pub fn read_snapshot(
        &self,
        id: SnapshotId,
        cluster_id: &str,
    ) -> Result<Result<Snapshot, UnreadableSnapshot>, DirectoryError> {
        let path = self.path.join(id.file_name());
        let content = fs::read(&path).map_err(|source| io_error(&path, source))?;
        Ok(snapshot::decode(Bytes::from(content), id, cluster_id))
    }

    pub fn write_snapshot(&self, id: SnapshotId, content: &[u8]) -> Result<(), DirectoryError> {
        replace(&self.path, &id.file_name(), "part", content, SNAPSHOT_MODE)
    }

    /// Removes all but the newest snapshots, and what an interrupted write left. Returns the oldest that is kept.
    pub fn remove_old_snapshots(&self) -> Result<Option<SnapshotId>, DirectoryError> {
        let ids = self.snapshots()?;
        for id in ids.iter().skip(SNAPSHOTS_KEPT) {
            remove(&self.path.join(id.file_name()))?;
        }
        for name in self.names()?.iter().filter(|name| name.ends_with(".checkpoint.part")) {
            remove(&self.path.join(name))?;
        }
        Ok(ids.get(..SNAPSHOTS_KEPT).unwrap_or(&ids).last().copied())
    }

    /// Writes `bootstrap.checkpoint` if it is not there.
    pub fn write_bootstrap(&self, content: &[u8]) -> Result<(), DirectoryError> {
        if self.log_directory.join(BOOTSTRAP).exists() {
            return Ok(());
        }
        replace(&self.log_directory, BOOTSTRAP, "tmp", content, 0o644)
    }

    fn names(&self) -> Result<Vec<String>, DirectoryError> {
        let entries = fs::read_dir(&self.path).map_err(|source| io_error(&self.path, source))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| io_error(&self.path, source))?;
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
        Ok(names)
    }
}

fn io_error(path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Io { path: path.to_owned(), source }
}

/// Writes a file whole.
fn replace(
    directory: &Path,
    name: &str,
    unfinished: impl AsRef<OsStr>,
    content: &[u8],
    mode: u32,
) -> Result<(), DirectoryError> {
    let path = directory.join(name);
    let mut other = path.clone().into_os_string();
    other.push(".");
    other.push(unfinished);
    let other = PathBuf::from(other);
    write_synced(&other, content, mode).map_err(|source| io_error(&other, source))?;
    fs::rename(&other, &path).map_err(|source| io_error(&path, source))?;
    sync_directory(directory)
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).clone();
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> Result<(), DirectoryError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|source| io_error(path, source))
}

fn remove(path: &Path) -> Result<(), DirectoryError> {
    fs::remove_file(path).map_err(|source| io_error(path, source))
}

#[cfg(test)]
mod tests {
    use storage::units::{Epoch, Offset};

    use super::*;

    fn id(end: i64, epoch: i32) -> SnapshotId {
        SnapshotId { end: Offset(end), epoch: Epoch(epoch) }
    }

    #[test]
    fn elections_are_found_again() {
        let root = tempfile::tempdir().unwrap();
        let directory = MetadataDirectory::open(root.path()).unwrap();
        assert_eq!(directory.election().unwrap(), None);
        for epoch in 1..4 {
            let election = Election { epoch: Epoch(epoch), leader: Some(1), voted: None };
            directory.record_election(&election).unwrap();
            let again = MetadataDirectory::open(root.path()).unwrap();
            assert_eq!(again.election().unwrap(), Some(election));
        }
    }

    #[test]
    fn the_newest_snapshots_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let directory = MetadataDirectory::open(root.path()).unwrap();
        for n in 0..5 {
            directory.write_snapshot(id(n * 10, 1), b"x").unwrap();
        }
        let part =
            root.path().join(DIRECTORY).join("00000000000000000070-0000000001.checkpoint.part");
        fs::write(&part, b"x").unwrap();
        assert_eq!(directory.snapshots().unwrap().len(), 5);
        assert_eq!(directory.remove_old_snapshots().unwrap(), Some(id(30, 1)));
        assert_eq!(directory.snapshots().unwrap(), [id(40, 1), id(30, 1)]);
        assert!(!part.exists());
        let mode = fs::metadata(root.path().join(DIRECTORY).join(id(40, 1).file_name())).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, SNAPSHOT_MODE);
    }
}
