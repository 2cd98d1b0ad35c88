//! The reading half: frames out of the socket, each handed to the service before the next is looked at.

use std::{future::poll_fn, io, pin::pin, rc::Rc, task::Poll};

use bytes::Bytes;
use futures::future::{Either, select};
use ring::buffer::{AppendBuffer, Growing};

use super::{CloseReason, Outcome, Service, State};
use crate::{
    budget::{Charge, Class, Entered, Partial, SMALL_FRAME_MAX, Turn},
    frame::{BUFFER_MIN, Next, OwnFrame, Receiver},
    shared::clock,
};

/// Bytes after which other connections have their turn.
const TURN_BYTES: usize = 256 << 10;
/// What a request counts for beside its bytes.
const REQUEST_BYTES: usize = 4 << 10;
/// And for each microsecond of its first stage: a millisecond is a turn.
const MICROSECOND_BYTES: usize = 256;
/// A frame with memory of its own gets at first a few times as much as has arrived; large ones then double.
const OWN_STEP: usize = 4;
const LARGE_STEP: usize = 2;
const LARGE_MIN: usize = 64 << 10;

/// Reads until the peer ends the stream between two requests.
pub(crate) async fn read<S: Service>(
    state: &Rc<State>,
    service: &Rc<S>,
) -> Result<(), CloseReason> {
    let mut reader =
        Reader { state, receiver: Receiver::new(), drained: true, since_yield: 0, own_trusted: 0 };
    let frame_bytes_max = state.limits.frame_bytes_max;
    loop {
        let next = reader.receiver.next(frame_bytes_max).map_err(|error| {
            tracing::debug!(peer = %state.peer.remote, %error, "closing");
            CloseReason::FrameLength
        })?;
        match next {
            Next::Frame(frame) => {
                state.frame.end();
                reader.serve(service, frame).await?;
            }
            Next::Own { length } => {
                let frame = reader.own_frame(length).await?;
                reader.serve(service, frame).await?;
            }
            Next::Nothing => {
                if reader.drained {
                    reader.receiver.release();
                }
                if reader.receive(1).await? == 0 {
                    return Ok(());
                }
            }
            Next::More { missing } => {
                state.frame.arrived(clock(), reader.receiver.begun());
                if reader.receive(missing).await? == 0 {
                    return Err(CloseReason::Broken);
                }
            }
        }
    }
}

struct Reader<'a> {
    state: &'a Rc<State>,
    receiver: Receiver,
    /// The socket had nothing left when it was last asked.
    drained: bool,
    since_yield: usize,
    /// Length of the last frame with memory of its own: one as long as that is believed.
    own_trusted: usize,
}

