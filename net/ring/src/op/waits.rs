//! Operations that only wait.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use io_uring::{
    opcode,
    types::{Fd, Timespec},
};

use crate::{
    Op, Ring,
    completion::{OnDrop, check, unit},
    slots::Held,
};

impl Ring {
    /// Waits until `fd` is ready for one of `events` (those of poll(2)); gives those for which it is.
    pub fn poll_add(&self, fd: &Arc<OwnedFd>, events: i16) -> Op<io::Result<u32>> {
        let entry =
            opcode::PollAdd::new(Fd(fd.as_raw_fd()), u32::from(events.cast_unsigned())).build();
        // SAFETY: it points to nothing; the slot owns the descriptor.
        unsafe {
            self.push(entry, Held::Descriptor { _fd: Arc::clone(fd) }, finish_poll, OnDrop::Cancel)
        }
    }

    /// Resolves after `duration`. For many deadlines a timer wheel is cheaper.
    pub fn timeout(&self, duration: Duration) -> Op<io::Result<()>> {
        let time = Box::new(Timespec::from(duration));
        let entry = opcode::Timeout::new(&raw const *time).build();
        // SAFETY: the slot owns the time, whose memory does not move.
        unsafe { self.push(entry, Held::Time { _time: time }, finish_timeout, OnDrop::Cancel) }
    }

    /// Does nothing, but in the kernel: for tests and measurements.
    pub fn nop(&self) -> Op<io::Result<()>> {
        // SAFETY: it points to nothing.
        unsafe { self.push(opcode::Nop::new().build(), Held::Nothing, unit, OnDrop::Leave) }
    }
}

fn finish_poll(result: i32, held: Held) -> io::Result<u32> {
    drop(held);
    check(result)
}

fn finish_timeout(result: i32, held: Held) -> io::Result<()> {
    drop(held);
    match check(result) {
        Err(error) if error.raw_os_error() == Some(libc::ETIME) => Ok(()),
        other => other.map(drop),
    }
}
