//! Whether this machine can run a [`crate::Ring`]: the setup flags, and every operation that `op` pushes.
//!
//! Asked once before anything is started, so that a refusal can say what is missing instead of failing in the middle.

use std::io;

use io_uring::{IoUring, Probe, opcode};

/// Why no ring can run here.
#[derive(Debug, thiserror::Error)]
pub enum Unsupported {
    /// `EPERM`: a sysctl or a seccomp filter forbids it.
    #[error("io_uring is forbidden")]
    Forbidden,
    /// `ENOSYS`: the kernel is built without it, or a seccomp filter says so.
    #[error("io_uring is not there")]
    Absent,
    /// `EINVAL`: the kernel is too old for how the ring is set up.
    #[error("io_uring is too old for single issuer and deferred task work")]
    Flags,
    /// `ENOMEM`: on kernels that charge rings to the limit of locked memory.
    #[error("there is no memory for a ring")]
    Memory,
    #[error("io_uring lacks the operations {}", .0.join(", "))]
    Operations(Vec<&'static str>),
    #[error("io_uring cannot be set up: {0}")]
    Other(#[source] io::Error),
}

/// Sets up a small ring as [`crate::Ring::new`] does, asks it for the operations, and lets it go.
pub fn check() -> Result<(), Unsupported> {
    let ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .build(8)
        .map_err(unsupported)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(unsupported)?;
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(_, code)| !probe.is_supported(*code))
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Unsupported::Operations(missing)) }
}

fn unsupported(error: io::Error) -> Unsupported {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Unsupported::Forbidden,
        Some(libc::ENOSYS) => Unsupported::Absent,
        Some(libc::EINVAL) => Unsupported::Flags,
        Some(libc::ENOMEM) => Unsupported::Memory,
        _ => Unsupported::Other(error),
    }
}

/// Every operation of `op`.
const NEEDED: &[(&str, u8)] = &[
    ("ACCEPT", opcode::Accept::CODE),
    ("ASYNC_CANCEL", opcode::AsyncCancel::CODE),
    ("CLOSE", opcode::Close::CODE),
    ("CONNECT", opcode::Connect::CODE),
    ("FALLOCATE", opcode::Fallocate::CODE),
    ("FSYNC", opcode::Fsync::CODE),
    ("FTRUNCATE (Linux 6.9)", opcode::Ftruncate::CODE),
    ("MKDIRAT", opcode::MkDirAt::CODE),
    ("OPENAT", opcode::OpenAt::CODE),
    ("POLL_ADD", opcode::PollAdd::CODE),
    ("READ", opcode::Read::CODE),
    ("RECV", opcode::Recv::CODE),
    ("RENAMEAT", opcode::RenameAt::CODE),
    ("SENDMSG", opcode::SendMsg::CODE),
    ("SHUTDOWN", opcode::Shutdown::CODE),
    ("SPLICE", opcode::Splice::CODE),
    ("STATX", opcode::Statx::CODE),
    ("TIMEOUT", opcode::Timeout::CODE),
    ("UNLINKAT", opcode::UnlinkAt::CODE),
    ("WRITE", opcode::Write::CODE),
];
