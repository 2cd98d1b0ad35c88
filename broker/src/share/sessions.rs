//! Share sessions: which partitions a member of a share group fetches, so that its requests name only what changes.
//!
//! A session belongs to a member of a group, whatever connection it uses: one that begins takes the place of the one before. All sessions
//! of a group are on one shard, which follows from the group's id, not on that of the connection: so a member that comes back through
//! another shard finds its session, or ends it, as it would with Kafka, and it is known when the last session of a group ends. What that
//! costs is a message there and back for a request that came in elsewhere. The records themselves do not go that way.
//!
//! Each request says the session's epoch, which counts up: 0 begins a session, -1 ends it. A connection that ends takes with it the sessions
//! that began on it.
//!
//! No I/O and no clock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use storage::units::PartitionId;

use super::slots::{Slot, Slots};

/// The epoch of a request that begins a session, and of one that ends it.
pub(crate) const FIRST_EPOCH: i32 = 0;
pub(crate) const FINAL_EPOCH: i32 = -1;

/// A connection of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId {
    pub shard: usize,
    pub number: u64,
}

/// A partition as a request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub partition: PartitionId,
    /// Whether its topic was there when the session got it.
    pub known: bool,
}

/// What an answer says of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub partition: PartitionId,
    pub has_records: bool,
    pub has_error: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefusal {
    #[error("the member has no session")]
    NotFound,
    #[error("the session is in another epoch")]
    InvalidEpoch,
    #[error("a request that begins a session acknowledges nothing")]
    AcknowledgesAtFirst,
    #[error("a partition is named twice")]
    NamedTwice,
    #[error("there are as many sessions as there may be")]
    LimitReached,
    #[error("the node is stopping")]
    Stopping,
}

/// What a fetch asks of its session.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub epoch: i32,
    pub named: Vec<Named>,
    pub forgotten: Vec<PartitionId>,
    pub acknowledges: bool,
    pub connection: ConnectionId,
}

#[derive(Debug)]
struct Session {
    /// The next to be told about comes first.
    partitions: Vec<Cached>,
    epoch: i32,
    connection: ConnectionId,
    _slot: Slot,
}

#[derive(Debug)]
struct Cached {
    named: Named,
    /// The next answer must name it.
    owed: bool,
}

/// What a session leaves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Where its member may have records.
    pub(crate) partitions: Vec<PartitionId>,
    /// The group has no other session.
    pub(crate) group_is_empty: bool,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    /// By group and member.
    groups: HashMap<ByteString, HashMap<ByteString, Session>>,
    slots: Arc<Slots>,
}

impl Sessions {
    pub(crate) fn new(slots: Arc<Slots>) -> Sessions {
        Sessions { groups: HashMap::new(), slots }
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.values().map(HashMap::len).sum()
    }

    /// A fetch of this epoch: the partitions that it is about.
    pub(crate) fn fetch(
        &mut self,
        group: &ByteString,
        member: &ByteString,
        fetch: Fetch,
    ) -> Result<Vec<Named>, SessionRefusal> {
        match fetch.epoch {
            FIRST_EPOCH => self.begin(group, member, fetch),
            FINAL_EPOCH => match self.get(group, member) {
                Some(_) => Ok(Vec::new()),
                None => Err(SessionRefusal::NotFound),
            },
            epoch => {
                let session = self.at(group, member, epoch)?;
                session.update(&fetch.named, &fetch.forgotten);
                session.epoch = next(epoch);
                Ok(session.partitions.iter().map(|cached| cached.named).collect())
            }
        }
    }

