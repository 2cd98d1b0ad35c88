//! One offset for each partition of a log directory.

use std::collections::BTreeMap;

use crate::checkpoint::{CheckpointError, lines, print_lines};
use crate::units::Offset;

/// What a `*-offset-checkpoint` file holds: partitions by topic name and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCheckpoint {
    pub offsets: BTreeMap<(String, i32), Offset>,
}

impl OffsetCheckpoint {
    /// An empty file is an empty checkpoint. A partition named twice has the later offset.
    pub fn parse(text: &[u8]) -> Result<OffsetCheckpoint, CheckpointError> {
        let entries = lines(text, |words| match words {
            [topic, partition, offset] => {
                Some((((*topic).to_owned(), partition.parse().ok()?), Offset(offset.parse().ok()?)))
            }
            _ => None,
        })?;
        Ok(OffsetCheckpoint { offsets: entries.into_iter().collect() })
    }

    pub fn print(&self) -> String {
        print_lines(
            self.offsets
                .iter()
                .map(|((topic, partition), offset)| format!("{topic} {partition} {offset}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let text = "0\n2\nt-a.b 0 17\nt-a.b 1 0\n";
        let checkpoint = OffsetCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(checkpoint.offsets[&("t-a.b".to_owned(), 0)], Offset(17));
        assert_eq!(checkpoint.print(), text);
        assert_eq!(OffsetCheckpoint::parse(b""), Ok(OffsetCheckpoint::default()));
        assert_eq!(OffsetCheckpoint::default().print(), "0\n0\n");
    }

    #[test]
    fn errors_name_the_line() {
        let check = |text: &str, message: &str| {
            assert_eq!(
                OffsetCheckpoint::parse(text.as_bytes()).unwrap_err().to_string(),
                message,
                "{text:?}"
            );
        };
        check("1\n0\n", "version 1 is unknown, 0 is what can be read");
        check("0\n2\nt 0 1\n", "2 lines are announced, 1 are there");
        check("0\n1\nt 0\n", "line 3 is malformed: \"t 0\"");
        check("0\n1\nt x 0\n", "line 3 is malformed: \"t x 0\"");
        check("0\n-1\n", "line 2 is malformed: \"-1\"");
        check("\u{1}\n", "line 1 is malformed: \"\\u{1}\"");
        assert_eq!(OffsetCheckpoint::parse(&[0xff]), Err(CheckpointError::NotText));
    }
}
