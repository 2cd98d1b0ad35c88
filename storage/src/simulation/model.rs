//! What must be true of the logs, whatever happens: every batch by its offsets, and how much of it was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::compacted::{Compaction, Keyed};
use super::scope::Scope;
use crate::config::LogConfig;
use crate::runtime::simulated::Injection;
use crate::units::{Epoch, Offset, PartitionId, Timestamp};

/// One batch that was appended.
#[derive(Clone, Debug)]
pub(super) struct Appended {
    pub(super) base: Offset,
    pub(super) last: Offset,
    /// Everything behind the header.
    pub(super) payload: Bytes,
    pub(super) records: Vec<Keyed>,
    pub(super) timestamp: Timestamp,
    /// By the machine's clock.
    pub(super) appended_at: i64,
    pub(super) producer: i64,
    pub(super) epoch: Epoch,
}

/// One partition as it must be.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// Tells it from another of a partition that was deleted and came back.
    pub(super) birth: u64,
    pub(super) topic: String,
    pub(super) config: Arc<LogConfig>,
    pub(super) batches: Vec<Appended>,
    pub(super) end: Offset,
    /// What a power cut must leave.
    pub(super) durable: Offset,
    /// What a kill must leave.
    pub(super) written: Offset,
    /// Where the log starts, and where it may start after a crash.
    pub(super) start: Offset,
    pub(super) starts: Vec<Offset>,
    /// In this life it was truncated, or it was deleted and came back.
    pub(super) restarted: bool,
    /// The log is being truncated, to this offset or to the beginning of the batch that holds it: a crash leaves all of it, or that.
    pub(super) truncating: Option<Offset>,
    /// The leader's.
    pub(super) epoch: Epoch,
    /// Retention may move the start at any time.
    pub(super) retains: bool,
    /// Next sequence number of its one idempotent producer.
    pub(super) sequence: i32,
    pub(super) compaction: Compaction,
}

impl Log {
    pub(super) fn new(topic: &str, config: Arc<LogConfig>, birth: u64) -> Self {
        let compaction = Compaction {
            on: config.cleanup_compact,
            delete_retention_ms: config.delete_retention_ms,
            gone: BTreeSet::new(),
            missing: BTreeSet::new(),
            excused: BTreeSet::new(),
        };
        Log {
            birth,
            compaction,
            topic: topic.to_owned(),
            config,
            batches: Vec::new(),
            end: Offset(0),
            durable: Offset(0),
            written: Offset(0),
            start: Offset(0),
            starts: vec![Offset(0)],
            restarted: false,
            truncating: None,
            epoch: Epoch(0),
            retains: false,
            sequence: 0,
        }
    }

    pub(super) fn push(&mut self, batch: Appended) {
        assert_eq!(batch.base, self.end, "offsets without gaps");
        self.end = batch.last.next();
        self.batches.push(batch);
    }

    /// The batches from the one that holds `offset` on.
    pub(super) fn from(&self, offset: Offset) -> &[Appended] {
        &self.batches[self.batches.partition_point(|batch| batch.last < offset)..]
    }

    /// Where a truncation to this offset ends the log: where the batch begins that holds it.
    pub(super) fn truncated(&self, to: Offset) -> Offset {
        let holds = self.from(to).first().filter(|batch| batch.base <= to);
        holds.map_or(to, |batch| batch.base)
    }

    /// The log was truncated, and ends here.
    pub(super) fn truncate(&mut self, end: Offset) {
        self.excuse(end);
        self.cut(end);
        self.truncating = None;
        self.epoch.0 += 1;
    }

    /// What compaction has removed for the sake of a record that was truncated then, is no loss of its own. Where the log ends inside a batch,
    /// of which compaction has left nothing, the model forgets that whole batch, and with it what took the place of older records.
    fn excuse(&mut self, end: Offset) {
        if !self.compaction.on {
            return;
        }
        let records = |batch: &Appended| {
            let base = batch.base;
            let records = batch.records.iter().map(|record| record.key.clone());
            (0..).zip(records).map(move |(index, key)| (base + index, key)).collect::<Vec<_>>()
        };
        let all: Vec<(Offset, Bytes)> = self.batches.iter().flat_map(records).collect();
        let of_its_batch = self.from(end).first().map_or(end, |batch| batch.base.min(end));
        let gone: BTreeSet<&Bytes> =
            all.iter().filter(|(at, _)| *at >= of_its_batch).map(|(_, key)| key).collect();
        let excused = all.iter().filter(|(at, key)| *at < end && gone.contains(key));
        self.compaction.excused.extend(excused.map(|(at, _)| *at));
        self.compaction.excused.extend((of_its_batch.0..end.0).map(Offset));
        self.compaction.gone.retain(|at| *at < end);
        self.compaction.missing.retain(|at| *at < end);
    }

    /// The log was found to end here. If it was being truncated, that may have been done, or not.
    pub(super) fn settle_truncation(&mut self, end: Offset) {
        let Some(to) = self.truncating.take() else { return };
        if end < self.end && end >= self.truncated(to).max(self.start) {
            self.truncate(end);
        }
    }

