//! What must hold before a broker starts, checked before anything is opened: limits, kernel, directory. A refusal says what is wrong
//! and what to do about it.

pub mod directory;
mod kernel;
mod limits;

pub use directory::{DirectoryError, Identity};
pub use kernel::{Kernel, KernelError};
pub use limits::{LimitError, Limits};

use crate::config::Config;

/// Why the broker must not start here.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Raises the limits as far as they go, then checks them, the kernel, and that the directory can be used.
pub fn prepare(config: &Config) -> Result<(), PreflightError> {
    let limits = Limits::raise();
    limits.check(config.shards())?;
    kernel::check()?;
    directory::create(directory::Use::Log, config.metadata_directory())?;
    Ok(())
}
