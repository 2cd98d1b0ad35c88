//! Cluster metadata: what is written to `__cluster_metadata-0`, and what it amounts to.
//!
//! Read in this order: `records` (what the log can say), `image` (what it says all together). Who writes it is `controller`.

pub mod image;
pub mod records;

pub use image::{Delta, Image};
