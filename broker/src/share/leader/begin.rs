//! How a share partition's state is taken up: what the share coordinator has of it, and where the group begins that it knows nothing of.

use std::rc::Rc;

use storage::units::{Offset, Timestamp};

use super::super::message::Trouble;
use super::super::partition::{Partition as Machine, StoredBatch, StoredState};
use super::super::state::message::{ReadState, StateAnswer, StateAsk};
use super::super::state::{self};
use super::led::{Led, State, limits};
use crate::clock;
use crate::config::OffsetReset;
use crate::message::{OffsetsPart, Sought};
use crate::shard::Shard;

impl Led {
    /// Begins to take it up.
    pub(super) fn begin(self: &Rc<Self>, shard: &Rc<Shard>) {
        let (led, shard_of) = (Rc::clone(self), Rc::clone(shard));
        shard.spawn(async move {
            let state = led.read(&shard_of).await;
            if !matches!(*led.state.borrow(), State::Beginning) {
                return;
            }
            let failed = state.as_ref().err().copied();
            if let Some(trouble) = failed {
                tracing::warn!(group = %led.group(), topic = %led.id.topic, partition = led.id.partition, %trouble, "a share partition cannot be served");
            }
            *led.state.borrow_mut() = state.unwrap_or_else(State::Failed);
            // What went wrong stays until a fetch is told, or nobody asks for long.
            if failed.is_none() {
                led.keep_time(&shard_of);
            }
            led.changed(&shard_of);
        });
    }

    async fn read(self: &Rc<Self>, shard: &Rc<Shard>) -> Result<State, Trouble> {
        let ask = StateAsk::Read { leader_epoch: self.leader_epoch };
        let read = match self.ask_coordinator(shard, ask).await {
            StateAnswer::Read(Ok(read)) => read,
            StateAnswer::Read(Err(refusal)) => return Err(Trouble::State(refusal)),
            _ => return Err(Trouble::State(state::Refusal::ReadUninitialized)),
        };
        let start = match read.start_offset {
            -1 => self.first_offset(shard).await?,
            start => start,
        };
        let stored = stored(&read).ok_or(Trouble::Contradiction)?;
        let machine = Machine::new(limits(&self.rules(shard)), start, &stored)
            .map_err(|_| Trouble::Contradiction)?;
        Ok(State::Active { machine: Box::new(machine), state_epoch: read.state_epoch })
    }

    /// Where the group's reset policy says that it begins.
    async fn first_offset(&self, shard: &Shard) -> Result<i64, Trouble> {
        let sought = match self.rules(shard).reset {
            OffsetReset::Latest => Sought::Latest,
            OffsetReset::Earliest => Sought::Earliest,
            OffsetReset::Ago(ms) => {
                let ms = i64::try_from(ms).unwrap_or(i64::MAX);
                Sought::At(Timestamp(clock::wall().0.saturating_sub(ms)))
            }
        };
        let part =
            OffsetsPart { partition: self.id, current_epoch: None, sought, read_committed: false };
        let found = self.partition.find_offset(&part).await?;
        found.map(|found| found.offset).map(|Offset(offset)| offset).ok_or(Trouble::NoOffset)
    }
}

/// `None` for a state that Kafka's records do not know.
fn stored(read: &ReadState) -> Option<Vec<StoredBatch>> {
    let batches = read.batches.iter().map(|batch| {
        Some(StoredBatch {
            first: batch.first_offset,
            last: batch.last_offset,
            state: StoredState::of(batch.delivery_state)?,
            deliveries: batch.delivery_count,
        })
    });
    batches.collect()
}
