//! Kafka's behaviour on shards.

mod clock;
pub mod controller;
pub mod config;
mod deadline;
mod guard;
pub mod metadata;
pub mod metrics;
pub mod preflight;
pub mod topic_name;
mod placement;
mod ports;
mod sessions;
mod turnstile;
mod waiting;
