//! Bytes in and out of the machine.
//!
//! Read `wire` (Kafka's requests and answers), then `frame` (frames out of a stream), `connection` (requests in, answers out, in
//! order), `listener`, `connections` (how many there may be), `send` (how an answer's parts leave), `budget` (the memory that requests may take), `mesh` (what
//! crosses between shards). `Net` is what all connections of a shard share.
//!
//! # Not obvious
//! - Sockets are non-blocking since `sendfile` must not wait. The ring does not wait on them either: an operation that finds
//!   nothing to do says so, and a poll on the ring waits.
//! - The tasks of a shard run one after another: a connection that always has something to read gives way by itself.

pub mod budget;
pub mod connection;
pub mod connections;
pub mod frame;
pub mod listener;
pub mod mesh;
pub mod send;
mod shared;
pub mod stats;
pub mod wire;

pub use shared::Net;

// The derive names what it makes by paths that begin with `::net`, here too.
extern crate self as net;
