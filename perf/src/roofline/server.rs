//! The loop: one ring, one accept, for each connection one receive and one send, one write.

use std::{
    net::TcpListener,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::Path,
};

use anyhow::{Result, ensure};
use io_uring::{IoUring, opcode, squeue, types};

use super::{
    connection::{Body, Connection, frame},
    frames::{Asked, parse},
    log::Log,
    node::Node,
    served::Served,
};

const ACCEPT: u64 = 0;
const WRITE: u64 = 1;
const RECEIVE: u64 = 2;
const SEND: u64 = 3;

/// Answers that are true as soon as their group is on stable storage.
#[derive(Default)]
struct Answers {
    bytes: Vec<u8>,
    /// Whose they are, in their order, and where each ends.
    ends: Vec<(usize, usize)>,
}

pub(super) struct Server {
    ring: IoUring,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    node: Node,
    log: Log,
    served: Served,
    filling: Answers,
    writing: Answers,
    /// Empty: its memory is used again.
    spare: Answers,
}

impl Server {
    pub(super) fn new(listener: TcpListener, node: Node, directory: &Path) -> Result<Server> {
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(1024)?;
        Ok(Server {
            ring,
            listener,
            connections: Vec::new(),
            node,
            log: Log::open(directory)?,
            served: Served::new(directory)?,
            filling: Answers::default(),
            writing: Answers::default(),
            spare: Answers::default(),
        })
    }

    pub(super) fn run(&mut self) -> Result<()> {
        self.accept()?;
        let mut completed = Vec::new();
        loop {
            self.ring.submit_and_wait(1)?;
            completed.extend(self.ring.completion().map(|c| (c.user_data(), c.result())));
            for (data, result) in completed.drain(..) {
                let slot = usize::try_from(data >> 8)?;
                match data & 0xff {
                    ACCEPT => self.accepted(result)?,
                    WRITE => self.written(result)?,
                    RECEIVE => self.received(slot, result)?,
                    _ => self.send_done(slot, result)?,
                }
            }
            self.commit()?;
        }
    }

    fn push(&mut self, entry: squeue::Entry, kind: u64, slot: usize) -> Result<()> {
        let entry = entry.user_data(kind | (slot as u64) << 8);
        loop {
            // SAFETY: memory and descriptors of an operation live in `Connection` and `Log`, which are neither dropped nor
            // changed while it is in flight (`receiving`, `send_in_flight`, `Log::in_flight`), and in `Served`, which is
            // never changed.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }

    fn accept(&mut self) -> Result<()> {
        let fd = types::Fd(self.listener.as_raw_fd());
        self.push(
            opcode::Accept::new(fd, std::ptr::null_mut(), std::ptr::null_mut()).build(),
            ACCEPT,
            0,
        )
    }

    fn accepted(&mut self, result: i32) -> Result<()> {
        ensure!(result >= 0, "accept: {}", std::io::Error::from_raw_os_error(-result));
        // SAFETY: the kernel has just given us this descriptor.
        let socket = unsafe { OwnedFd::from_raw_fd(result) };
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::TcpNoDelay, &true)?;
        let slot =
            self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len());
        if slot == self.connections.len() {
            self.connections.push(None);
        }
        self.connections[slot] = Some(Connection::new(socket));
        self.receive(slot)?;
        self.accept()
    }

    fn receive(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        let Some(receive) = connection.receive()? else { return Ok(()) };
        self.push(receive, RECEIVE, slot)
    }

    fn received(&mut self, slot: usize, result: i32) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        if connection.received(result) { self.take_frames(slot) } else { self.close(slot) }
    }

    /// Handles every whole frame in the buffer, then receives more; stops at one that has to wait for the log.
    fn take_frames(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        connection.stalled = false;
        let mut at = 0;
        while let Some(frame) = frame(&connection.input[at..connection.filled])? {
            let end = at + 4 + frame.len();
            match parse(frame)? {
                Asked::Produce(produce) => {
                    if !self.log.fits(produce.batches, produce.bytes)? {
                        connection.stalled = true;
                        break;
                    }
                    let (answers, answered) = (&mut self.filling, produce.answered);
                    produce.take(&mut answers.bytes, |batch| self.log.append(batch))?;
                    if answered {
                        answers.ends.push((slot, answers.bytes.len()));
                        connection.owed += 1;
                    }
                }
                _ if connection.owed > 0 => {
                    connection.stalled = true;
                    break;
                }
                Asked::Fetch { correlation, topic } => {
                    let body = if topic == b"warm" { Body::Warm } else { Body::Memory };
                    self.served.put_head(&mut connection.output, correlation, topic)?;
                    connection.bodies.push_back(body);
                }
                Asked::Other(frame) => self.node.put(&mut connection.output, frame)?,
            }
            at = end;
        }
        connection.consume(at);
        self.send(slot)?;
        self.receive(slot)
    }

    fn commit(&mut self) -> Result<()> {
        let Some(write) = self.log.commit()? else { return Ok(()) };
        std::mem::swap(&mut self.filling, &mut self.writing);
        self.push(write, WRITE, 0)
    }

    fn written(&mut self, result: i32) -> Result<()> {
        self.log.committed(result)?;
        let mut done = std::mem::replace(&mut self.writing, std::mem::take(&mut self.spare));
        let mut from = 0;
        for &(slot, end) in &done.ends {
            if let Some(connection) = &mut self.connections[slot] {
                connection.output.extend_from_slice(&done.bytes[from..end]);
                connection.owed -= 1;
            }
            from = end;
        }
        // The next group is in flight before anybody is told of this one.
        self.commit()?;
        for &(slot, _) in &done.ends {
            self.send(slot)?;
        }
        done.bytes.clear();
        done.ends.clear();
        self.spare = done;
        for slot in 0..self.connections.len() {
            if self.connections[slot].as_ref().is_some_and(|c| c.stalled) {
                self.take_frames(slot)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        if connection.is_closing() {
            return self.close(slot);
        }
        let Some(send) = connection.send(&self.served.records)? else { return Ok(()) };
        self.push(send, SEND, slot)
    }

    fn send_done(&mut self, slot: usize, result: i32) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        if connection.send_done(result, &self.served)? { self.send(slot) } else { self.close(slot) }
    }

    /// Frees the slot when nothing is in flight and nothing owed; what is still on its way comes here again.
    fn close(&mut self, slot: usize) -> Result<()> {
        if self.connections[slot].as_mut().is_some_and(Connection::close) {
            self.connections[slot] = None;
        }
        Ok(())
    }
}
