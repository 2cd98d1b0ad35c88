//! The shard's raw io_uring, beside glommio's executor.
//!
//! Sockets, and every write of `storage`, go through this ring: submit an operation, await its completion. Read in this
//! order: `ring` (push, enter, reap), `slots` (one slot per operation, who owns what while the kernel works), `completion`
//! (the future), `drive` (the tasks that keep the ring going), `pace` (how long a turn waits), `op` (the operations), `buffer`, `wake`.
//!
//! What holds for every operation:
//! - It is pushed when its method is called, not when its future is first polled: the order of calls is the order of submission.
//! - The operation's slot owns the memory and the descriptor until the kernel has completed it. A dropped future frees
//!   neither, and never cancels an operation on a file. An operation that only waits (receive, accept, poll, timeout) is
//!   cancelled when its future is dropped, and its slot still stays until the kernel says so.
//! - A push costs one slot of a slab; a completion costs the wake of one task.
//!
//! # Not obvious
//! - The ring is single-issuer with deferred task work: the kernel completes nothing unless we enter with
//!   `IORING_ENTER_GETEVENTS`, which the plain `submit()` of the io-uring crate does not set.
//! - Eventfd notifications are on only while the executor is parked in glommio: a busy shard waits in the ring itself. What
//!   came before they were switched on is seen in the ring's own flags afterwards.
//! - A task of glommio must not be referenced by more than 32,767 wakers: thousands of operations of one task need a list
//!   and one waker.

pub mod buffer;
mod completion;
mod drive;
pub mod op;
mod pace;
mod ring;
mod slots;
pub mod support;
mod wake;
pub mod writes;

pub use completion::Op;
pub use ring::{Ring, RingOptions, RingStats};
pub use wake::WakeHandle;
