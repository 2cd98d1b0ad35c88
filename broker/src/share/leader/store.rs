//! What has changed is stored by the share coordinator, in the order in which it changed: several changes in one write, if they have come
//! together meanwhile. What could not be stored is as it was before.
//!
//! A coordinator that is being loaded, or has gone elsewhere, is asked again for a while.

use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;

use super::super::message::AcknowledgeRefusal;
use super::super::partition::{Change, StoredBatch};
use super::super::state::batches::StateBatch;
use super::super::state::message::{self, StateAnswer, StateAsk, StateRequest};
use super::super::state::{self, Refusal};
use super::led::{Led, State};
use crate::api::share_state_partition;
use crate::clock;
use crate::coordinator::Unserved;
use crate::shard::Shard;

/// Ranges of offsets in one write, about: far from what a record may hold.
const RANGES_A_WRITE: usize = 2_000;
/// How soon the coordinator is asked again, at first and at last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(1);
/// For how long it is.
const RETRY_FOR: Duration = Duration::from_secs(15);

/// A change that is to be stored, and who waits for it.
pub(super) struct Write {
    pub(super) change: Change,
    pub(super) stored: Option<oneshot::Sender<Result<(), AcknowledgeRefusal>>>,
}

impl Led {
    pub(super) fn store(self: &Rc<Self>, shard: &Rc<Shard>, write: Write) {
        self.writes.borrow_mut().push_back(write);
        if self.writing.replace(true) {
            return;
        }
        let (led, of_shard) = (Rc::clone(self), Rc::clone(shard));
        shard.spawn(async move {
            while let Some((writes, ask)) = led.next_write() {
                let outcome = match led.ask_coordinator(&of_shard, ask).await {
                    StateAnswer::Write(outcome) => outcome,
                    _ => Err(Unserved::NotAvailable.into()),
                };
                led.stored(&of_shard, writes, outcome);
            }
            led.writing.set(false);
            led.leave_if_abandoned(&of_shard);
        });
    }

    /// What has come together, and the question that stores it.
    fn next_write(&self) -> Option<(Vec<Write>, StateAsk)> {
        let State::Active { state_epoch, .. } = *self.state.borrow() else { return None };
        let mut queue = self.writes.borrow_mut();
        let mut ranges = 0;
        let mut writes = Vec::new();
        while let Some(write) = queue.pop_front() {
            ranges += write.change.batches.len();
            writes.push(write);
            if ranges >= RANGES_A_WRITE {
                break;
            }
        }
        let last = writes.last()?;
        let batches = writes.iter().flat_map(|write| &write.change.batches).map(batch).collect();
        let ask = StateAsk::Write(message::Change {
            state_epoch,
            leader_epoch: self.leader_epoch,
            start_offset: last.change.start,
            delivery_complete_count: last.change.done,
            batches,
        });
        Some((writes, ask))
    }

    fn stored(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        writes: Vec<Write>,
        outcome: Result<(), Refusal>,
    ) {
        let ids = writes.iter().map(|write| write.change.id);
        self.with(shard, |machine, _| ids.for_each(|id| machine.written(id, outcome.is_ok())));
        if let Err(refusal) = outcome {
            tracing::warn!(group = %self.group(), topic = %self.id.topic, partition = self.id.partition, %refusal, "the state of a share partition is not stored");
            if is_fenced(refusal) {
                shard.shares.remove(shard, self);
            }
        }
        for write in writes {
            if let Some(waits) = write.stored {
                // Whoever waited may be gone.
                let _ = waits.send(outcome.map_err(AcknowledgeRefusal::Unwritten));
            }
        }
        // What could not be stored may have a lock that has run out meanwhile.
        self.arm(shard);
        self.changed(shard);
    }

    /// Asks until there is an answer, or for long enough.
    pub(super) async fn ask_coordinator(&self, shard: &Rc<Shard>, ask: StateAsk) -> StateAnswer {
        let give_up = clock::monotonic() + RETRY_FOR;
        let mut pause = RETRY_FIRST;
        loop {
            let answer = self.ask_once(shard, ask.clone()).await;
            let again = clock::monotonic() + pause;
            let is_over = matches!(*self.state.borrow(), State::Closed) || shard.stopping.get();
            if !may_ask_again(&answer) || again > give_up || is_over {
                return answer;
            }
            shard.deadlines.until(again).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
    }

    async fn ask_once(&self, shard: &Rc<Shard>, ask: StateAsk) -> StateAnswer {
        let Some(partition) = share_state_partition(&shard.image(), &self.key) else {
            // State begins with a coordinator that is found, and that makes the topic.
            return ask.refused(Refusal::ReadUninitialized);
        };
        let late = ask.refused(Unserved::NotAvailable.into());
        let timeout = Duration::from_millis(shard.config.share_state.write_timeout_ms);
        let asked = shard.share_state(partition, StateRequest { key: self.key.clone(), ask });
        shard.deadlines.limit(clock::monotonic() + timeout, asked).await.unwrap_or(late)
    }
}

fn may_ask_again(answer: &StateAnswer) -> bool {
    let refusal = match answer {
        StateAnswer::Read(Err(refusal)) | StateAnswer::Write(Err(refusal)) => *refusal,
        _ => return false,
    };
    match refusal {
        Refusal::Unserved(
            Unserved::Loading | Unserved::NotCoordinator | Unserved::NotAvailable,
        ) => true,
        Refusal::Unserved(Unserved::TooLarge)
        | Refusal::NegativePartition
        | Refusal::ReadUninitialized
        | Refusal::WriteUninitialized
        | Refusal::FencedLeaderEpoch
        | Refusal::FencedStateEpoch
        | Refusal::UnknownPartition
        | Refusal::Unauthorized => false,
    }
}

/// Whether the state has gone to somebody else, or is no more: it must be taken up anew.
fn is_fenced(refusal: Refusal) -> bool {
    matches!(
        refusal,
        state::Refusal::FencedLeaderEpoch
            | state::Refusal::FencedStateEpoch
            | state::Refusal::UnknownPartition
    )
}

fn batch(batch: &StoredBatch) -> StateBatch {
    StateBatch {
        first_offset: batch.first,
        last_offset: batch.last,
        delivery_state: batch.state as i8,
        delivery_count: batch.deliveries,
    }
}
