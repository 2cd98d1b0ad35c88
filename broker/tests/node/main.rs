//! A whole node, spoken to over its socket as a client would, with one shard and with three.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod client;
mod compaction;
mod configs;
mod data;
mod directories;
mod groups;
mod life;
mod many;
mod quotas;
mod share_fetch;
mod share_groups;
mod share_state;
mod telemetry;
