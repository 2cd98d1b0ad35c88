//! What a partition's files say of it.

use std::io;
use std::path::Path;

use super::segment::{SegmentFile, scan};
use super::{damaged, next_offset};
use crate::batch::{Batch, BatchInfo};
use crate::commit_log::EntryId;
use crate::epochs::LeaderEpochs;
use crate::error::OpenError;
use crate::manifest::{PartitionState, SegmentState};
use crate::producer::ProducerStates;
use crate::runtime::{Runtime, read_file};
use crate::segment::files::Kind;
use crate::strays::is_segment;
use crate::units::{Offset, PartitionId, Timestamp};

/// The partition in `directory`; `log_start` as the checkpoint says, if it says anything. Where its replay starts is left to the caller.
pub(super) async fn state<R: Runtime>(
    runtime: &R,
    directory: &Path,
    (id, topic): (PartitionId, String),
    log_start: Option<Offset>,
) -> Result<PartitionState, OpenError> {
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    if let Some(name) = names.iter().find(|name| name.ends_with(".swap")) {
        return Err(damaged(&directory.join(name), 0, "a compaction was not finished"));
    }
    let mut segments = Vec::new();
    let bases = bases(&names);
    for (index, base) in bases.iter().enumerate() {
        let segment = scan(runtime, directory, *base, index + 1 == bases.len()).await?;
        segments.push(SegmentState::of(&segment));
    }
    let end = next_offset(&segments);
    let first = bases.first().copied().unwrap_or_default();
    let log_start = log_start.unwrap_or(first).clamp(first, end);
    let mut epochs = read_epochs(runtime, directory).await?;
    epochs.truncate_end(end);
    let producers = Producers { runtime, directory, names: &names, bases: &bases };
    let producers = producers.at(end).await?.snapshot();
    let epochs = epochs.entries().to_vec();
    let replay = EntryId::default();
    // Whatever Kafka's cleaner has done is found out anew, and nothing here names a place in a file.
    let (cleaned_to, rewritten) = (log_start, Offset(0));
    Ok(PartitionState {
        id,
        topic,
        log_start,
        end,
        replay,
        epochs,
        producers,
        cleaned_to,
        rewritten,
        segments,
    })
}

/// The segments' base offsets, in order.
pub(super) fn bases(names: &[String]) -> Vec<Offset> {
    let logs = names.iter().filter(|name| is_segment(name));
    let mut bases: Vec<Offset> =
        logs.filter_map(|name| offset_of(name, Kind::Log.suffix())).collect();
    bases.sort_unstable();
    bases
}

fn offset_of(name: &str, suffix: &str) -> Option<Offset> {
    name.strip_suffix(suffix)?.parse().ok().map(Offset)
}

async fn read_epochs<R: Runtime>(runtime: &R, directory: &Path) -> Result<LeaderEpochs, OpenError> {
    let path = directory.join("leader-epoch-checkpoint");
    let text = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LeaderEpochs::new()),
        other => other.map_err(OpenError::io(&path))?,
    };
    let read = LeaderEpochs::parse(&text);
    read.map_err(|error| OpenError::Foreign(format!("{}: {error}", path.display())))
}

/// Finds out what the log says of its producers.
struct Producers<'a, R: Runtime> {
    runtime: &'a R,
    directory: &'a Path,
    names: &'a [String],
    bases: &'a [Offset],
}

impl<R: Runtime> Producers<'_, R> {
    /// The newest snapshot that can be read, and the batches after it: as Kafka leaves it, there are none.
    async fn at(&self, end: Offset) -> Result<ProducerStates, OpenError> {
        let suffix = Kind::Snapshot.suffix();
        let mut offsets: Vec<Offset> =
            self.names.iter().filter_map(|name| offset_of(name, suffix)).collect();
        offsets.retain(|offset| *offset <= end);
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        let first = self.bases.first().copied().unwrap_or_default();
        let mut found = (first, ProducerStates::new(first));
        for offset in offsets {
            let path = self.directory.join(format!("{:020}{suffix}", offset.0));
            let bytes = read_file(self.runtime, &path).await.map_err(OpenError::io(&path))?;
            // The marker says nothing of expiry: that is looked at when the partition is opened.
            match ProducerStates::from_snapshot(offset, &bytes, Timestamp(0), i64::MAX) {
                Ok(states) => {
                    found = (offset, states);
                    break;
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an older snapshot is taken");
                }
            }
        }
        let (from, mut states) = found;
        if from < end {
            self.replay(from, &mut states).await?;
        }
        Ok(states)
    }

    async fn replay(&self, from: Offset, states: &mut ProducerStates) -> Result<(), OpenError> {
        let skip = self.bases.partition_point(|base| *base <= from).saturating_sub(1);
        for base in &self.bases[skip..] {
            let mut file = SegmentFile::open(self.runtime, self.directory, *base).await?;
            let mut position = 0;
            while let Some(header) = file.header(position).await? {
                if header.last_offset() >= from {
                    let info = if header.is_control() {
                        let bytes = file.bytes(position, header.size()).await?;
                        let batch = Batch::parse(bytes);
                        batch.map_err(|e| damaged(&file.path, position, &format!("{e:?}")))?.info()
                    } else {
                        BatchInfo::of(&header, None)
                    };
                    states.apply(&info);
                }
                position += header.size() as u64;
            }
        }
        Ok(())
    }
}
