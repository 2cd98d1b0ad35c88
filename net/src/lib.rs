//! Bytes in and out of the machine.

pub mod connection;
pub mod mesh;
pub mod send;
pub mod wire;

// The derive names what it makes by paths that begin with `::net`, here too.
extern crate self as net;
