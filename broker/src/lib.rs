//! Kafka's behaviour on shards.

mod clock;
pub mod controller;
pub mod config;
pub mod admin;
mod deadline;
mod guard;
pub mod logging;
pub mod metadata;
pub mod metrics;
pub mod preflight;
pub mod signals;
pub mod topic_name;
mod placement;
mod ports;
mod sessions;
mod turnstile;
mod waiting;
