//! Share groups, queues on topics (KIP-932).
//!
//! `state` is the share coordinator: it keeps what the leader of a partition must know of its records to go on where another one, or the
//! same before a crash, has stopped. `partition` is what that leader keeps track of: which records may be delivered, and who has them; `leader`
//! is where it meets the log, the clock and the share coordinator. `sessions` says which partitions a member fetches, `shard` how all of them
//! reach each other from shard to shard, by what is in `message`.

pub(crate) mod leader;
pub(crate) mod message;
pub(crate) mod partition;
pub(crate) mod sessions;
mod shard;
pub(crate) mod slots;
pub mod state;
