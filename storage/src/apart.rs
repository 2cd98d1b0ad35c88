//! The commit logs of a log directory on a device of their own (`odradek.commit.log.dir`): where they are, and how they get there.
//!
//! ```text
//! <commit.log.dir>/odradek.commit.logs      whose it is: as meta.properties, with an id of its own. The broker writes it
//! <commit.log.dir>/<directory.id>/          the commit logs and manifests of one log directory's shards
//! <log directory>/odradek.commit.log.dir    path= and id= of the commit.log.dir where they are, if they are not in the log directory itself
//! ```
//! The last file, the *note*, decides: the manifests of the place that it names count, or, where there is none, those in the log directory.
//! It names the id, for a file system may be mounted elsewhere tomorrow, and the path, to be found when the key has changed.
//!
//! Another place is taken after a clean stop only, when the logs say nothing that is not in the segments. In this order, each step durable:
//! the log files are removed, the manifests are written at the new place, the note changes, the old manifests are removed. A crash leaves
//! manifests at both places at worst, and those that do not count have no log files beside them: what has some is never removed.

use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::{MetaProperties, parse_properties, print_property};
use crate::commit_log::files::{LogDir, number_of};
use crate::config::StoreName;
use crate::error::OpenError;
use crate::plan;
use crate::reshard::{all_clean, manifests, shard_of_manifest};
use crate::runtime::looking::Looking;
use crate::runtime::{Runtime, read_file, replace_file};
use crate::units::TopicId;

/// Says whose a directory for commit logs is.
pub const COMMIT_ROOT: &str = "odradek.commit.logs";
/// The note.
pub const COMMIT_NOTE: &str = "odradek.commit.log.dir";

/// A directory for the commit logs of several log directories: `odradek.commit.log.dir`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRoot {
    pub path: PathBuf,
    /// Of its [`COMMIT_ROOT`].
    pub id: TopicId,
}

impl CommitRoot {
    /// Where the commit logs of the log directory with this `directory.id` are.
    #[must_use]
    pub fn place(&self, directory: TopicId) -> PathBuf {
        self.path.join(directory.to_string())
    }
}

/// Sees to it that the commit logs of the log directory are where they are `wanted`: in it, or in its place there. Returns that place.
/// To be called under the directory's lock, before anything else looks at it ([`crate::adopt`], [`crate::reshard`], a store).
pub async fn settle<R: Runtime>(
    runtime: &R,
    directory: &Path,
    id: TopicId,
    wanted: Option<&CommitRoot>,
) -> Result<PathBuf, OpenError> {
    let noted = read_note(runtime, directory).await?;
    let next = wanted.map_or_else(|| directory.to_owned(), |root| root.place(id));
    if noted.as_ref().map(|root| root.id) == wanted.map(|root| root.id) {
        if let Some(root) = wanted {
            is_there(runtime, directory, &next, root).await?;
            remove_left(runtime, directory, &next).await?;
            if noted.as_ref() != Some(root) {
                write_note(runtime, directory, wanted).await?;
            }
        }
        return Ok(next);
    }
    let now = match &noted {
        Some(root) => find(runtime, directory, id, root).await?,
        None => directory.to_owned(),
    };
    go_over(runtime, directory, (&now, &next), wanted).await?;
    Ok(next)
}

/// Where the commit logs are, as far as the log directory itself can tell.
pub(crate) async fn look<R: Runtime>(
    runtime: &R,
    directory: &Path,
    id: TopicId,
) -> Result<PathBuf, OpenError> {
    match read_note(runtime, directory).await? {
        Some(root) => find(runtime, directory, id, &root).await,
        None => Ok(directory.to_owned()),
    }
}

/// From one place to the other. See the head of the file.
async fn go_over<R: Runtime>(
    runtime: &R,
    directory: &Path,
    (now, next): (&Path, &Path),
    wanted: Option<&CommitRoot>,
) -> Result<(), OpenError> {
    let from = LogDir { path: directory, commit: now };
    plan::carry_out(runtime, from).await?;
    let all = manifests(runtime, from).await?;
    let log_files = log_files(runtime, now).await?;
    let is_new = all.is_empty() && log_files.is_empty();
    if !is_new && all_clean(runtime, from, &all).await?.is_none() {
        return Err(OpenError::Foreign(unclean(directory, now)));
    }
    if let Some(root) = wanted {
        runtime.mkdir(next).await.map_err(OpenError::io(next))?;
        runtime.sync_directory(&root.path).await.map_err(OpenError::io(&root.path))?;
    }
    remove_left(runtime, next, now).await?;
    remove(runtime, now, &log_files).await?;
    let to = LogDir { path: directory, commit: next };
    for (shard, manifest) in &all {
        let path = to.manifest(StoreName::Shard(*shard));
        manifest.write(runtime, &path).await.map_err(OpenError::io(&path))?;
    }
    write_note(runtime, directory, wanted).await?;
    remove_left(runtime, now, next).await?;
    if now != directory {
        if wanted.is_some() {
            remove_left(runtime, directory, next).await?;
        }
        // What else is in it is not ours.
        let _ = runtime.remove_directory(now).await;
    }
    Ok(())
}

