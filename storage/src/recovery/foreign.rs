//! Whether Kafka ran on the directory since this log was last written.
//!
//! A manifest is believed after an unclean stop, too, and Kafka may have started meanwhile: it sees its own files only, and not what the
//! commit log holds. A controller of Kafka's cannot start without a record of its own at the end of the metadata log. So that log's
//! file tells: behind what the manifest says is in it, there may be what the commit log holds, and zeros, and nothing else.

use std::io;

use super::replay::Replayed;
use crate::config::StoreName;
use crate::core::Core;
use crate::error::OpenError;
use crate::partition::Partition;
use crate::runtime::{How, Runtime};
use crate::segment::files::{Kind, file_name};
use crate::strays::is_segment;

/// For the controller's store; the others are opened after it. `moved_on`: its log holds more than a start that came to nothing.
pub(super) async fn check<R: Runtime>(
    core: &Core<R>,
    replayed: &Replayed,
    moved_on: bool,
) -> Result<(), OpenError> {
    if core.options.name != StoreName::Controller {
        return Ok(());
    }
    for partition in replayed.partitions.values() {
        if kafka_wrote(core, partition).await? {
            return Err(refusal(core, partition, moved_on));
        }
    }
    Ok(())
}

async fn kafka_wrote<R: Runtime>(core: &Core<R>, partition: &Partition) -> Result<bool, OpenError> {
    let directory = &partition.directory;
    let active = partition.active();
    let names = match core.runtime.list(directory).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(OpenError::io(directory))?,
    };
    let newest = names.iter().filter(|name| is_segment(name)).max();
    let own = file_name(active.base, Kind::Log);
    if newest.is_some_and(|newest| *newest > own) {
        return Ok(true);
    }
    let path = directory.join(&own);
    let file = match core.runtime.open(&path, How::Read).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(OpenError::io(&path))?,
    };
    let io = OpenError::io(&path);
    let length = core.runtime.length(&file).await.map_err(OpenError::io(&path))?;
    let filed = u64::from(active.filed);
    let behind = usize::try_from(length.saturating_sub(filed)).unwrap_or(usize::MAX);
    let found = core.runtime.read_at(&file, filed, behind).await.map_err(io)?;
    let mut expected = Vec::new();
    for piece in partition.tail.pieces_from(active.base, active.filed) {
        let from = active.filed.saturating_sub(piece.position) as usize;
        expected.extend_from_slice(&piece.bytes[from.min(piece.bytes.len())..]);
    }
    expected.resize(expected.len().max(found.len()), 0);
    Ok(found.iter().zip(&expected).any(|(found, expected)| found != expected && *found != 0))
}

fn refusal<R: Runtime>(core: &Core<R>, partition: &Partition, moved_on: bool) -> OpenError {
    let what = if moved_on {
        let apart = core.options.commit_apart.as_ref();
        let apart =
            apart.map_or(String::new(), |apart| format!(", and those in {}", apart.display()));
        format!(
            "Kafka ran on this directory after Odradek had stopped uncleanly, so that each has records that the other does not know of. To go on with \
         what Kafka has, stop it with SIGTERM and remove the files odradek-*{apart}; to go on with what Odradek has, put back a copy of the directory \
         from before Kafka's start"
        )
    } else {
        "Kafka ran on this directory since: start it once more and stop it with SIGTERM, then the directory can be taken over".to_owned()
    };
    OpenError::Foreign(format!("{}: {what}", partition.directory.display()))
}
