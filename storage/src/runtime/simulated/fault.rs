//! Faults that a test asks the disk for, one at a time.

use std::time::Duration;

use super::disk::Operation;

/// Which operations a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Read,
    Write,
    /// Of a file, a file system or a directory.
    Sync,
    /// Whatever may need new blocks.
    Allocation,
}

/// What befalls an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with EIO. What a sync was to make durable may be lost.
    Error,
    /// It fails with ENOSPC, having done nothing.
    Full,
    /// It takes so long.
    Stall(Duration),
    /// A write is reported as done, and nothing was written.
    Lost,
    /// A write is reported as done, and lies in another block: of the same file, or of another.
    Misdirected,
}

/// A fault that the test asks for: the operations of a class that come after the next `after`, `times` of them.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    pub class: Class,
    pub fault: Fault,
    pub after: u64,
    pub times: u64,
}

impl Class {
    pub(super) fn holds(self, operation: &Operation, needs_room: bool) -> bool {
        match self {
            Class::Read => matches!(operation, Operation::Read { .. }),
            Class::Write => matches!(operation, Operation::Write { .. }),
            Class::Sync => matches!(
                operation,
                Operation::Fdatasync { .. }
                    | Operation::Syncfs { .. }
                    | Operation::SyncDirectory { .. }
            ),
            Class::Allocation => needs_room,
        }
    }
}

impl Injection {
    /// An operation of the class comes: whether it is one that the fault befalls.
    pub(super) fn counts(&mut self) -> bool {
        if let Some(left) = self.after.checked_sub(1) {
            self.after = left;
            return false;
        }
        let is_one = self.times > 0;
        self.times -= u64::from(is_one);
        is_one
    }
}
