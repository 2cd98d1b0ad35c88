//! Bytes on disk: batches, commit log, segments, indexes, recovery.

pub mod batch;
pub mod checkpoint;
pub mod epochs;
pub mod index;
pub mod producer;
pub mod units;
