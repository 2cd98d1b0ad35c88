//! Control records: what brokers and controllers write among the data, and applications never see.
//!
//! ```text
//! key    i16 version (0), i16 type: 0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer,
//!        5 kraft version, 6 kraft voters
//! value  abort, commit: i16 version (0), i32 epoch of the coordinator
//!        leader change: i16 version (0), i32 leader, compact array of voters, compact array of those that voted for it
//!                       (each: i32 id, tags), tags
//! ```

use crate::batch::Batch;
use crate::batch::varint::put_raw;

/// The kind of a control record, from its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    Abort,
    Commit,
    LeaderChange,
    SnapshotHeader,
    SnapshotFooter,
    KraftVersion,
    KraftVoters,
}

impl ControlType {
    const fn number(self) -> i16 {
        self as i16
    }

    /// Reads a control record's key. None for what this version does not know; such records are skipped.
    pub fn parse(key: &[u8]) -> Option<ControlType> {
        let [version_high, _, type_high, type_low, ..] = *key else {
            return None;
        };
        // A negative version is damage; higher ones keep the type where it is.
        if version_high & 0x80 != 0 {
            return None;
        }
        match i16::from_be_bytes([type_high, type_low]) {
            0 => Some(ControlType::Abort),
            1 => Some(ControlType::Commit),
            2 => Some(ControlType::LeaderChange),
            3 => Some(ControlType::SnapshotHeader),
            4 => Some(ControlType::SnapshotFooter),
            5 => Some(ControlType::KraftVersion),
            6 => Some(ControlType::KraftVoters),
            _ => None,
        }
    }
}

/// The key of a control record.
pub fn control_key(control_type: ControlType) -> [u8; 4] {
    let number = control_type.number().to_be_bytes();
    [0, 0, number[0], number[1]]
}

/// The marker that ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransaction {
    pub committed: bool,
    /// The leader epoch of the coordinator's partition; an older coordinator's marker is refused.
    pub coordinator_epoch: i32,
}

impl EndTransaction {
    /// The marker in a control batch; None for other control batches and for one that the cleaner emptied.
    pub fn of(batch: &Batch) -> Option<EndTransaction> {
        let mut records = batch.records();
        let record = records.next_record().ok()??;
        EndTransaction::parse(record.key?, record.value?)
    }

    /// From the first record of a control batch.
    pub fn parse(key: &[u8], value: &[u8]) -> Option<EndTransaction> {
        let committed = match ControlType::parse(key)? {
            ControlType::Commit => true,
            ControlType::Abort => false,
            _ => return None,
        };
        let version = i16::from_be_bytes(*value.first_chunk()?);
        let epoch = value.get(2..)?.first_chunk()?;
        (version >= 0)
            .then_some(EndTransaction { committed, coordinator_epoch: i32::from_be_bytes(*epoch) })
    }

    pub fn control_type(&self) -> ControlType {
        if self.committed { ControlType::Commit } else { ControlType::Abort }
    }

    /// The value of the control record.
    pub fn value(&self) -> [u8; 6] {
        let epoch = self.coordinator_epoch.to_be_bytes();
        [0, 0, epoch[0], epoch[1], epoch[2], epoch[3]]
    }
}

/// The first record of every epoch of the metadata log: who leads, who may vote, and who voted for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderChange {
    pub leader: i32,
    pub voters: Vec<i32>,
    pub granting: Vec<i32>,
}

impl LeaderChange {
    /// The value of the control record.
    pub fn value(&self) -> Vec<u8> {
        let mut out = vec![0, 0];
        out.extend(self.leader.to_be_bytes());
        for list in [&self.voters, &self.granting] {
            // A compact array's length is one more than it has.
            put_raw(&mut out, list.len() as u64 + 1);
            for id in list {
                out.extend(id.to_be_bytes());
                out.push(0);
            }
        }
        out.push(0);
        out
    }

    pub fn parse(value: &[u8]) -> Option<LeaderChange> {
        let mut rest = value.get(2..)?;
        let leader = take_i32(&mut rest)?;
        let voters = take_ids(&mut rest)?;
        let granting = take_ids(&mut rest)?;
        Some(LeaderChange { leader, voters, granting })
    }
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

fn take_count(rest: &mut &[u8]) -> Option<usize> {
    let mut raw = 0usize;
    for i in 0..5 {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        raw |= usize::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some(raw);
        }
    }
    None
}

fn take_ids(rest: &mut &[u8]) -> Option<Vec<i32>> {
    let count = take_count(rest)?.checked_sub(1)?;
    if count > rest.len() / 5 {
        return None;
    }
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(take_i32(rest)?);
        // Voters have no tagged fields in any version.
        if take_count(rest)? != 0 {
            return None;
        }
    }
    Some(ids)
}