    /// The log was found to end here.
    pub(super) fn cut(&mut self, end: Offset) {
        self.batches.retain(|batch| batch.last < end);
        self.end = end;
        self.written = end;
        self.durable = end;
        let mine = self.batches.iter().filter(|batch| batch.producer >= 0);
        self.sequence =
            mine.map(|batch| i32::try_from(batch.last.0 - batch.base.0 + 1).unwrap_or(0)).sum();
    }
}

/// All partitions, and the story of the seed.
pub(super) struct Model {
    pub(super) scope: Scope,
    pub(super) logs: BTreeMap<PartitionId, Log>,
    pub(super) failure: Option<String>,
    pub(super) story: Option<Vec<String>>,
    /// Rounds of the cleaner, and records that it removed, in this life.
    pub(super) cleaned: (u64, u64),
    /// The process said that it is offline: nothing more is promised in this life.
    pub(super) offline: bool,
    /// The life ended in a clean stop.
    pub(super) clean: bool,
    /// The disk was full for a while in this life.
    pub(super) was_full: bool,
    /// The life is to end in a clean stop, now.
    pub(super) stopping: bool,
    pub(super) births: u64,
    /// Shards of the directory, when it was served last.
    pub(super) shards: u16,
    /// The life before ended in a clean stop: the number of shards may change.
    pub(super) was_clean: bool,
    /// A write that is to be lied about in this life.
    pub(super) lie: Option<Injection>,
    /// Calls of the store's, as a client makes them.
    pub(super) calls: u64,
}

impl Model {
    pub(super) fn new(scope: Scope, story: Option<Vec<String>>) -> Model {
        Model {
            scope,
            story,
            logs: BTreeMap::new(),
            failure: None,
            cleaned: (0, 0),
            offline: false,
            clean: false,
            was_full: false,
            stopping: false,
            births: 0,
            shards: 1,
            was_clean: false,
            lie: None,
            calls: 0,
        }
    }

    /// For a run whose findings do not count.
    pub(super) fn copy(&self) -> Model {
        let empty = Model::new(self.scope.clone(), None);
        Model { logs: self.logs.clone(), shards: self.shards, ..empty }
    }

    pub(super) fn fail(&mut self, what: String) {
        self.tell(|| format!("FAILED: {what}"));
        self.failure.get_or_insert(what);
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let line = what();
            println!("{line}");
            story.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by seed 69366, of the model: a life in which the drive lied ended inside a truncation, and what this had cut seemed to be lost.
    #[test]
    fn a_truncation_under_way_may_have_been_done() {
        let log = |truncating| {
            let mut log = Log::new("t", Arc::default(), 1);
            for base in (0..3).map(Offset) {
                log.push(Appended {
                    base,
                    last: base,
                    payload: Bytes::new(),
                    records: Vec::new(),
                    timestamp: Timestamp(1),
                    appended_at: 1,
                    producer: -1,
                    epoch: Epoch(0),
                });
            }
            (log.written, log.durable, log.truncating) = (log.end, log.end, truncating);
            log
        };
        for (truncating, end, written) in
            [(Some(1), 1, 1), (Some(1), 3, 3), (Some(2), 1, 3), (None, 1, 3)]
        {
            let mut log = log(truncating.map(Offset));
            log.settle_truncation(Offset(end));
            assert_eq!(log.written, Offset(written), "{truncating:?} {end}");
            assert_eq!(log.truncating, None);
        }
    }

    /// Found by seed 13381, of the model: a tombstone that compaction had removed with the rest of its batch was forgotten by a truncation
    /// behind it, for that was in the middle of the batch. Then the value that it had deleted seemed to be lost.
    #[test]
    fn what_a_batch_that_is_cut_had_superseded_may_be_missing() {
        let config = LogConfig { cleanup_compact: true, ..LogConfig::default() };
        let mut log = Log::new("t", Arc::new(config), 1);
        let batches: [&[(&str, Option<&str>)]; 4] = [
            &[("deleted", Some("value"))],
            &[("other", Some("value"))],
            &[("deleted", None), ("later", Some("value"))],
            &[("later", Some("value"))],
        ];
        for records in batches {
            let keyed = |(key, value): &(&'static str, Option<&'static str>)| Keyed {
                key: Bytes::from(*key),
                value: value.map(Bytes::from),
                timestamp: Timestamp(1),
            };
            let base = log.end;
            log.push(Appended {
                base,
                last: base + (i64::try_from(records.len()).unwrap() - 1),
                payload: Bytes::new(),
                records: records.iter().map(keyed).collect(),
                timestamp: Timestamp(1),
                appended_at: 1,
                producer: -1,
                epoch: Epoch(0),
            });
        }
        log.durable = log.end;
        // Of the third batch nothing is left: its first record was a tombstone for long enough, and the last batch has the other's key.
        log.truncate(Offset(3));
        assert_eq!(log.check_missing(Offset(0), 1), Ok(()));
        assert!(log.check_missing(Offset(1), 1).is_err());
    }
}