    fn begin(
        &mut self,
        group: &ByteString,
        member: &ByteString,
        fetch: Fetch,
    ) -> Result<Vec<Named>, SessionRefusal> {
        if fetch.acknowledges {
            return Err(SessionRefusal::AcknowledgesAtFirst);
        }
        // What its member has stays with it until the locks run out.
        self.end(group, member);
        let mut partitions: Vec<PartitionId> =
            fetch.named.iter().map(|named| named.partition).collect();
        partitions.sort_unstable();
        if partitions.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SessionRefusal::NamedTwice);
        }
        let slot = self.slots.take().ok_or(SessionRefusal::LimitReached)?;
        let cached = fetch.named.iter().map(|named| Cached { named: *named, owed: false });
        let session = Session {
            partitions: cached.collect(),
            epoch: next(FIRST_EPOCH),
            connection: fetch.connection,
            _slot: slot,
        };
        self.groups.entry(group.clone()).or_default().insert(member.clone(), session);
        Ok(fetch.named)
    }

    /// An acknowledgement of this epoch, without a fetch.
    pub(crate) fn acknowledge(
        &mut self,
        group: &ByteString,
        member: &ByteString,
        epoch: i32,
    ) -> Result<(), SessionRefusal> {
        match epoch {
            FIRST_EPOCH => Err(SessionRefusal::InvalidEpoch),
            FINAL_EPOCH => self.get(group, member).map(drop).ok_or(SessionRefusal::NotFound),
            epoch => {
                self.at(group, member, epoch)?.epoch = next(epoch);
                Ok(())
            }
        }
    }

    /// The fetch of this epoch is to be answered so: which partitions the answer must name. What was answered with records comes last the
    /// next time.
    pub(crate) fn answer(
        &mut self,
        group: &ByteString,
        member: &ByteString,
        epoch: i32,
        told: &[Told],
    ) -> Result<Vec<bool>, SessionRefusal> {
        let session =
            self.at(group, member, next(epoch)).map_err(|_| SessionRefusal::InvalidEpoch)?;
        Ok(session.answer(told))
    }

    /// The session is over.
    pub(crate) fn end(&mut self, group: &ByteString, member: &ByteString) -> Option<Ended> {
        let sessions = self.groups.get_mut(group)?;
        let session = sessions.remove(member)?;
        let group_is_empty = sessions.is_empty();
        if group_is_empty {
            self.groups.remove(group);
        }
        let partitions = session.partitions.iter().map(|cached| cached.named.partition).collect();
        Some(Ended { partitions, group_is_empty })
    }

    /// A connection is over, and with it the session, if it began there.
    pub(crate) fn end_with(
        &mut self,
        group: &ByteString,
        member: &ByteString,
        connection: ConnectionId,
    ) -> Option<Ended> {
        let session = self.get(group, member)?;
        if session.connection != connection {
            return None;
        }
        self.end(group, member)
    }

    fn get(&mut self, group: &ByteString, member: &ByteString) -> Option<&mut Session> {
        self.groups.get_mut(group)?.get_mut(member)
    }

    fn at(
        &mut self,
        group: &ByteString,
        member: &ByteString,
        epoch: i32,
    ) -> Result<&mut Session, SessionRefusal> {
        let session = self.get(group, member).ok_or(SessionRefusal::NotFound)?;
        if session.epoch != epoch {
            return Err(SessionRefusal::InvalidEpoch);
        }
        Ok(session)
    }
}

impl Session {
    fn update(&mut self, named: &[Named], forgotten: &[PartitionId]) {
        let mut known: HashSet<PartitionId> =
            self.partitions.iter().map(|cached| cached.named.partition).collect();
        for named in named {
            if known.insert(named.partition) {
                // What is new is told about once, whatever there is to tell.
                self.partitions.push(Cached { named: *named, owed: true });
            }
        }
        let forgotten: HashSet<&PartitionId> = forgotten.iter().collect();
        if !forgotten.is_empty() {
            self.partitions.retain(|cached| !forgotten.contains(&cached.named.partition));
        }
    }

    fn answer(&mut self, told: &[Told]) -> Vec<bool> {
        let places: HashMap<PartitionId, usize> = self
            .partitions
            .iter()
            .enumerate()
            .map(|(at, cached)| (cached.named.partition, at))
            .collect();
        let named = told.iter().map(|told| {
            let Some(at) = places.get(&told.partition) else { return true };
            let cached = &mut self.partitions[*at];
            let must = told.has_records || told.has_error || cached.owed;
            // An error is told again until it is over.
            cached.owed = told.has_error;
            must
        });
        let named = named.collect();
        let with_records: HashSet<PartitionId> =
            told.iter().filter(|told| told.has_records).map(|told| told.partition).collect();
        // The order of the others stays.
        self.partitions.sort_by_key(|cached| with_records.contains(&cached.named.partition));
        named
    }
}

/// The epoch after this one.
fn next(epoch: i32) -> i32 {
    match epoch {
        i32::MIN..0 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}

#[cfg(test)]
mod tests;
