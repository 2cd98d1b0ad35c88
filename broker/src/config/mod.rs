//! Configuration: `server.properties` and the command line in, an immutable `Config` out.
//!
//! Read in this order: `command_line` (what was asked), `key` and `table` (what is known about each key),
//! `settings` (layers of text), `load` and `build` (refusals, warnings, fields), `broker` (the result), `listeners`, `memory`, `topic`,
//! `group`, `client_metrics`; then what changes at run time: `dynamic` (what may) and `in_force` (what counts).

mod broker;
mod build;
pub mod client_metrics;
pub mod command_line;
mod connections;
pub mod describe;
mod duration;
pub mod dynamic;
pub mod group;
mod groups;
mod in_force;
pub mod key;
mod listeners;
mod load;
mod memory;
pub mod settings;
mod share;
mod share_rules;
pub mod table;
pub mod topic;

pub use broker::{Config, MetadataLog};
pub use command_line::{Command, Invocation};
pub use groups::Groups;
pub use listeners::{Advertised, Listener};
pub use load::{Loaded, Place, Problem, Refused, load};
pub use memory::{Memory, ShardMemory, parse_size};
pub use share::ShareState;
pub use share_rules::{OffsetReset, ShareRules};
pub use storage::Durability;
pub use topic::TopicConfig;
