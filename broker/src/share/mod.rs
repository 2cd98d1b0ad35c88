//! Share groups, queues on topics (KIP-932).
//!
//! `state` is the share coordinator: it keeps what the leader of a partition must know of its records to go on where another one, or the
//! same before a crash, has stopped.

pub mod state;
