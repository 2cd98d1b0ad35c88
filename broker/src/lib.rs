//! Kafka's behaviour on shards.

mod clock;
pub mod config;
mod deadline;
mod guard;
pub mod metadata;
pub mod metrics;
mod placement;
mod ports;
mod sessions;
mod turnstile;
mod waiting;
