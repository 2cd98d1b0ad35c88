//! The small text files beside the logs: Kafka's formats, read strictly and with errors that say which line is wrong.
//!
//! | file | content | type |
//! |---|---|---|
//! | `recovery-point-offset-checkpoint`, `replication-offset-checkpoint`, `log-start-offset-checkpoint`, `cleaner-offset-checkpoint` | version 0, number of lines, `topic partition offset` | [`OffsetCheckpoint`] |
//! | `leader-epoch-checkpoint` | version 0, number of lines, `epoch offset` | [`crate::epochs::LeaderEpochs`] |
//! | `partition.metadata` | `version: 0`, `topic_id: <base64url>` | [`PartitionMetadata`] |
//! | `meta.properties` | `version=1`, `node.id`, `cluster.id`, `directory.id` | [`MetaProperties`] |
//! | `.kafka_cleanshutdown` | `{"version":0,"brokerEpoch":13}` | [`CleanShutdown`] |

mod clean_shutdown;
mod meta_properties;
mod offsets;
mod partition_metadata;
mod properties;

use std::fmt::Display;

pub use clean_shutdown::CleanShutdown;
pub use meta_properties::MetaProperties;
pub use offsets::OffsetCheckpoint;
pub use partition_metadata::PartitionMetadata;
pub use properties::{Property, parse_properties, print_property};

/// Why a file cannot be believed. The caller knows its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("it is not text")]
    NotText,
    #[error("version {found} is unknown, {known} is what can be read")]
    Version { found: String, known: &'static str },
    #[error("line {number} is malformed: {line:?}")]
    Line { number: usize, line: String },
    #[error("{expected} lines are announced, {found} are there")]
    Count { expected: usize, found: usize },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{key} cannot be {value:?}")]
    Value { key: &'static str, value: String },
}

/// Reads version, number and lines of a checkpoint. `read` makes an entry of a line's words.
pub(crate) fn lines<T>(
    text: &[u8],
    mut read: impl FnMut(&[&str]) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    let text = str::from_utf8(text).map_err(|_| CheckpointError::NotText)?;
    let mut lines = text.lines().enumerate();
    let bad =
        |number: usize, line: &str| CheckpointError::Line { number: number + 1, line: line.into() };
    let Some((number, version)) = lines.next() else {
        return Ok(Vec::new());
    };
    match version.parse::<i32>() {
        Ok(0) => {}
        Ok(_) => return Err(CheckpointError::Version { found: version.into(), known: "0" }),
        Err(_) => return Err(bad(number, version)),
    }
    let Some((number, expected)) = lines.next() else {
        return Ok(Vec::new());
    };
    let expected: usize = expected.parse().map_err(|_| bad(number, expected))?;
    // The count is only believed after the fact.
    let mut entries = Vec::new();
    for (number, line) in lines {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        entries.push(read(&words).ok_or_else(|| bad(number, line))?);
    }
    if entries.len() != expected {
        return Err(CheckpointError::Count { expected, found: entries.len() });
    }
    Ok(entries)
}

/// Writes version, number and lines of a checkpoint.
pub(crate) fn print_lines<T: Display>(lines: impl ExactSizeIterator<Item = T>) -> String {
    let mut text = format!("0\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    text
}
