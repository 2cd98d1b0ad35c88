//! Sends an answer's parts on a socket.

mod parts;

pub use parts::{FileRange, Part, Parts};
