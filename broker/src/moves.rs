//! Partitions that move to other log directories while they are written (AlterReplicaLogDirs, KIP-113).
//!
//! [`storage::moving`] is how, and what a crash leaves; here is who asks for it: one task a partition, which follows what was asked
//! last. While the last of the log is copied the task has its turn at the partition (`turnstile`), so that appends wait; reads go on. The
//! controller's record decides. A start goes on with the moves that it finds ([`Shard::resume_moves`]).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use storage::MoveError;
use storage::units::PartitionId;

use crate::controller::{ControllerAnswer, ControllerRequest};
use crate::message::InDirectory;
use crate::partition::Partition;
use crate::shard::{Log, Place, Shard};

/// Offsets that are left when appends are stopped.
const LEFT: i64 = 1_000;
/// How long a move waits before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// And how often.
const ATTEMPTS: u32 = 30;

/// Why a move is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoveRefusal {
    #[error("this node has no replica of the partition")]
    NotHere,
    #[error("a log directory is offline")]
    Offline,
}

/// A move that is under way.
pub(crate) struct Move {
    /// Where in `log.dirs` the partition is to go; its own place ends the move.
    to: Cell<usize>,
}

impl Shard {
    /// Each partition is to be in that directory.
    pub(crate) fn begin_moves(
        self: &Rc<Self>,
        parts: &[(PartitionId, usize)],
    ) -> Vec<Result<(), MoveRefusal>> {
        parts.iter().map(|(id, to)| self.begin_move(*id, *to)).collect()
    }

    fn begin_move(self: &Rc<Self>, id: PartitionId, to: usize) -> Result<(), MoveRefusal> {
        self.online_place(to).ok_or(MoveRefusal::Offline)?;
        let Some(partition) = self.partition(id) else {
            let offline = self.is_offline(id);
            return Err(if offline { MoveRefusal::Offline } else { MoveRefusal::NotHere });
        };
        let mut moves = self.moves.borrow_mut();
        match moves.get(&id) {
            Some(under_way) => under_way.to.set(to),
            None if partition.directory() == to => {}
            None => {
                let begun = Rc::new(Move { to: Cell::new(to) });
                moves.insert(id, Rc::clone(&begun));
                let shard = Rc::clone(self);
                self.spawn(async move { shard.follow_move(id, &begun).await });
            }
        }
        Ok(())
    }

    /// Goes on with what was found when the directories were opened, and removes what moves have left.
    pub(crate) fn resume_moves(self: &Rc<Self>) {
        let places = self.places.get().map(Vec::as_slice).unwrap_or_default();
        for (number, place) in places.iter().enumerate() {
            let Some(place) = place else { continue };
            for id in &place.elsewhere {
                // Where its own directory is offline, nothing of it is touched.
                let Some(log) = place.store.log(*id).filter(|_| self.partition(*id).is_some())
                else {
                    continue;
                };
                if log.is_future() {
                    let _ = self.begin_move(*id, number);
                } else {
                    let shard = Rc::clone(self);
                    self.spawn(async move { shard.delete_from(number, &log).await });
                }
            }
        }
    }

    fn online_place(&self, number: usize) -> Option<&Place> {
        self.place(number).filter(|place| place.store.offline().is_none())
    }

    async fn follow_move(self: &Rc<Self>, id: PartitionId, asked: &Move) {
        let mut attempt = 0;
        while let Some(partition) = self.partition(id) {
            let (from, to) = (partition.directory(), asked.to.get());
            if from == to || self.stopping.get() || attempt == ATTEMPTS {
                break;
            }
            attempt += 1;
            match self.move_once(id, &partition, asked).await {
                Ok(()) => {}
                Err(MoveError::Gone) if asked.to.get() != to => attempt = 0,
                Err(MoveError::Behind) => self.give_up_move(&partition, to).await,
                Err(error @ (MoveError::Offline(_) | MoveError::TooLarge(_))) => {
                    self.tell_move(id, to, &error);
                    self.give_up_move(&partition, to).await;
                    break;
                }
                Err(error) => {
                    self.tell_move(id, to, &error);
                    glommio::timer::sleep(PAUSE).await;
                }
            }
            let is_elsewhere = partition.directory() != to;
            if is_elsewhere && (asked.to.get() != to || attempt == ATTEMPTS) {
                self.give_up_move(&partition, to).await;
            }
        }
        self.moves.borrow_mut().remove(&id);
    }

