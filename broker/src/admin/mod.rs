//! The admin server: `/health` and `/metrics` over HTTP, on a thread and a runtime of its own.
//!
//! It shares nothing with the shards: what it shows it asks for, by the source it is given once the node serves. It listens before that,
//! so that a probe sees "starting" instead of a closed port, and a port that is taken is found before anything else is opened.
//! Read in this order: `server` (thread, routes), `bounded` (how many connections, how long), `text` (Prometheus's format), `process`.

mod bounded;
mod process;
mod server;
mod text;

pub use server::{Admin, Phase, Source};
pub use text::render;
