//! What is done to the files of a stopped store.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::SmallRng;

use super::super::life::durable_byte;
use super::{Kind, Target};
use crate::config::StoreOptions;
use crate::damage::file::NAME;
use crate::runtime::BLOCK;
use crate::runtime::simulated::Disk;

/// Bytes of a file that are not what they were.
#[derive(Clone, Debug)]
pub(super) struct Wound {
    pub(super) path: PathBuf,
    pub(super) places: Vec<(u64, u64)>,
}

impl Wound {
    /// Whether it touches the bytes `[from, to)` of this file.
    pub(super) fn touches(&self, path: &Path, from: u64, to: u64) -> bool {
        self.path == path && self.places.iter().any(|(start, end)| *start < to && from < *end)
    }
}

/// None where nothing was changed. `older` is the disk as it was a while ago.
pub(super) fn wound(
    kind: Kind,
    disk: &Disk,
    older: &Disk,
    options: &StoreOptions,
    random: &mut SmallRng,
) -> Option<Wound> {
    let (Kind::Flipped(target)
    | Kind::Zeroed(target)
    | Kind::Swapped(target)
    | Kind::Stale(target)) = kind
    else {
        return None;
    };
    let (path, chosen) = match kind {
        Kind::Stale(_) => {
            // A block that was written since.
            let tries = (0..100).filter_map(|_| place(target, disk, options, random));
            let tries = tries.collect::<Vec<_>>().into_iter();
            tries.into_iter().find_map(|(path, _)| {
                let now = disk.content(&path)?;
                let at = random.random_range(0..now.len());
                let block = at / BLOCK * BLOCK..(at / BLOCK * BLOCK + BLOCK).min(now.len());
                (now[block.clone()] != stale(older, &path, block)).then_some((path, Some(at)))
            })?
        }
        _ => place(target, disk, options, random)?,
    };
    let content = disk.content(&path).filter(|content| !content.is_empty())?;
    let at = chosen.unwrap_or_else(|| random.random_range(0..content.len()));
    let block = at / BLOCK * BLOCK;
    let end = (block + BLOCK).min(content.len());
    let mut places = vec![(block as u64, end as u64)];
    match kind {
        Kind::Flipped(_) => {
            let byte = content[at] ^ 1 << random.random_range(0..8);
            disk.overwrite(&path, at, &[byte]);
            places = vec![(at as u64, at as u64 + 1)];
        }
        Kind::Zeroed(_) => {
            let sector = at / 512 * 512;
            let (start, end) = match random.random_ratio(1, 2) {
                true => (sector, (sector + 512).min(content.len())),
                false => (block, end),
            };
            disk.overwrite(&path, start, &vec![0; end - start]);
            places = vec![(start as u64, end as u64)];
        }
        Kind::Swapped(_) => {
            let other = random.random_range(0..content.len()) / BLOCK * BLOCK;
            let length = (end - block).min(content.len() - other);
            disk.overwrite(&path, block, &content[other..other + length]);
            disk.overwrite(&path, other, &content[block..block + length]);
            places.push((other as u64, (other + length) as u64));
        }
        _ => {
            disk.overwrite(&path, block, &stale(older, &path, block..end));
        }
    }
    (disk.content(&path)? != content).then_some(Wound { path, places })
}

/// What these bytes were a while ago; zeros, where a block was not written yet.
fn stale(older: &Disk, path: &Path, bytes: Range<usize>) -> Vec<u8> {
    let mut content = older.content(path).unwrap_or_default();
    content.resize(content.len().max(bytes.end), 0);
    content[bytes].to_vec()
}

/// The file, and a place in it if not any will do.
fn place(
    target: Target,
    disk: &Disk,
    options: &StoreOptions,
    random: &mut SmallRng,
) -> Option<(PathBuf, Option<usize>)> {
    if target == Target::CommitLog
        && random.random_ratio(3, 4)
        && let Some((path, at)) = durable_byte(disk, options, random)
    {
        return Some((path, Some(at)));
    }
    let is_one = |name: &str| match target {
        Target::Log | Target::MetadataLog => name.ends_with(".log"),
        Target::OffsetIndex => name.ends_with(".index"),
        Target::TimeIndex => name.ends_with(".timeindex"),
        Target::Snapshot => name.ends_with(".snapshot"),
        Target::Checkpoint => {
            name == "leader-epoch-checkpoint"
                || name == "partition.metadata"
                || name.starts_with(".kafka")
        }
        Target::CommitLog => name.ends_with(".commit"),
        Target::Manifest => name.ends_with(".manifest"),
        Target::Marks => name == NAME,
    };
    let mut all = Vec::new();
    for name in disk.names(&options.directory) {
        let path = options.directory.join(&name);
        all.extend(disk.names(&path).into_iter().map(|name| path.join(name)));
        all.push(path);
    }
    all.retain(|path| path.file_name().is_some_and(|name| is_one(&name.to_string_lossy())));
    let all: Vec<PathBuf> = all
        .into_iter()
        .filter(|path| disk.content(path).is_some_and(|content| !content.is_empty()))
        .collect();
    (!all.is_empty()).then(|| (all[random.random_range(0..all.len())].clone(), None))
}
