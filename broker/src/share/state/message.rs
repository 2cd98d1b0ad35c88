//! What the share coordinator is asked about one share partition, and what it answers.

use super::batches::StateBatch;
use super::{Key, Refusal};
use crate::coordinator::Unserved;

/// A request of one share partition.
#[derive(Debug, Clone, PartialEq)]
pub struct StateRequest {
    pub key: Key,
    pub ask: StateAsk,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StateAsk {
    /// State begins, or begins anew. -1: the epoch is not looked at, the offset is not known.
    Initialize {
        state_epoch: i32,
        start_offset: i64,
    },
    /// A leader takes the state up. -1: it is none.
    Read {
        leader_epoch: i32,
    },
    Write(Change),
    Delete,
    /// Where the share partition stands.
    Summary,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The one that was read; -1: it is not looked at.
    pub state_epoch: i32,
    /// -1: it is not looked at.
    pub leader_epoch: i32,
    /// -1 where it stays.
    pub start_offset: i64,
    /// -1 where it is not known.
    pub delivery_complete_count: i32,
    pub batches: Vec<StateBatch>,
}

/// The answer to the ask of the same name. What was initialised, written or deleted is durable.
#[derive(Debug, Clone, PartialEq)]
pub enum StateAnswer {
    Initialize(Result<(), Refusal>),
    Read(Result<ReadState, Refusal>),
    Write(Result<(), Refusal>),
    Delete(Result<(), Refusal>),
    Summary(Result<Summary, Refusal>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReadState {
    pub state_epoch: i32,
    /// -1 where it is not known yet.
    pub start_offset: i64,
    pub batches: Vec<StateBatch>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub state_epoch: i32,
    pub leader_epoch: i32,
    /// -1 where it is not known yet.
    pub start_offset: i64,
    /// -1 where it is not known.
    pub delivery_complete_count: i32,
}

impl StateAsk {
    pub fn refused(&self, refusal: Refusal) -> StateAnswer {
        match self {
            StateAsk::Initialize { .. } => StateAnswer::Initialize(Err(refusal)),
            StateAsk::Read { .. } => StateAnswer::Read(Err(refusal)),
            StateAsk::Write(_) => StateAnswer::Write(Err(refusal)),
            StateAsk::Delete => StateAnswer::Delete(Err(refusal)),
            StateAsk::Summary => StateAnswer::Summary(Err(refusal)),
        }
    }
}

impl StateAnswer {
    /// Why it is none, if it is none.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            StateAnswer::Initialize(outcome)
            | StateAnswer::Write(outcome)
            | StateAnswer::Delete(outcome) => outcome.err(),
            StateAnswer::Read(read) => read.as_ref().err().copied(),
            StateAnswer::Summary(summary) => summary.err(),
        }
    }

    /// What an answer becomes when the record that it rests on could not be written.
    pub fn unwritten(self, why: Unserved) -> StateAnswer {
        let refusal = Refusal::Unserved(why);
        match self {
            StateAnswer::Initialize(_) => StateAnswer::Initialize(Err(refusal)),
            StateAnswer::Read(_) => StateAnswer::Read(Err(refusal)),
            StateAnswer::Write(_) => StateAnswer::Write(Err(refusal)),
            StateAnswer::Delete(_) => StateAnswer::Delete(Err(refusal)),
            StateAnswer::Summary(_) => StateAnswer::Summary(Err(refusal)),
        }
    }
}