impl Reader<'_> {
    /// The first stage of a request.
    async fn serve<S: Service>(
        &mut self,
        service: &Rc<S>,
        frame: Bytes,
    ) -> Result<(), CloseReason> {
        let state = self.state;
        while let Some(left) = state.peer.muted(clock()) {
            glommio::timer::sleep(left).await;
        }
        self.wait_for_room(frame.len()).await;
        state.net.stats.requests.add(1);
        let bytes = frame.len();
        state.between_requests.set(false);
        // On the heap, so that an idle connection does not keep the room for the largest request.
        let began = clock();
        let outcome = Box::pin(Rc::clone(service).call(Rc::clone(&state.peer), frame)).await;
        let took = usize::try_from((clock() - began).as_micros()).unwrap_or(TURN_BYTES);
        state.between_requests.set(true);
        match outcome {
            Outcome::Answer(parts) => state.answers.borrow_mut().push(bytes, parts),
            Outcome::Later(answer) => state.answers.borrow_mut().push_later(bytes, answer),
            Outcome::Silent => {}
            Outcome::Close(reason) => return Err(reason),
        }
        let counts_for = bytes + REQUEST_BYTES + took.min(TURN_BYTES) * MICROSECOND_BYTES;
        self.since_yield += counts_for;
        if self.since_yield > TURN_BYTES {
            self.since_yield = 0;
            self.state.net.ring.yield_now().await;
        }
        Ok(())
    }

    /// Until the connection may have one more request in flight. The task itself sends the answers that make room.
    async fn wait_for_room(&self, bytes: usize) {
        let state = self.state;
        poll_fn(|_| {
            let room = state.has_room_for(bytes);
            state.wants_room.set((!room).then_some(bytes));
            if room { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Receives into the shared buffer; gives how many bytes, 0 at the end of the stream.
    async fn receive(&mut self, missing: usize) -> Result<usize, CloseReason> {
        loop {
            if self.drained {
                self.readable().await?;
            }
            if let Some(size) = self.receiver.needs_buffer(missing) {
                let class = match self.state.peer.sends_records() {
                    true => Class::Records,
                    false => Class::Small,
                };
                let charge = self.charge(class, size).await;
                self.receiver.set_buffer(AppendBuffer::with_charge(size, charge));
            }
            let room = self.receiver.buffer().remaining();
            let received = self.receiver.buffer().receive_now(&self.state.socket, room);
            let Some(received) = self.received(received)? else { continue };
            // A socket that gave less than it was asked for has nothing left.
            self.drained = received < room;
            self.receiver.adapt(received == room, received);
            return Ok(received);
        }
    }

    /// A frame with memory of its own.
    async fn own_frame(&mut self, length: usize) -> Result<Bytes, CloseReason> {
        let begun = self.receiver.take_begun();
        let charge = self.charge(Class::Records, begun.len().max(1)).await;
        let frame = &self.state.frame;
        frame.arrived(clock(), begun.len());
        let frame = if length <= SMALL_FRAME_MAX {
            self.small_frame(length, begun, charge).await?
        } else {
            self.large_frame(length, begun, charge).await?
        };
        self.state.frame.end();
        self.own_trusted = length.min(SMALL_FRAME_MAX);
        self.drained = false;
        Ok(frame)
    }

    async fn small_frame(
        &mut self,
        length: usize,
        mut bytes: Growing,
        mut charge: Charge,
    ) -> Result<Bytes, CloseReason> {
        while bytes.len() < length {
            if bytes.len() == bytes.capacity() {
                let capacity =
                    length.min((bytes.len() * OWN_STEP).max(self.own_trusted).max(BUFFER_MIN));
                let more = capacity - bytes.capacity();
                charge.merge(self.charge(Class::Records, more).await);
                bytes.grow(capacity);
            }
            if self.drained {
                self.readable().await?;
            }
            self.receive_own(&mut bytes, length)?;
        }
        Ok(OwnFrame::freeze(bytes, [Some(charge), None]))
    }

    /// Waits for its turn whenever there is something to receive, and goes on until there has been nothing for too long.
    async fn large_frame(
        &mut self,
        length: usize,
        mut bytes: Growing,
        begun: Charge,
    ) -> Result<Bytes, CloseReason> {
        let state = self.state;
        state.frame.is_large.set(true);
        state.frame.length.set(length);
        let partial: Rc<dyn Partial> = Rc::<State>::clone(state);
        let entered = state.net.budget.enter(partial);
        let mut charge = None;
        while bytes.len() < length {
            self.readable().await?;
            state.frame.pause(clock());
            let turn = state.net.budget.turn(length - bytes.len(), clock()).await;
            state.frame.resume(clock());
            self.drained = false;
            self.have_turn(&turn, &entered, length, &mut bytes, &mut charge).await?;
        }
        drop(entered);
        Ok(OwnFrame::freeze(bytes, [Some(begun), charge]))
    }

    async fn have_turn(
        &mut self,
        turn: &Turn,
        entered: &Entered,
        length: usize,
        bytes: &mut Growing,
        charge: &mut Option<Charge>,
    ) -> Result<(), CloseReason> {
        while bytes.len() < length {
            if bytes.len() == bytes.capacity() {
                let capacity = length.min((bytes.len() * LARGE_STEP).max(LARGE_MIN));
                if !self.grow_large(turn, entered, capacity, bytes, charge).await {
                    return Ok(());
                }
            }
            if self.drained && !self.readable_in_turn(turn).await? {
                return Ok(());
            }
            self.receive_own(bytes, length)?;
            self.since_yield += TURN_BYTES / 4;
            if self.since_yield > TURN_BYTES {
                self.since_yield = 0;
                self.state.net.ring.yield_now().await;
            }
        }
        Ok(())
    }

    /// False if there is no memory, and the turn is to be given away.
    async fn grow_large(
        &self,
        turn: &Turn,
        entered: &Entered,
        capacity: usize,
        bytes: &mut Growing,
        charge: &mut Option<Charge>,
    ) -> bool {
        let state = self.state;
        let more = capacity - bytes.capacity();
        state.frame.pause(clock());
        let more = state.net.budget.take_large(more, entered.partial(), turn).await;
        state.frame.resume(clock());
        let Some(more) = more else { return false };
        state.frame.held.set(state.frame.held.get() + more.bytes());
        match charge {
            Some(charge) => charge.merge(more),
            None => *charge = Some(more),
        }
        bytes.grow(capacity);
        true
    }

    /// Receives into a frame's own memory, and no further than its end.
    fn receive_own(&mut self, bytes: &mut Growing, length: usize) -> Result<(), CloseReason> {
        let max = (length - bytes.len()).min(bytes.capacity() - bytes.len()).min(TURN_BYTES);
        let received = bytes.receive_now(&self.state.socket, max);
        match self.received(received)? {
            Some(0) => Err(CloseReason::Broken),
            Some(received) => {
                self.drained = received < max;
                self.state.frame.arrived(clock(), bytes.len());
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn received(&mut self, received: io::Result<usize>) -> Result<Option<usize>, CloseReason> {
        let stats = &self.state.net.stats;
        stats.receives.add(1);
        match received {
            Ok(received) => {
                stats.received_bytes.add(received as u64);
                self.state.touch(clock());
                Ok(Some(received))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(_) => Err(CloseReason::Broken),
        }
    }

    /// Memory for a small frame, during whose wait no deadline of the peer's runs.
    async fn charge(&self, class: Class, bytes: usize) -> Charge {
        let state = self.state;
        if let Some(charge) = state.net.budget.try_take(class, bytes) {
            return charge;
        }
        state.frame.pause(clock());
        let charge = state.net.budget.take(class, bytes).await;
        state.frame.resume(clock());
        charge
    }

    /// Until the socket has bytes, or has ended: the next receive says which.
    async fn readable(&mut self) -> Result<(), CloseReason> {
        self.poll_in().await.map_err(|_| CloseReason::Broken)?;
        self.drained = false;
        Ok(())
    }

    /// As `readable`; false if the turn is lost first.
    async fn readable_in_turn(&mut self, turn: &Turn) -> Result<bool, CloseReason> {
        let mut readable = self.poll_in();
        loop {
            let timeout = pin!(self.state.net.ring.timeout(turn.pause_max()));
            match select(&mut readable, timeout).await {
                Either::Left((ready, _)) => {
                    ready.map_err(|_| CloseReason::Broken)?;
                    self.drained = false;
                    return Ok(true);
                }
                Either::Right(_) if turn.is_wanted() => return Ok(false),
                Either::Right(_) => {}
            }
        }
    }

    fn poll_in(&self) -> ring::Op<io::Result<u32>> {
        self.state.net.ring.poll_add(&self.state.socket, libc::POLLIN | libc::POLLRDHUP)
    }
}
