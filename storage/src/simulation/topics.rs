//! Topics: how they are configured, how they come and go, where their logs start.

use std::sync::Arc;

use rand::Rng;
use uuid::Uuid;

use super::model::{Log as Expected, Model};
use super::scope::{Part, Scope};
use super::workload::Life;
use crate::config::LogConfig;
use crate::error::{StorageError, TruncateError};
use crate::units::{PartitionId, TopicId};

/// What the scope leaves of a configuration.
fn within(scope: &Scope, config: Arc<LogConfig>) -> Arc<LogConfig> {
    let mut config = LogConfig::clone(&config);
    config.cleanup_compact &= scope.has(Part::Compaction);
    if !scope.has(Part::Retention) {
        (config.retention_ms, config.retention_bytes) = (-1, -1);
    }
    Arc::new(config)
}

pub(super) fn config(random: &mut impl Rng) -> Arc<LogConfig> {
    Arc::new(LogConfig {
        segment_bytes: random.random_range(8..60) << 10,
        segment_ms: if random.random_ratio(1, 4) { 300 } else { i64::MAX / 2 },
        index_interval_bytes: 1 << random.random_range(8..13),
        retention_ms: if random.random_ratio(1, 4) { 400 } else { -1 },
        retention_bytes: if random.random_ratio(1, 3) { 64 << 10 } else { -1 },
        file_delete_delay_ms: random.random_range(0..30),
        flush_messages: if random.random_ratio(1, 6) {
            random.random_range(1..20)
        } else {
            i64::MAX
        },
        flush_ms: if random.random_ratio(1, 8) { 3 } else { i64::MAX },
        cleanup_compact: random.random_ratio(1, 2),
        delete_retention_ms: [0, 5, 100, i64::MAX / 2][random.random_range(0..4)],
        min_compaction_lag_ms: if random.random_ratio(1, 4) { 30 } else { 0 },
        max_compaction_lag_ms: if random.random_ratio(1, 4) { 50 } else { i64::MAX },
        min_cleanable_dirty_ratio: [0.0, 0.3, 0.6][random.random_range(0..3)],
        ..LogConfig::default()
    })
}

pub(super) fn first_topics(model: &mut Model, random: &mut impl Rng) {
    let many = if random.random_ratio(1, 8) { 40 } else { 6 };
    for number in 0..random.random_range(1..many).min(model.scope.topics) {
        new_topic(model, number, None, random);
    }
}

/// Names come back with other ids.
fn new_topic(
    model: &mut Model,
    number: u32,
    id: Option<PartitionId>,
    random: &mut impl Rng,
) -> PartitionId {
    let fresh = PartitionId { topic: TopicId(Uuid::from_u128(random.random())), partition: 0 };
    let restarted = id.is_some();
    let id = id.unwrap_or(fresh);
    model.births += 1;
    let config = within(&model.scope, config(random));
    let mut log = Expected::new(&format!("t{number}"), config, model.births);
    log.retains = log.config.retention_ms >= 0 || log.config.retention_bytes >= 0;
    log.restarted = restarted;
    model.tell(|| format!("topic {} {id:?}", log.topic));
    model.logs.insert(id, log);
    id
}

impl Life {
    pub(super) fn move_start(&self) {
        let Some((id, log)) = self.any() else { return };
        self.count();
        let (start, end) = (log.log_start(), log.durable());
        if end > start && self.draw(2) == 0 {
            let to = start + i64::from(self.draw(u32::try_from(end.0 - start.0).expect("small")));
            if log.advance_log_start(to).is_ok() {
                self.model.borrow_mut().tell(|| format!("{id:?} starts at {to:?}"));
            }
        } else {
            self.store_of(id).enforce_retention();
        }
        self.note_starts();
    }

