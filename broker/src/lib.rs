//! Kafka's behaviour on shards.

pub mod config;
pub mod metrics;
