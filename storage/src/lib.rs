//! Bytes on disk: batches, commit log, segments, indexes, recovery.

pub mod batch;
pub mod units;
