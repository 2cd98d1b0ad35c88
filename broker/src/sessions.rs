//! Incremental fetch sessions (KIP-227): what a client last asked of each partition and was last told about it, so that a fetch
//! names only what changed.
//!
//! A session belongs to the shard of the connection that opened it and its id names that shard (`id % shards`): on another shard
//! it is unknown, and the client opens a new one. The cache is bounded; a new session takes the place of one that was not used
//! for [`IDLE`], and is otherwise refused, which is always legal: the client then sends full fetches.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use storage::units::Offset;
use uuid::Uuid;

/// Kafka's `min.incremental.fetch.session.eviction.ms`.
const IDLE: Duration = Duration::from_secs(120);
/// The epoch of a request without a session, and of one that ends its session.
pub(crate) const FINAL_EPOCH: i32 = -1;
/// The epoch of a request that opens a session.
pub(crate) const INITIAL_EPOCH: i32 = 0;

/// A partition as the request named it: by topic id from version 13 on, by name before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub topic: ByteString,
    pub topic_id: Uuid,
    pub partition: i32,
}

/// What a fetch asks of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub current_epoch: i32,
    pub from: i64,
    pub last_fetched_epoch: i32,
    pub bytes_max: i32,
}

/// A partition of a session.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    pub key: Key,
    pub wanted: Wanted,
    /// What the client was last told; `NONE` forces an answer.
    pub high_watermark: Offset,
    pub log_start: Offset,
}

