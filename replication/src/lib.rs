//! Agreement, as state machines without I/O, clock or randomness: who leads, what counts as replicated, where replicas go.
//!
//! Everything here is told what happened and says what is to be done; times and random numbers are arguments. So the same
//! code runs in the broker and in a seeded simulation. Values are typed (`storage::units`); no bytes pass.
//!
//! Read in this order: `quorum` (the voters of the metadata log, KRaft), `replica` (the leader of a partition: log end,
//! high watermark, in-sync replicas), `controller` (what a controller decides: placement, assignments).
//!
//! # Not obvious
//! - A high watermark never moves back, also when a replica reports less than it did.
//! - A KRaft leader's high watermark counts only from its own epoch's first record on (the rule of Raft's section 5.4.2).

pub mod controller;
pub mod quorum;
pub mod replica;
