//! The leader of a partition with its replicas: log end (LEO), high watermark (HW), in-sync replicas (ISR).
//!
//! - A replica's end is what it would not lose: the leader's own is its acknowledged offset, which waits for stable storage
//!   or for the write, as the node was told (`odradek.durability`).
//! - The high watermark is the smallest end among the in-sync replicas. It never moves back.
//! - `acks=all` needs at least `min.insync.replicas` in sync, before the append and after it.

use std::collections::BTreeMap;

use storage::units::{Epoch, Offset};

/// Fewer replicas in sync than the topic asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{in_sync} replicas are in sync, min.insync.replicas is {wanted}")]
pub struct NotEnough {
    pub in_sync: usize,
    pub wanted: usize,
}

/// A leader's view of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    me: i32,
    epoch: Epoch,
    /// Every replica's end; the leader's own is `ends[me]`.
    ends: BTreeMap<i32, Offset>,
    isr: Vec<i32>,
    high_watermark: Offset,
}

impl Leader {
    /// Takes up the leadership of `epoch` with the replica set that the controller decided. `acknowledged` is this
    /// replica's own end, `high_watermark` what it last knew; followers are heard of later.
    ///
    /// The in-sync set must name this replica: a controller elects nobody else.
    pub fn new(
        me: i32,
        epoch: Epoch,
        replicas: &[i32],
        isr: &[i32],
        acknowledged: Offset,
        high_watermark: Offset,
    ) -> Leader {
        assert!(isr.contains(&me), "a leader is in sync with itself");
        assert!(isr.iter().all(|id| replicas.contains(id)), "in-sync replicas are replicas");
        let mut ends: BTreeMap<i32, Offset> = replicas.iter().map(|id| (*id, Offset(0))).collect();
        ends.insert(me, acknowledged);
        let mut leader = Leader { me, epoch, ends, isr: isr.to_vec(), high_watermark };
        leader.advance();
        leader
    }

    /// This replica's acknowledged offset moved. Returns the high watermark if that moved it.
    pub fn acknowledged(&mut self, end: Offset) -> Option<Offset> {
        self.replicated(self.me, end)
    }

    /// A replica has everything before `end`. One that is no replica is ignored.
    pub fn replicated(&mut self, replica: i32, end: Offset) -> Option<Offset> {
        let known = self.ends.get_mut(&replica)?;
        if end <= *known {
            return None;
        }
        *known = end;
        self.advance()
    }

    /// The controller changed the in-sync set. Returns the high watermark if that moved it.
    pub fn set_isr(&mut self, isr: &[i32]) -> Option<Offset> {
        assert!(isr.contains(&self.me), "a leader is in sync with itself");
        self.isr = isr.to_vec();
        self.advance()
    }

    /// May a request with `acks=all` be appended, or acknowledged?
    pub fn enough(&self, min_insync: usize) -> Result<(), NotEnough> {
        // Kafka caps the demand by the number of replicas: a topic with one replica cannot ask for two.
        let wanted = min_insync.min(self.ends.len());
        let in_sync = self.isr.len();
        if in_sync >= wanted { Ok(()) } else { Err(NotEnough { in_sync, wanted }) }
    }

    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn isr(&self) -> &[i32] {
        &self.isr
    }

    fn advance(&mut self) -> Option<Offset> {
        let smallest = self.isr.iter().filter_map(|id| self.ends.get(id)).min().copied()?;
        if smallest <= self.high_watermark {
            return None;
        }
        self.high_watermark = smallest;
        Some(smallest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_the_watermark_is_what_is_acknowledged() {
        let mut leader = Leader::new(1, Epoch(0), &[1], &[1], Offset(5), Offset(0));
        assert_eq!(leader.high_watermark(), Offset(5));
        assert_eq!(leader.acknowledged(Offset(9)), Some(Offset(9)));
        assert_eq!(leader.acknowledged(Offset(9)), None);
        assert_eq!(leader.acknowledged(Offset(3)), None);
        assert_eq!(leader.high_watermark(), Offset(9));
    }

    #[test]
    fn the_slowest_in_sync_replica_holds_the_watermark() {
        let mut leader = Leader::new(1, Epoch(3), &[1, 2, 3], &[1, 2], Offset(10), Offset(4));
        assert_eq!(leader.high_watermark(), Offset(4));
        assert_eq!(leader.replicated(3, Offset(10)), None);
        assert_eq!(leader.replicated(2, Offset(7)), Some(Offset(7)));
        assert_eq!(leader.set_isr(&[1]), Some(Offset(10)));
        assert_eq!(leader.set_isr(&[1, 2]), None);
        assert_eq!(leader.high_watermark(), Offset(10));
        assert_eq!(leader.replicated(9, Offset(99)), None);
    }

    #[test]
    fn acks_all_asks_for_enough() {
        let leader = Leader::new(1, Epoch(3), &[1, 2, 3], &[1], Offset(0), Offset(0));
        assert_eq!(leader.enough(1), Ok(()));
        assert_eq!(leader.enough(2), Err(NotEnough { in_sync: 1, wanted: 2 }));
        assert_eq!(leader.enough(9), Err(NotEnough { in_sync: 1, wanted: 3 }));
    }
}
