//! Kafka's behaviour on shards.
//!
//! Read `node` (the process put together), `shard` (one executor), `lifecycle` (how a shard begins and ends), `message` and `calls` (what
//! crosses), `partition` (where a log meets its waiters), then `api`, one handler file per Kafka API. `controller` and `metadata` are the
//! cluster's metadata log and its image; `config` and `preflight` what comes before; `admin` what is shown.
//!
//! # Not obvious
//! - A place in a partition's order is taken when a request comes (`turnstile`), not when its future is first polled.
//! - Answers leave a connection in the order of its requests: a parked fetch holds back what its connection asked later.
//! - glommio can sleep while tasks are runnable; `guard` wakes it, from a thread that is none of its own.

pub mod admin;
mod api;
mod calls;
mod clock;
pub mod config;
pub mod controller;
mod coordinator;
mod deadline;
pub mod directories;
mod doors;
pub mod group;
mod guard;
pub mod inspect;
mod lifecycle;
mod log_levels;
pub mod logging;
mod message;
pub mod metadata;
pub mod metrics;
mod moves;
pub mod node;
mod outside;
mod partition;
mod placement;
mod ports;
pub mod preflight;
mod quota;
mod sessions;
mod shard;
pub mod share;
pub mod signals;
mod stats;
mod telemetry;
pub mod topic_name;
mod turnstile;
mod waiting;