fn unclean(directory: &Path, now: &Path) -> String {
    let key = match now.parent().filter(|_| now != directory) {
        Some(root) => format!("with odradek.commit.log.dir={}", root.display()),
        None => "without odradek.commit.log.dir".to_owned(),
    };
    format!(
        "the commit log of {} is in {} and holds what is in no segment yet, or Kafka has run on the directory since: start once {key}, stop \
         cleanly, and then change the key",
        directory.display(),
        now.display()
    )
}

/// Manifests of a place that does not count any more, as a crash has left them. With log files beside them they are more than that.
async fn remove_left<R: Runtime>(runtime: &R, at: &Path, counts: &Path) -> Result<(), OpenError> {
    if let Some(file) = log_files(runtime, at).await?.first() {
        return Err(OpenError::Foreign(format!(
            "{} is a commit log of the same log directory as those in {}, and may hold what they do not: one of them is of a copy, or was put \
             back from one. Move the odradek-*.commit and odradek-*.manifest of the shards away that are not to be believed",
            at.join(file).display(),
            counts.display()
        )));
    }
    let names = runtime.list(at).await.map_err(OpenError::io(at))?;
    let left: Vec<String> =
        names.into_iter().filter(|name| shard_of_manifest(name).is_some()).collect();
    remove(runtime, at, &left).await
}

async fn remove<R: Runtime>(runtime: &R, at: &Path, names: &[String]) -> Result<(), OpenError> {
    if names.is_empty() {
        return Ok(());
    }
    for name in names {
        let path = at.join(name);
        runtime.unlink(&path).await.map_err(OpenError::io(&path))?;
    }
    runtime.sync_directory(at).await.map_err(OpenError::io(at))
}

/// The shards' log files.
async fn log_files<R: Runtime>(runtime: &R, at: &Path) -> Result<Vec<String>, OpenError> {
    let mut names = runtime.list(at).await.map_err(OpenError::io(at))?;
    names.retain(|name| {
        let shard = name.strip_prefix("odradek-").and_then(|rest| rest.split_once('-'));
        let shard = shard.and_then(|(shard, _)| shard.parse().ok());
        shard.is_some_and(|shard| number_of(StoreName::Shard(shard), name).is_some())
    });
    Ok(names)
}

async fn is_there<R: Runtime>(
    runtime: &R,
    directory: &Path,
    place: &Path,
    root: &CommitRoot,
) -> Result<(), OpenError> {
    match runtime.stat(place).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::Foreign(format!(
            "{} is missing, where {} has its commit log. Put it back, from a copy of {}; if it is lost for good, and the log directory was stopped \
             cleanly, remove the files odradek* from the log directory: it is then taken over as one of Kafka's",
            place.display(),
            directory.display(),
            root.path.display()
        ))),
        other => other.map(drop).map_err(OpenError::io(place)),
    }
}

/// The place that the note names, if it is the one that it was.
async fn find<R: Runtime>(
    runtime: &R,
    directory: &Path,
    id: TopicId,
    root: &CommitRoot,
) -> Result<PathBuf, OpenError> {
    let path = root.path.join(COMMIT_ROOT);
    let found = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => MetaProperties::parse(&other.map_err(OpenError::io(&path))?).ok(),
    };
    if found.and_then(|found| found.directory_id) != Some(root.id) {
        return Err(OpenError::Foreign(format!(
            "the commit log of {} is in {} (id {}), and that is not there: mount it if its file system is not mounted, or name in \
             odradek.commit.log.dir where it is now",
            directory.display(),
            root.path.display(),
            root.id
        )));
    }
    let place = root.place(id);
    is_there(runtime, directory, &place, root).await?;
    Ok(place)
}

/// Where the commit logs of the log directory are, if not in it. Blocks.
pub fn noted(directory: &Path) -> Result<Option<CommitRoot>, OpenError> {
    futures::executor::block_on(read_note(&Looking, directory))
}

async fn read_note<R: Runtime>(
    runtime: &R,
    directory: &Path,
) -> Result<Option<CommitRoot>, OpenError> {
    let path = directory.join(COMMIT_NOTE);
    let text = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(OpenError::io(&path))?,
    };
    let text = str::from_utf8(&text).unwrap_or_default();
    let properties = parse_properties(text);
    let value = |key| properties.iter().rev().find(|found| found.key == key).map(|p| &p.value);
    let root = value("path").zip(value("id").and_then(|id| TopicId::parse(id)));
    let root = root.map(|(path, id)| CommitRoot { path: path.into(), id });
    root.map(Some).ok_or_else(|| {
        OpenError::Foreign(format!(
            "{} cannot be read: it says where the commit log of this directory is. Restore it from a copy, or write path= and, from \
             {COMMIT_ROOT} there, id= into it",
            path.display()
        ))
    })
}

async fn write_note<R: Runtime>(
    runtime: &R,
    directory: &Path,
    root: Option<&CommitRoot>,
) -> Result<(), OpenError> {
    let path = directory.join(COMMIT_NOTE);
    match root {
        Some(root) => {
            let id = print_property("id", &root.id.to_string());
            let text = print_property("path", &root.path.to_string_lossy());
            let written = replace_file(runtime, &path, format!("{text}\n{id}\n").as_bytes()).await;
            written.map_err(OpenError::io(&path))?;
        }
        None => runtime.unlink(&path).await.map_err(OpenError::io(&path))?,
    }
    runtime.sync_directory(directory).await.map_err(OpenError::io(directory))
}

#[cfg(test)]
mod tests;
