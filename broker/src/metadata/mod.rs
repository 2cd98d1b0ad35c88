//! Cluster metadata: what is written to `__cluster_metadata-0`, and what it amounts to.
//!
//! Read in this order: `records` (what the log can say), `image` (what it says all together), `batch` (how records become
//! bytes), `log` (where they go), `snapshot` (an image as a file), `directory` and `quorum_state` (the files beside the log). Who writes all this
//! is `controller`.

pub mod batch;
pub mod directory;
pub mod image;
pub mod log;
pub mod quorum_state;
pub mod records;
pub mod snapshot;

pub use image::{Delta, Image};
