//! A drive with a volatile cache, as one file of a FUSE file system: a loop device over it carries a real ext4.
//!
//! It promises what a drive promises, and nothing more: what a flush covered is there after a cut; of what was written since, each
//! 512-byte sector holds one of the contents that it had since the last flush, whichever the seed chooses. `scripts/lib/disk.py`
//! mounts it, `scripts/chaos/power-cut` runs the broker on it.
//!
//! Read `drive` (cache, flush and cut, without any file system), `layer` (the same as a FUSE file), `control` (the socket that cuts).
//!
//! # Not obvious
//! - A process lives as long as the power is on. After a cut it answers EIO to everything until it is unmounted; the next life is a
//!   new process over the same image, so that nothing the kernel still holds of the old one can reach it.
//! - The image itself is never synced: only the drive's power is cut, not this machine's.
//! - The lock here is between the file system's thread and the control socket's; no shard is near.
#![expect(clippy::disallowed_types, reason = "one drive, asked by two threads; no shard")]

pub mod control;
pub mod drive;
pub mod layer;