    /// A stop leaves what there is, for the next start to go on with.
    async fn give_up_move(&self, partition: &Partition, to: usize) {
        if self.stopping.get() || partition.directory() == to {
            return;
        }
        if let Some(place) = self.place(to)
            && let Err(error) = place.store.give_up(&partition.log()).await
        {
            tracing::debug!(%error, "what a move has begun stays until the next start");
        }
    }

    fn tell_move(&self, id: PartitionId, to: usize, error: &MoveError) {
        if self.stopping.get() {
            return;
        }
        let to = self.config.log_dirs()[to].display();
        tracing::warn!(topic = %id.topic, partition = id.partition, %to, %error, "the partition does not move now");
    }

    async fn move_once(
        self: &Rc<Self>,
        id: PartitionId,
        partition: &Rc<Partition>,
        asked: &Move,
    ) -> Result<(), MoveError> {
        let (from, to) = (partition.directory(), asked.to.get());
        let place = self.online_place(to).ok_or(MoveError::Gone)?;
        let goes_on = || asked.to.get() == to && !self.stopping.get();
        let source = partition.log();
        let future = place.store.receive(&source).await?;
        place.store.catch_up(&source, &future, LEFT, goes_on).await?;
        let mut turn = partition.enter();
        if !turn.is_front() {
            turn.come().await;
        }
        if !goes_on() {
            return Err(MoveError::Gone);
        }
        let decide = async || self.decide(id, place).await;
        if place.store.take_place(&source, &future, decide).await?.is_err() {
            // Nothing was decided: the metadata has no room, or the node stops.
            return Err(MoveError::NoRoom("the controller did not write where the partition is"));
        }
        self.moved(partition, future, to);
        drop(turn);
        tracing::info!(topic = %id.topic, partition = id.partition, to = %place.directory.path.display(), "the partition has moved");
        self.delete_from(from, &source).await;
        Ok(())
    }

    async fn decide(&self, id: PartitionId, place: &Place) -> Result<(), ()> {
        let directory = place.directory.id;
        match self.controller(ControllerRequest::Place { partition: id, directory }).await {
            Ok(ControllerAnswer::Placed) => Ok(()),
            _ => Err(()),
        }
    }

    /// From now on the partition is here.
    fn moved(&self, partition: &Partition, log: Log, to: usize) {
        let acknowledged = log.acknowledged();
        partition.move_to(log, to);
        let mut moved = Vec::new();
        partition.advance(acknowledged, &mut moved);
        self.tell_moved(moved);
    }

    /// What a directory has of a partition that is in another one. The partition may come back there: this log goes, and no other.
    async fn delete_from(&self, number: usize, log: &Log) {
        let Some(place) = self.online_place(number) else { return };
        let id = log.id();
        if let Err(error) = place.store.delete_log(log).await {
            // The next start tries again.
            tracing::warn!(topic = %id.topic, partition = id.partition, directory = %place.directory.path.display(), %error, "what a move has left stays");
        }
    }

    /// What this shard has in each directory; `None` where it is offline.
    pub(crate) fn in_directories(&self) -> Vec<Option<Vec<InDirectory>>> {
        let image = self.image();
        let places = self.places.get().map(Vec::as_slice).unwrap_or_default();
        let within = |number: usize| {
            let place = self.online_place(number)?;
            let all = place.store.logs().into_iter().filter_map(|log| {
                let id = log.id();
                let partition = self.partition(id)?;
                let is_future = log.is_future();
                // What a move has left is no replica.
                if !is_future && partition.directory() != number {
                    return None;
                }
                let end =
                    if is_future { partition.log().end() } else { partition.high_watermark() };
                Some(InDirectory {
                    topic: image.topic(id.topic)?.name.clone(),
                    partition: id.partition,
                    bytes: log.size_bytes(),
                    lag: (end - log.end()).max(0),
                    is_future,
                })
            });
            Some(all.collect())
        };
        (0..places.len()).map(within).collect()
    }
}
