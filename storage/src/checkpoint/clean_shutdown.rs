//! `.kafka_cleanshutdown`: its presence says that the directory was closed in order; it carries the broker's epoch.

use crate::checkpoint::CheckpointError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// -1 if it was not known.
    pub broker_epoch: i64,
}

impl CleanShutdown {
    pub fn print(&self) -> String {
        format!("{{\"version\":0,\"brokerEpoch\":{}}}", self.broker_epoch)
    }

    /// Kafka takes the file's presence as the mark whatever it holds (older ones left it empty), so an error here does not make
    /// the stop unclean.
    pub fn parse(text: &[u8]) -> Result<CleanShutdown, CheckpointError> {
        let text = str::from_utf8(text).map_err(|_| CheckpointError::NotText)?.trim();
        let inner =
            text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(|| {
                CheckpointError::Line { number: 1, line: text.chars().take(100).collect() }
            })?;
        let epoch = inner
            .split(',')
            .filter_map(|field| field.split_once(':'))
            .find(|(key, _)| key.trim() == "\"brokerEpoch\"")
            .ok_or(CheckpointError::Missing("brokerEpoch"))?
            .1
            .trim();
        let broker_epoch = epoch.parse().map_err(|_| CheckpointError::Value {
            key: "brokerEpoch",
            value: epoch.chars().take(100).collect(),
        })?;
        Ok(CleanShutdown { broker_epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let marker = CleanShutdown { broker_epoch: 13 };
        assert_eq!(marker.print(), "{\"version\":0,\"brokerEpoch\":13}");
        assert_eq!(CleanShutdown::parse(marker.print().as_bytes()), Ok(marker));
        assert_eq!(
            CleanShutdown::parse(b"{ \"brokerEpoch\" : -1 }\n"),
            Ok(CleanShutdown { broker_epoch: -1 })
        );
    }

    #[test]
    fn anything_else_is_an_error() {
        for bad in ["", "{}", "{\"brokerEpoch\":null}", "[1]", "{\"version\":0}"] {
            assert!(CleanShutdown::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
