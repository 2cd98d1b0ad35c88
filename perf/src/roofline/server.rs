//! The loop: one ring, one accept, for each connection one receive and one send, one write.

use std::{
    collections::VecDeque,
    net::TcpListener,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::Path,
    sync::Arc,
};

use anyhow::{Result, ensure};
use io_uring::{IoUring, opcode, squeue, types};

use super::{
    frames::{Acknowledgements, Asked, parse},
    log::Log,
    served::Served,
};

const BUFFER_BYTES: usize = 256 << 10;
/// From here on a receive waits for the rest of its frame.
const LARGE_BYTES: usize = 64 << 10;

const ACCEPT: u64 = 0;
const WRITE: u64 = 1;
const RECEIVE: u64 = 2;
const SEND: u64 = 3;

/// Records that follow what is in a connection's output.
#[derive(Clone, Copy)]
enum Body {
    Memory,
    Warm,
}

struct Connection {
    socket: Arc<OwnedFd>,
    input: Vec<u8>,
    filled: usize,
    receiving: bool,
    stalled: bool,
    output: Vec<u8>,
    /// What the kernel reads while a send is in flight.
    sending: Vec<u8>,
    sent: usize,
    send_in_flight: bool,
    bodies: VecDeque<Body>,
    /// Bytes sent of the body in front; None while the head is on its way.
    body_sent: Option<usize>,
}

/// A batch whose group is being filled or written.
struct Waiting {
    connection: usize,
    correlation: [u8; 4],
    topic: Vec<u8>,
    partition: [u8; 4],
    offset: i64,
}

pub(super) struct Server {
    ring: IoUring,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    log: Log,
    acknowledgements: Acknowledgements,
    served: Served,
    filling: Vec<Waiting>,
    writing: Vec<Waiting>,
}

impl Server {
    pub(super) fn new(listener: TcpListener, directory: &Path) -> Result<Server> {
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(1024)?;
        Ok(Server {
            ring,
            listener,
            connections: Vec::new(),
            log: Log::open(directory)?,
            acknowledgements: Acknowledgements::default(),
            served: Served::new(directory)?,
            filling: Vec::new(),
            writing: Vec::new(),
        })
    }

    pub(super) fn run(&mut self) -> Result<()> {
        self.accept()?;
        let mut completed = Vec::new();
        loop {
            self.ring.submit_and_wait(1)?;
            completed.extend(self.ring.completion().map(|c| (c.user_data(), c.result())));
            for (data, result) in completed.drain(..) {
                let connection = usize::try_from(data >> 8)?;
                match data & 0xff {
                    ACCEPT => self.accepted(result)?,
                    WRITE => self.written(result)?,
                    RECEIVE => self.received(connection, result)?,
                    _ => self.send_done(connection, result)?,
                }
            }
            self.commit()?;
        }
    }

    fn push(&mut self, entry: squeue::Entry, kind: u64, connection: usize) -> Result<()> {
        let entry = entry.user_data(kind | (connection as u64) << 8);
        loop {
            // SAFETY: memory and descriptors of an operation live in `Connection` and `Log`, which are neither dropped nor
            // changed while it is in flight (`receiving`, `send_in_flight`, `Log::in_flight`).
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
        self.connections[slot] = Some(Connection {
            socket: Arc::new(socket),
            input: vec![0; BUFFER_BYTES],
            filled: 0,
            receiving: false,
            stalled: false,
            output: Vec::new(),
            sending: Vec::new(),
            sent: 0,
            send_in_flight: false,
            bodies: VecDeque::new(),
            body_sent: None,
        });
        self.receive(slot)?;
        self.accept()
    }

    fn receive(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        if connection.receiving || connection.stalled {
            return Ok(());
        }
        let frame = connection
            .input
            .first_chunk::<4>()
            .filter(|_| connection.filled >= 4)
            .map_or(0, |length| u32::from_be_bytes(*length));
        let whole = 4 + usize::try_from(frame)?;
        if whole > connection.input.len() {
            connection.input.resize(whole, 0);
        }
        let missing = whole.saturating_sub(connection.filled);
        let (room, flags) = if connection.filled >= 4 && missing > LARGE_BYTES {
            (missing, libc::MSG_WAITALL)
        } else {
            (connection.input.len() - connection.filled, 0)
        };
        let memory = connection.input[connection.filled..].as_mut_ptr();
        connection.receiving = true;
        let fd = types::Fd(connection.socket.as_raw_fd());
        self.push(
            opcode::Recv::new(fd, memory, u32::try_from(room)?).flags(flags).build(),
            RECEIVE,
            slot,
        )
    }

    fn received(&mut self, slot: usize, result: i32) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        connection.receiving = false;
        if result <= 0 {
            return self.close(slot);
        }
        connection.filled += usize::try_from(result)?;
        self.take_frames(slot)
    }

