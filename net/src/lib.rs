//! Bytes in and out of the machine.

pub mod send;
