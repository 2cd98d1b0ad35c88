//! A whole node, spoken to over its socket as a client would, with one shard and with three.

mod client;
mod data;
mod life;
