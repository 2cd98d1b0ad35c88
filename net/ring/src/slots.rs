//! One slot per operation: it owns buffers and descriptors for as long as the kernel may use them.
//!
//! A slot is freed by its completion alone, never by the future that waits for it. The user data of an operation is its
//! slot's index and generation, so that a completion can never be taken for that of a later operation in the same slot.

use std::{
    ffi::CString,
    os::fd::{FromRawFd, OwnedFd},
    sync::Arc,
    task::Waker,
};

use bytes::Bytes;
use io_uring::types::Timespec;

use crate::{
    buffer::{Aligned, AppendBuffer},
    op::{Message, SocketAddress, Status},
};

/// What the kernel uses while an operation is in flight. Moving a `Held` never moves the memory that the kernel sees.
pub(crate) enum Held {
    Nothing,
    Descriptor { _fd: Arc<OwnedFd> },
    Accept { _listener: Arc<OwnedFd> },
    Descriptors { _fds: [Arc<OwnedFd>; 2] },
    Write { _fd: Arc<OwnedFd>, _bytes: Bytes },
    Read { _fd: Arc<OwnedFd>, buffer: Aligned },
    Receive { _fd: Arc<OwnedFd>, buffer: AppendBuffer },
    Message { _fd: Arc<OwnedFd>, message: Box<Message> },
    Open { _directory: Option<Arc<OwnedFd>>, _path: CString },
    Path { _directory: Option<Arc<OwnedFd>>, _path: CString },
    Paths { _directories: [Option<Arc<OwnedFd>>; 2], _paths: [CString; 2] },
    Status { _directory: Option<Arc<OwnedFd>>, _path: CString, status: Box<Status> },
    Address { _fd: Arc<OwnedFd>, _address: Box<SocketAddress> },
    Time { _time: Box<Timespec> },
}

/// Which operation: index and generation of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn user_data(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves apart")]
    pub(crate) fn from_user_data(user_data: u64) -> Key {
        Key { index: user_data as u32, generation: (user_data >> 32) as u32 }
    }
}

enum State {
    Free {
        next: Option<u32>,
    },
    /// The kernel has it; somebody waits, or will.
    Waiting(Option<Waker>),
    /// The kernel has it; nobody will ask for its result.
    Abandoned,
    Done(Outcome),
}

/// What a completion said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) result: i32,
}

struct Slot {
    generation: u32,
    state: State,
    held: Held,
}

pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Option<u32>,
    in_flight: usize,
}

/// What the caller of `complete` must do once it no longer borrows the slots.
pub(crate) enum Completed {
    Wake(Waker),
    /// Nobody waits: drop what the kernel has given back.
    Drop(Unwanted),
    Nothing,
}

/// The outcome of an operation whose future is gone, and what it owned. A descriptor that it made is closed.
pub(crate) struct Unwanted {
    outcome: Outcome,
    held: Held,
}

impl Drop for Unwanted {
    fn drop(&mut self) {
        if matches!(self.held, Held::Accept { .. } | Held::Open { .. }) && self.outcome.result >= 0
        {
            // SAFETY: a successful accept or open gives a new descriptor, and nobody but us has seen it.
            drop(unsafe { OwnedFd::from_raw_fd(self.outcome.result) });
        }
    }
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots { slots: Vec::new(), free: None, in_flight: 0 }
    }

    /// Operations that the kernel has not completed.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn insert(&mut self, held: Held) -> Key {
        self.in_flight += 1;
        if let Some(index) = self.free {
            let slot = &mut self.slots[index as usize];
            let State::Free { next } = slot.state else {
                unreachable!("the free list holds free slots")
            };
            self.free = next;
            slot.state = State::Waiting(None);
            slot.held = held;
            return Key { index, generation: slot.generation };
        }
        let index =
            u32::try_from(self.slots.len()).expect("fewer than 2^32 operations are in flight");
        self.slots.push(Slot { generation: 0, state: State::Waiting(None), held });
        Key { index, generation: 0 }
    }

    pub(crate) fn complete(&mut self, key: Key, result: i32) -> Completed {
        self.in_flight -= 1;
        let slot = self.slot(key);
        match std::mem::replace(&mut slot.state, State::Done(Outcome { result })) {
            State::Waiting(Some(waker)) => Completed::Wake(waker),
            State::Waiting(None) => Completed::Nothing,
            State::Abandoned => {
                Completed::Drop(Unwanted { outcome: Outcome { result }, held: self.release(key) })
            }
            State::Free { .. } | State::Done(_) => unreachable!("an operation completes once"),
        }
    }

    /// The outcome, and what the operation owned, if it is complete; else `waker` is remembered.
    pub(crate) fn poll(&mut self, key: Key, waker: &Waker) -> Option<(Outcome, Held)> {
        let slot = self.slot(key);
        match &mut slot.state {
            State::Done(outcome) => {
                let outcome = *outcome;
                Some((outcome, self.release(key)))
            }
            State::Waiting(Some(known)) if known.will_wake(waker) => None,
            State::Waiting(known) => {
                *known = Some(waker.clone());
                None
            }
            State::Free { .. } | State::Abandoned => {
                unreachable!("a future is polled until it is ready")
            }
        }
    }

    /// The future is gone. Gives back what is to be dropped, or whether the kernel still has the operation.
    pub(crate) fn abandon(&mut self, key: Key) -> Result<Unwanted, StillInFlight> {
        let slot = self.slot(key);
        if let State::Done(outcome) = slot.state {
            return Ok(Unwanted { outcome, held: self.release(key) });
        }
        slot.state = State::Abandoned;
        Err(StillInFlight)
    }

    fn slot(&mut self, key: Key) -> &mut Slot {
        let slot = &mut self.slots[key.index as usize];
        assert_eq!(
            slot.generation, key.generation,
            "a slot is used again only after its completion"
        );
        slot
    }

    fn release(&mut self, key: Key) -> Held {
        let slot = &mut self.slots[key.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.state = State::Free { next: self.free.replace(key.index) };
        std::mem::replace(&mut slot.held, Held::Nothing)
    }
}

/// The kernel has not completed the operation yet.
pub(crate) struct StillInFlight;
