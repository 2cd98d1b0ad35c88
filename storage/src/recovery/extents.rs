//! Extents that nothing says are durable are read and checked: each batch that begins in one against its own CRC and
//! against the header that the log has of it, and what lies before it against the log's bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::{All, RecoveryReport, Row};
use crate::batch::{Batch, HEADER_BYTES};
use crate::commit_log::entry::{Entry, Kind, PREFIX_CHECKSUM_BYTES};
use crate::commit_log::scan::{Chain, Linked};
use crate::commit_log::{EntryId, GroupSequence};
use crate::core::Core;
use crate::error::OpenError;
use crate::planted::{Bug, is};
use crate::runtime::{How, Runtime};
use crate::segment::files::{self, file_name};
use crate::units::PartitionId;

/// The first group with a bad extent above the mark, and what is wrong with it.
pub(super) async fn first_bad<R: Runtime>(
    core: &Core<R>,
    chain: &Chain,
    mark: GroupSequence,
    all: &All<'_>,
    report: &mut RecoveryReport,
) -> Result<Option<(usize, String)>, OpenError> {
    // As in replay, only these count: what has the name of any other by now may be another store's.
    let known: Directories =
        all.iter().map(|(id, topic, _)| (*id, all.directory(&core.options, topic, *id))).collect();
    let mut bad = None;
    let mut groups = chain.groups.len();
    loop {
        // A partition that is deleted later on has no files any more. But what is cut does not delete it.
        let deletes = chain.deletes(groups);
        let mut found = None;
        for (index, linked) in chain.groups[..groups].iter().enumerate() {
            let what = first_bad_of(core, linked, (mark, &known, &deletes), report).await?;
            found = what.map(|what| (index, what));
            if found.is_some() {
                break;
            }
        }
        let Some((index, what)) = found else { return Ok(bad) };
        bad = Some((index, what));
        groups = index;
    }
}

type Directories = HashMap<PartitionId, PathBuf>;
type Deletes = BTreeMap<PartitionId, EntryId>;

/// What is wrong with the first bad extent of a group.
async fn first_bad_of<R: Runtime>(
    core: &Core<R>,
    linked: &Linked,
    (mark, known, deletes): (GroupSequence, &Directories, &Deletes),
    report: &mut RecoveryReport,
) -> Result<Option<String>, OpenError> {
    for (entry, payload, id) in linked.group.numbered() {
        let is_gone = deletes.get(&entry.id).is_some_and(|delete| id < *delete);
        if entry.kind != Kind::Extent || is_gone {
            continue;
        }
        if id.group <= mark {
            report.hit(Row::ExtentTrusted);
            continue;
        }
        if is(Bug::ExtentUnchecked) {
            continue;
        }
        // A partition that is not placed here any more: its entries count for nothing.
        let Some(directory) = known.get(&entry.id) else { continue };
        if let Some(what) = check(core, entry, payload, directory).await? {
            return Ok(Some(what));
        }
        report.hit(Row::ExtentGood);
    }
    Ok(None)
}

/// None if the extent is in its segment.
async fn check<R: Runtime>(
    core: &Core<R>,
    entry: &Entry,
    payload: &Bytes,
    directory: &Path,
) -> Result<Option<String>, OpenError> {
    let path = directory.join(file_name(entry.segment, files::Kind::Log));
    let bad = |what: &str| Ok(Some(format!("{}: {what} at {}", path.display(), entry.position)));
    let file = match core.runtime.open(&path, How::Write).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return bad("no such file"),
        other => other.map_err(OpenError::io(&path))?,
    };
    if !is(Bug::RecoverySyncsNoSegments) && !is(Bug::RecoverySyncsNothing) {
        core.runtime.fdatasync(&file).await.map_err(OpenError::io(&path))?;
        core.runtime.sync_directory(directory).await.map_err(OpenError::io(directory))?;
    }
    let blocks =
        core.runtime.read_at(&file, u64::from(entry.position), entry.extent as usize).await;
    let blocks = blocks.map_err(OpenError::io(&path))?;
    if blocks.len() < entry.extent as usize {
        return bad("an extent is cut short");
    }
    let (described, rest) = payload.split_at(entry.described());
    let (headers, checksum) = described.split_at(described.len() - PREFIX_CHECKSUM_BYTES);
    let before = entry.start.saturating_sub(entry.position) as usize;
    let Some((prefix, from)) = blocks.split_at_checked(before) else {
        return bad("an extent is shorter than its prefix");
    };
    if crc32c::crc32c(prefix).to_le_bytes() != checksum {
        return bad("an extent does not begin with what was before its batch");
    }
    let mut batches = BytesMut::from(from);
    batches.extend_from_slice(rest);
    let mut batches = batches.freeze();
    for header in headers.chunks(HEADER_BYTES) {
        match Batch::parse_first(&batches) {
            Ok((batch, size)) if batch.bytes().starts_with(header) => {
                batches = batches.slice(size..)
            }
            _ => return bad("an extent does not hold its batch"),
        }
    }
    if batches.is_empty() { Ok(None) } else { bad("an extent is too long") }
}
