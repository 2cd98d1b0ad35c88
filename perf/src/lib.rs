//! What loads and measures a broker from outside, through a socket as anyone would.
//!
//! Read `client` (a blocking connection), `batch` (record batches built and read back), then by purpose:
//! - `send` and `fetch`: prebuilt Produce frames and a plain reader, to measure what a byte costs the broker;
//! - `roofline`: the least that a machine must do for the same bytes, to compare with;
//! - `journal` and `verify`: a producer that writes down each acknowledgement, and the reader that holds the broker to it.
//!
//! # Not obvious
//! - These programs measure time, run threads and block: clippy's rules for shards do not hold here.
//! - Nothing here judges: each command prints JSON, `scripts/bench` and `scripts/chaos/kill` decide.
#![expect(
    clippy::disallowed_methods,
    reason = "a load generator reads the clock and runs its own threads"
)]

pub mod args;
pub mod batch;
pub mod client;
pub mod fetch;
pub mod journal;
pub mod roofline;
pub mod send;
pub mod verify;