    /// Handles every whole frame in the buffer, then receives more unless the log is full.
    fn take_frames(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        connection.stalled = false;
        let mut at = 0;
        while let Some(length) = connection.input[at..connection.filled].first_chunk::<4>() {
            let end = at + 4 + usize::try_from(u32::from_be_bytes(*length))?;
            if end > connection.filled {
                break;
            }
            match parse(&connection.input[at + 4..end])? {
                Asked::Produce { correlation, topic, partition, batch } => {
                    let crc = crc32c::crc32c(&batch[21..]);
                    ensure!(crc.to_be_bytes() == batch[17..21], "a batch with a wrong CRC");
                    let Some(offset) = self.log.append(batch) else {
                        connection.stalled = true;
                        break;
                    };
                    self.filling.push(Waiting {
                        connection: slot,
                        correlation,
                        topic: topic.to_vec(),
                        partition,
                        offset,
                    });
                }
                Asked::Fetch { correlation, topic } => {
                    self.served.put_head(&mut connection.output, correlation, topic)?;
                    connection.bodies.push_back(if topic == b"warm" {
                        Body::Warm
                    } else {
                        Body::Memory
                    });
                }
            }
            at = end;
        }
        connection.input.copy_within(at..connection.filled, 0);
        connection.filled -= at;
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
        let mut done = std::mem::take(&mut self.writing);
        for waiting in &done {
            if let Some(connection) = &mut self.connections[waiting.connection] {
                self.acknowledgements.put(
                    &mut connection.output,
                    waiting.correlation,
                    &waiting.topic,
                    waiting.partition,
                    waiting.offset,
                )?;
            }
        }
        // The next group is in flight before anybody is told of this one.
        self.commit()?;
        for slot in done.drain(..).map(|w| w.connection) {
            self.send(slot)?;
        }
        let stalled: Vec<usize> = (0..self.connections.len())
            .filter(|&s| self.connections[s].as_ref().is_some_and(|c| c.stalled))
            .collect();
        for slot in stalled {
            self.take_frames(slot)?;
        }
        Ok(())
    }

    /// Sends what waits: output first, then the body that belongs to it.
    fn send(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        if connection.send_in_flight {
            return Ok(());
        }
        let fd = types::Fd(connection.socket.as_raw_fd());
        if connection.sent == connection.sending.len()
            && connection.body_sent.is_none()
            && !connection.output.is_empty()
        {
            connection.sending.clear();
            std::mem::swap(&mut connection.output, &mut connection.sending);
            connection.sent = 0;
        }
        let left = if connection.sent < connection.sending.len() {
            &connection.sending[connection.sent..]
        } else if let Some(sent) = connection.body_sent {
            &self.served.records[sent..]
        } else {
            return Ok(());
        };
        let more = if connection.body_sent.is_none() && !connection.bodies.is_empty() {
            libc::MSG_MORE
        } else {
            libc::MSG_WAITALL
        };
        let entry =
            opcode::Send::new(fd, left.as_ptr(), u32::try_from(left.len())?).flags(more).build();
        connection.send_in_flight = true;
        self.push(entry, SEND, slot)
    }

    fn send_done(&mut self, slot: usize, result: i32) -> Result<()> {
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        connection.send_in_flight = false;
        if result <= 0 {
            return self.close(slot);
        }
        let sent = usize::try_from(result)?;
        match &mut connection.body_sent {
            Some(body) => *body += sent,
            None => connection.sent += sent,
        }
        let records = self.served.records.len();
        if connection.body_sent.is_none() && connection.sent == connection.sending.len() {
            match connection.bodies.pop_front() {
                Some(Body::Memory) => connection.body_sent = Some(0),
                Some(Body::Warm) => send_warm(&connection.socket, &self.served.warm, records)?,
                None => {}
            }
        }
        if connection.body_sent == Some(records) {
            connection.body_sent = None;
        }
        self.send(slot)
    }

    fn close(&mut self, slot: usize) -> Result<()> {
        let Some(connection) = &self.connections[slot] else { return Ok(()) };
        if !connection.receiving && !connection.send_in_flight {
            self.connections[slot] = None;
        } else {
            // The other operation ends by it, and comes here again.
            nix::sys::socket::shutdown(
                connection.socket.as_raw_fd(),
                nix::sys::socket::Shutdown::Both,
            )
            .ok();
        }
        Ok(())
    }
}

fn send_warm(socket: &OwnedFd, file: &OwnedFd, length: usize) -> Result<()> {
    let mut position = 0;
    loop {
        let left = length.saturating_sub(usize::try_from(position)?);
        if left == 0 {
            return Ok(());
        }
        let sent = nix::sys::sendfile::sendfile(socket, file, Some(&mut position), left)?;
        ensure!(sent > 0, "sendfile sent nothing");
    }
}
