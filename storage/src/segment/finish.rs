//! How a segment becomes final: its file is cut to its length, its indexes are closed, the producers' state at its end is
//! written. From then on Kafka's tools can read it, also while we run.

use std::io;

use super::files::{Kind, file_name};
use super::index_tail::IndexTail;
use crate::buffers::padded;
use crate::core::Core;
use crate::log::Log;
use crate::runtime::{BLOCK, Dsync, How, Runtime, block_down, replace_file, write_new_file};
use crate::units::Offset;

/// Closes a rolled segment, all of whose bytes are in its file.
pub(crate) async fn finish<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    base: Offset,
) -> io::Result<()> {
    cut(core, log, base).await?;
    write_snapshot(core, log, base).await?;
    log.finished(base);
    core.files.forget(log, Some(base));
    Ok(())
}

/// Cuts a segment's file to its length and its indexes to their entries, all written.
pub(crate) async fn cut<R: Runtime>(core: &Core<R>, log: &Log<R>, base: Offset) -> io::Result<()> {
    let Some(length) = log.state().segment(base).map(|segment| segment.length) else {
        return Ok(());
    };
    let file = core.files.writable(core, log, base).await?;
    core.runtime.truncate(&file, u64::from(length)).await?;
    core.files.note_written(log, base, Kind::Log);
    write_indexes(core, log, base, true).await
}

/// Writes what the indexes have in memory; with `cut`, they end there. Index entries of an active segment are written so
/// that recovery need not read the segment.
pub(crate) async fn write_indexes<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    base: Offset,
    cut: bool,
) -> io::Result<()> {
    for kind in [Kind::OffsetIndex, Kind::TimeIndex] {
        let plan = log.state().segment(base).map(|segment| {
            let index = index_of(segment, kind);
            (index.plan(), index.length(), index.has_unwritten() || cut)
        });
        let Some(((start, bytes), mut length, true)) = plan else { continue };
        let file = core.files.writable_kind(core, log, base, kind).await?;
        if !bytes.is_empty() {
            let begun = with_beginning::<R>(core, log, base, (kind, start), bytes.clone()).await?;
            if begun.is_none()
                && let Some(segment) = log.state_mut().segment_mut(base)
            {
                index_of_mut(segment, kind).restart();
                length = bytes.len() as u64;
            }
            let (start, bytes) = begun.unwrap_or((0, bytes));
            core.runtime.write_at(&file, padded(&bytes), start, Dsync::No).await?;
        }
        if cut {
            core.runtime.truncate(&file, length).await?;
        }
        core.files.note_written(log, base, kind);
        if let Some(segment) = log.state_mut().segment_mut(base) {
            let index =
                if kind == Kind::OffsetIndex { &mut segment.offsets } else { &mut segment.times };
            index.wrote(length);
        }
    }
    Ok(())
}

fn index_of_mut(segment: &mut super::Segment, kind: Kind) -> &mut IndexTail {
    if kind == Kind::OffsetIndex { &mut segment.offsets } else { &mut segment.times }
}

fn index_of(segment: &super::Segment, kind: Kind) -> &IndexTail {
    if kind == Kind::OffsetIndex { &segment.offsets } else { &segment.times }
}

/// The bytes from the start of their first block on: what is before them there is read from the file. None if the file does
/// not have it.
async fn with_beginning<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    base: Offset,
    (kind, start): (Kind, u64),
    bytes: Vec<u8>,
) -> io::Result<Option<(u64, Vec<u8>)>> {
    let block = block_down(start);
    if block == start {
        return Ok(Some((start, bytes)));
    }
    let path = log.state().directory.join(file_name(base, kind));
    let file = core.runtime.open(&path, How::Read).await?;
    let have = usize::try_from(start - block).unwrap_or(BLOCK);
    let mut whole = core.runtime.read_at(&file, block, have).await?.to_vec();
    if whole.len() != have {
        tracing::warn!(file = %path.display(), "an index is shorter than it was; it begins anew");
        return Ok(None);
    }
    whole.extend_from_slice(&bytes);
    Ok(Some((block, whole)))
}

/// The producers' state at the end of the segment, for Kafka, under the next segment's name. The newest one only: older
/// ones serve nothing here.
async fn write_snapshot<R: Runtime>(core: &Core<R>, log: &Log<R>, base: Offset) -> io::Result<()> {
    let snapshot = log.state_mut().take_snapshot(base);
    let Some((end, content)) = snapshot else { return Ok(()) };
    let directory = log.state().directory.clone();
    write_new_file(&core.runtime, &directory.join(file_name(end, Kind::Snapshot)), &content, false)
        .await?;
    core.files.note_unsynced(&directory);
    Ok(())
}

/// What a clean stop leaves beside the segments: the leader epochs, and the producers' state at the end.
pub(crate) async fn write_checkpoints<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    let (directory, epochs, end, producers) = {
        let state = log.state();
        (state.directory.clone(), state.epochs.print(), state.end, state.producers.snapshot())
    };
    replace_file(&core.runtime, &directory.join("leader-epoch-checkpoint"), epochs.as_bytes())
        .await?;
    write_new_file(
        &core.runtime,
        &directory.join(file_name(end, Kind::Snapshot)),
        &producers,
        true,
    )
    .await?;
    core.files.note_unsynced(&directory);
    Ok(())
}