pub(crate) struct Session {
    pub partitions: Vec<Cached>,
    places: HashMap<Key, usize>,
    by_id: bool,
    epoch: i32,
    used: Instant,
    /// Where the next answer begins, so that no partition waits behind others for ever.
    pub turn: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionRefusal {
    NotFound,
    InvalidEpoch,
    /// The session was opened with topic names and is asked with ids, or the other way round (KIP-516).
    TopicIds,
}

pub(crate) struct Sessions {
    sessions: HashMap<i32, Session>,
    shard: i32,
    shards: i32,
    slots: usize,
}

impl Sessions {
    /// `slots` is for all shards together.
    pub(crate) fn new(shard: usize, shards: u16, slots: usize) -> Sessions {
        let slots = slots.div_ceil(usize::from(shards.max(1)));
        Sessions {
            sessions: HashMap::new(),
            shard: i32::try_from(shard).unwrap_or(0),
            shards: i32::from(shards),
            slots,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn close(&mut self, id: i32) {
        self.sessions.remove(&id);
    }

    pub(crate) fn get(&mut self, id: i32) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// Opens a session over the partitions of a full fetch; 0 if there is no room. `random` picks the id.
    pub(crate) fn open(
        &mut self,
        partitions: Vec<Cached>,
        by_id: bool,
        now: Instant,
        random: impl Fn() -> u32,
    ) -> i32 {
        if self.sessions.len() >= self.slots {
            let oldest = self
                .sessions
                .iter()
                .min_by_key(|(_, session)| session.used)
                .map(|(id, session)| (*id, session.used));
            match oldest {
                Some((id, used)) if now.saturating_duration_since(used) > IDLE => self.close(id),
                _ => return 0,
            }
        }
        let id = loop {
            // Positive, and congruent to the shard.
            let id =
                i32::try_from(random() >> 2).unwrap_or(1) / self.shards * self.shards + self.shard;
            if id > 0 && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let places =
            partitions.iter().enumerate().map(|(at, cached)| (cached.key.clone(), at)).collect();
        self.sessions
            .insert(id, Session { partitions, places, by_id, epoch: 1, used: now, turn: 0 });
        id
    }

    /// The session of an incremental fetch, at its next epoch.
    pub(crate) fn continue_(
        &mut self,
        id: i32,
        epoch: i32,
        by_id: bool,
        now: Instant,
    ) -> Result<&mut Session, SessionRefusal> {
        let session = self.sessions.get_mut(&id).ok_or(SessionRefusal::NotFound)?;
        if session.epoch != epoch {
            return Err(SessionRefusal::InvalidEpoch);
        }
        if session.by_id != by_id {
            return Err(SessionRefusal::TopicIds);
        }
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        session.used = now;
        Ok(session)
    }
}

impl Session {
    /// What the request names: changed or new partitions.
    pub(crate) fn update(&mut self, key: Key, wanted: Wanted) {
        match self.places.get(&key) {
            Some(&at) => self.partitions[at].wanted = wanted,
            None => {
                self.places.insert(key.clone(), self.partitions.len());
                let unknown = Offset::NONE;
                self.partitions.push(Cached {
                    key,
                    wanted,
                    high_watermark: unknown,
                    log_start: unknown,
                });
            }
        }
    }

    pub(crate) fn forget(&mut self, forgotten: &[Key]) {
        let mut dropped = false;
        for key in forgotten {
            dropped |= self.places.remove(key).is_some();
        }
        if dropped {
            self.partitions.retain(|cached| self.places.contains_key(&cached.key));
            self.places = self
                .partitions
                .iter()
                .enumerate()
                .map(|(at, cached)| (cached.key.clone(), at))
                .collect();
            self.turn = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(topic: &'static str, partition: i32) -> Key {
        Key { topic: ByteString::from_static(topic), topic_id: Uuid::nil(), partition }
    }

    fn wanted(from: i64) -> Wanted {
        Wanted { current_epoch: -1, from, last_fetched_epoch: -1, bytes_max: 1 << 20 }
    }

    fn cached(topic: &'static str, partition: i32) -> Cached {
        Cached {
            key: key(topic, partition),
            wanted: wanted(0),
            high_watermark: Offset::NONE,
            log_start: Offset::NONE,
        }
    }

    #[test]
    fn ids_name_their_shard_and_are_positive() {
        let now = clock();
        for shard in 0..3 {
            let mut sessions = Sessions::new(shard, 3, 30);
            for seed in [0, 1, 7, u32::MAX, 12345] {
                let next = std::cell::Cell::new(seed);
                let id = sessions.open(Vec::new(), true, now, || {
                    next.replace(next.get().wrapping_mul(69069).wrapping_add(13))
                });
                assert!(id > 0 && id % 3 == i32::try_from(shard).unwrap(), "{id}");
            }
        }
    }

    #[test]
    fn a_session_goes_from_epoch_to_epoch() {
        let now = clock();
        let mut sessions = Sessions::new(0, 1, 2);
        let id = sessions.open(vec![cached("a", 0)], false, now, || 400);
        assert_eq!(sessions.continue_(id, 2, false, now).err(), Some(SessionRefusal::InvalidEpoch));
        assert_eq!(sessions.continue_(id, 1, true, now).err(), Some(SessionRefusal::TopicIds));
        assert_eq!(sessions.continue_(id + 1, 1, false, now).err(), Some(SessionRefusal::NotFound));
        let session = sessions.continue_(id, 1, false, now).unwrap();
        session.update(key("a", 0), wanted(5));
        session.update(key("b", 1), wanted(6));
        assert_eq!(session.partitions.len(), 2);
        assert_eq!(session.partitions[0].wanted.from, 5);
        session.forget(&[key("a", 0), key("never", 0)]);
        assert_eq!(session.partitions.len(), 1);
        session.update(key("b", 1), wanted(7));
        assert_eq!(session.partitions[0].wanted.from, 7);
        assert!(sessions.continue_(id, 2, false, now).is_ok());
    }

    #[test]
    fn a_full_cache_gives_way_only_to_the_idle() {
        let now = clock();
        let mut sessions = Sessions::new(0, 1, 1);
        let first = sessions.open(Vec::new(), true, now, || 400);
        assert_eq!(sessions.open(Vec::new(), true, now, || 800), 0);
        let second = sessions.open(Vec::new(), true, now + IDLE * 2, || 800);
        assert!(second > 0 && sessions.get(first).is_none());
    }

    fn clock() -> Instant {
        crate::clock::monotonic()
    }
}
