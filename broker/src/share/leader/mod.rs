//! The leader's side of share groups: a shard hosts the share partitions of the partitions that it owns, each from the first fetch of its
//! group on until the group has no session any more, or the partition leaves.
//!
//! Read in this order: this file (which there are, and what they are asked), `led` (one of them), `begin` (how its state is taken up), `read`
//! (records for a member), `store` (what has changed is stored).

mod begin;
mod led;
mod read;
mod store;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use futures::future::join_all;
use storage::units::PartitionId;

use self::led::Led;
use super::message::{
    AcknowledgeAsk, AcknowledgeRefusal, LookAsk, Looked, ReleaseAsk, Standing, TakeAsk, Taken,
    Trouble,
};
use crate::clock;
use crate::shard::Shard;

/// A share partition that no fetch has asked for in this time may go, as one of a group without sessions does. There is such a one where a
/// fetch was overtaken by the end of its session.
const IDLE: Duration = Duration::from_secs(600);
/// How often they are looked for, if new ones come.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The share partitions that are led here, by group.
#[derive(Default)]
pub(crate) struct Shares {
    by_group: RefCell<HashMap<ByteString, HashMap<PartitionId, Rc<Led>>>>,
    looked: Cell<Option<Instant>>,
}

impl Shares {
    fn get(&self, group: &ByteString, id: PartitionId) -> Option<Rc<Led>> {
        self.by_group.borrow().get(group)?.get(&id).map(Rc::clone)
    }

    fn insert(&self, group: &ByteString, led: Rc<Led>) {
        self.by_group.borrow_mut().entry(group.clone()).or_default().insert(led.id, led);
    }

    /// Takes it out, if it is still this one, and ends it.
    fn remove(&self, shard: &Shard, led: &Led) {
        let is_it = self.get(led.group(), led.id).is_some_and(|known| std::ptr::eq(&*known, led));
        if is_it && let Some(of_group) = self.by_group.borrow_mut().get_mut(led.group()) {
            of_group.remove(&led.id);
        }
        self.by_group.borrow_mut().retain(|_, of_group| !of_group.is_empty());
        led.close(shard);
    }

    fn which(&self, which: impl Fn(&Led) -> bool) -> Vec<Rc<Led>> {
        let groups = self.by_group.borrow();
        groups.values().flat_map(HashMap::values).filter(|led| which(led)).map(Rc::clone).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_group.borrow().values().map(HashMap::len).sum()
    }
}

impl Shard {
    /// The share partition; its state begins to be taken up with the first call. What went wrong with that is told once.
    fn share_led(self: &Rc<Self>, group: &ByteString, id: PartitionId) -> Result<Rc<Led>, Trouble> {
        if let Some(led) = self.shares.get(group, id) {
            return match led.trouble() {
                Some(trouble) => {
                    self.shares.remove(self, &led);
                    Err(trouble)
                }
                None => {
                    led.is_used();
                    Ok(led)
                }
            };
        }
        let partition = self.partition(id).ok_or_else(|| self.read_refusal(id))?;
        self.share_idle_go();
        let led = Led::new(group, id, partition);
        self.shares.insert(group, Rc::clone(&led));
        led.begin(self);
        Ok(led)
    }

    fn share_idle_go(&self) {
        let now = clock::monotonic();
        let looked = self.shares.looked.get();
        if looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_EVERY) {
            return;
        }
        self.shares.looked.set(Some(now));
        self.shares.which(|led| led.is_idle(IDLE)).iter().for_each(|led| led.abandon(self));
    }

    /// How much could be taken of each.
    pub(crate) fn share_look(
        self: &Rc<Self>,
        ask: LookAsk,
    ) -> impl Future<Output = Vec<Result<Looked, Trouble>>> + use<> {
        let shard = Rc::clone(self);
        async move {
            let mut looked = Vec::with_capacity(ask.parts.len());
            for id in ask.parts {
                looked.push(match shard.share_led(&ask.group, id) {
                    Ok(led) => led.look(&shard, ask.bytes_max).await,
                    Err(trouble) => Err(trouble),
                });
            }
            looked
        }
    }

    /// Records for a member, from one partition after another.
    pub(crate) fn share_take(
        self: &Rc<Self>,
        ask: TakeAsk,
    ) -> impl Future<Output = Vec<Result<Taken, Trouble>>> + use<> {
        let shard = Rc::clone(self);
        async move {
            let (mut wish, member) = (ask.wish, Rc::from(&*ask.member));
            let mut taken = Vec::with_capacity(ask.parts.len());
            for id in ask.parts {
                let part = match shard.share_led(&ask.group, id) {
                    Ok(led) => led.take(&shard, &member, wish).await,
                    Err(trouble) => Err(trouble),
                };
                if let Ok(Taken::Records { batches, acquired }) = &part {
                    wish = wish.without(batches, acquired);
                }
                taken.push(part);
            }
            taken
        }
    }

    /// What a member says of records. It has its effect when this returns, and is answered when that is stored.
    pub(crate) fn share_acknowledge(
        self: &Rc<Self>,
        ask: &AcknowledgeAsk,
    ) -> impl Future<Output = Vec<Result<(), AcknowledgeRefusal>>> + use<> {
        let said = ask.parts.iter().map(|(id, batches)| {
            let led = self.shares.get(&ask.group, *id).ok_or(AcknowledgeRefusal::NotHere)?;
            led.acknowledge(self, &ask.member, batches)
        });
        let said: Vec<_> = said.collect();
        async move {
            join_all(said.into_iter().map(|said| async {
                let Some(stored) = said? else { return Ok(()) };
                stored.await.unwrap_or(Err(AcknowledgeRefusal::Left))
            }))
            .await
        }
    }

    /// What a member has is available to others as soon as that is stored.
    pub(crate) fn share_release(self: &Rc<Self>, ask: &ReleaseAsk) {
        for id in &ask.partitions {
            if let Some(led) = self.shares.get(&ask.group, *id) {
                led.release(self, &ask.member);
            }
        }
    }

    /// Parks a fetch of `shard`; false if something has changed already.
    pub(crate) fn share_watch(
        &self,
        shard: usize,
        watch: u64,
        group: &ByteString,
        seen: &[(PartitionId, Standing)],
    ) -> bool {
        seen.iter().all(|(id, standing)| {
            let Some(led) = self.shares.get(group, *id) else { return false };
            let appended = || led.partition.watch(shard, watch, standing.high_watermark);
            led.watch(shard, watch, standing.changes) && (!standing.acquirable || appended())
        })
    }

    pub(crate) fn share_unwatch(
        &self,
        shard: usize,
        watch: u64,
        group: &ByteString,
        partitions: &[PartitionId],
    ) {
        for id in partitions {
            if let Some(led) = self.shares.get(group, *id) {
                led.unwatch(shard, watch);
                led.partition.unwatch(shard, watch);
            }
        }
    }

    /// The group has no session: its share partitions are let go, once nothing of them is in flight.
    pub(crate) fn share_group_is_empty(&self, group: &ByteString) {
        for led in self.shares.which(|led| led.group() == group) {
            led.abandon(self);
        }
    }

    /// Partitions have left this shard, or have another leader epoch.
    pub(crate) fn share_partitions_left(&self, which: impl Fn(PartitionId) -> bool) {
        for led in self.shares.which(|led| which(led.id)) {
            self.shares.remove(self, &led);
        }
    }
}
