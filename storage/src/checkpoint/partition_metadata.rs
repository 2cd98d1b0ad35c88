//! `partition.metadata`: which topic a partition's directory belongs to. Topic names come back, ids do not.

use crate::checkpoint::CheckpointError;
use crate::units::TopicId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    pub topic: TopicId,
}

impl PartitionMetadata {
    /// Later versions may only add lines, so the first two are enough.
    pub fn parse(text: &[u8]) -> Result<PartitionMetadata, CheckpointError> {
        let text = str::from_utf8(text).map_err(|_| CheckpointError::NotText)?;
        let mut lines = text.lines();
        let version = value(lines.next(), 1, "version")?;
        if !version.parse::<i32>().is_ok_and(|version| version >= 0) {
            return Err(CheckpointError::Version { found: version.into(), known: "0" });
        }
        let id = value(lines.next(), 2, "topic_id")?;
        match TopicId::parse(id) {
            Some(topic) if topic != TopicId::NIL => Ok(PartitionMetadata { topic }),
            _ => Err(CheckpointError::Value { key: "topic_id", value: id.into() }),
        }
    }

    /// As Kafka writes it: no line end after the last line.
    pub fn print(&self) -> String {
        format!("version: 0\ntopic_id: {}", self.topic)
    }
}

fn value<'a>(
    line: Option<&'a str>,
    number: usize,
    key: &'static str,
) -> Result<&'a str, CheckpointError> {
    let line = line.ok_or(CheckpointError::Missing(key))?;
    line.strip_prefix(key)
        .and_then(|rest| rest.strip_prefix(':'))
        .filter(|rest| rest.starts_with(' '))
        .map(str::trim)
        .ok_or_else(|| CheckpointError::Line { number, line: line.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let topic = TopicId::parse("Jmiwj-G4Q-eVTYkY9pzpPQ").unwrap();
        let text = PartitionMetadata { topic }.print();
        assert_eq!(text.len(), 43);
        assert_eq!(PartitionMetadata::parse(text.as_bytes()), Ok(PartitionMetadata { topic }));
    }

    #[test]
    fn malformed_files_are_refused() {
        for bad in [
            "",
            "version: 0",
            "version: 0\n",
            "version: x\ntopic_id: Jmiwj-G4Q-eVTYkY9pzpPQ",
            "version: -1\ntopic_id: Jmiwj-G4Q-eVTYkY9pzpPQ",
            "version: 0\ntopic_id:Jmiwj-G4Q-eVTYkY9pzpPQ",
            "version: 0\ntopic_id: Jmiwj",
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
            "topic_id: Jmiwj-G4Q-eVTYkY9pzpPQ\nversion: 0",
        ] {
            assert!(PartitionMetadata::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