    /// Cuts off the end of a log: most often a little, now and then all of it.
    pub(super) async fn truncate(&self) {
        let Some((id, log)) = self.any() else { return };
        self.count();
        let (start, end) = (log.log_start(), log.end());
        let range = u32::try_from(end.0 - start.0).expect("small");
        let far = match self.draw(4) {
            0 => range + 2,
            1 => range / 2 + 1,
            _ => range.min(20) + 1,
        };
        let to = end - i64::from(self.draw(far));
        let birth = {
            let mut model = self.model.borrow_mut();
            model.tell(|| format!("truncate {id:?}, {start:?}..{end:?}, to {to:?}"));
            model.births += 1;
            let birth = model.births;
            let Some(expected) = model.logs.get_mut(&id) else { return };
            expected.truncating = Some(to.max(start));
            expected.restarted = true;
            birth
        };
        let truncated = match log.truncate_to(to).await {
            Err(TruncateError::Offline(why)) => return self.went_offline(&why.0).await,
            other => other,
        };
        let is_deleted = log.core().log(id).is_none_or(|now| now.birth() != log.birth());
        let mut model = self.model.borrow_mut();
        let Some(expected) = model.logs.get_mut(&id) else { return };
        let found = match truncated {
            Ok(found) => found,
            Err(TruncateError::Gone) if is_deleted => return,
            Err(error) => return model.fail(format!("truncate: {error}")),
        };
        let to = expected.truncating.unwrap_or(to).max(log.log_start());
        let wanted = expected.truncated(to).max(log.log_start());
        let is_between = expected.compaction.on && found == to;
        if to >= expected.end {
            expected.truncating = None;
        } else if found == wanted || is_between {
            // What was acknowledged before is nothing to go by.
            expected.birth = birth;
            expected.truncate(found);
        } else {
            let what =
                format!("{id:?} was truncated to {to:?}: it ends at {found:?}, not {wanted:?}");
            return model.fail(what);
        }
        let last = expected.batches.last().filter(|batch| batch.last >= log.log_start());
        let epoch = last.filter(|_| !is_between).map(|batch| batch.epoch);
        if log.end() != expected.end || (epoch.is_some() && log.last_epoch() != epoch) {
            let (end, found) = (log.end(), log.last_epoch());
            model.fail(format!("{id:?} ends at {end:?} in {found:?}, not {epoch:?}"));
        }
    }

    pub(super) fn note_starts(&self) {
        let mut model = self.model.borrow_mut();
        for (id, expected) in &mut model.logs {
            if let Some(log) = self.store_of(*id).log(*id) {
                expected.start = log.log_start();
                if !expected.starts.contains(&expected.start) {
                    expected.starts.push(expected.start);
                }
            }
        }
    }

    pub(super) async fn delete(&self) {
        let Some((id, _)) = self.any() else { return };
        if self.model.borrow().logs.len() > 1 {
            self.model.borrow_mut().tell(|| format!("delete {id:?}"));
            let gone = self.model.borrow_mut().logs.remove(&id);
            self.count();
            match self.store_of(id).delete(id).await {
                Ok(()) => {}
                Err(StorageError::Offline(why)) => return self.went_offline(&why.0).await,
                Err(error) => return self.model.borrow_mut().fail(format!("delete: {error}")),
            }
            let Some(gone) = gone else { return };
            // Who has the name next may be in another store.
            if self.stores.len() > 1
                && let Err(StorageError::Offline(why)) = self.store_of(id).names_are_free().await
            {
                return self.went_offline(&why.0).await;
            }
            let number = gone.topic.trim_start_matches('t').parse().expect("a number");
            match self.draw(4) {
                0 => self.add(number, None).await,
                // As a replica that moved away and back.
                1 => self.add(number, Some(id)).await,
                _ => {}
            }
        }
    }

    pub(super) async fn create(&self) {
        let taken: Vec<String> =
            self.model.borrow().logs.values().map(|log| log.topic.clone()).collect();
        let free = (0..8).find(|number| !taken.contains(&format!("t{number}")));
        if let Some(number) = free.filter(|_| taken.len() < 6) {
            self.add(number, None).await;
        }
    }

    async fn add(&self, number: u32, id: Option<PartitionId>) {
        let id = self
            .runtime
            .with_random(|random| new_topic(&mut self.model.borrow_mut(), number, id, random));
        let (topic, config) = {
            let model = self.model.borrow();
            (model.logs[&id].topic.clone(), Arc::clone(&model.logs[&id].config))
        };
        self.count();
        match self.store_of(id).create(id, &topic, config).await {
            Ok(_) => {}
            Err(StorageError::Offline(why)) => self.went_offline(&why.0).await,
            Err(error) => self.model.borrow_mut().fail(format!("create: {error}")),
        }
    }

    pub(super) fn reconfigure(&self) {
        let Some((id, _)) = self.any() else { return };
        self.count();
        let config = self.runtime.with_random(config);
        let config = within(&self.model.borrow().scope, config);
        self.store_of(id).set_config(id, Arc::clone(&config));
        if let Some(log) = self.model.borrow_mut().logs.get_mut(&id) {
            log.retains |= config.retention_ms >= 0 || config.retention_bytes >= 0;
            log.compaction.on |= config.cleanup_compact;
            let shorter = log.compaction.delete_retention_ms.min(config.delete_retention_ms);
            log.compaction.delete_retention_ms = shorter;
            log.config = config;
        }
    }
}
