//! Memory for direct I/O and for what is shared while it is still being filled.

mod aligned;
mod append;
mod growing;
mod memory;

pub use aligned::Aligned;
pub use append::{AppendBuffer, Hole};
pub use growing::Growing;

/// Direct I/O asks for addresses, lengths and positions that are multiples of this.
pub const ALIGNMENT: usize = 4096;
