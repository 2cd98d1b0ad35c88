//! One connection: frames in, answers out, in order.

mod service;

pub use service::{CloseReason, Limits, Outcome, Peer, RATE_FLOOR, Service};
