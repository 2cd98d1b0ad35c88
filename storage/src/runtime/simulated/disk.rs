//! What the simulated disk does with each operation, and what a crash leaves.
//!
//! A write that is in flight at a kill lands whole, in part, late or never. A power cut is a kill after which every unsynced
//! write is kept or lost sector by sector (512 bytes, so inside a block too), an unsynced length likewise, and every unsynced
//! creation, rename and removal one by one. `syncfs` syncs bytes, not names, or nothing at all ([`Disk::set_syncfs`]). [`Faults`] adds errors
//! on top.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::SmallRng;

use super::super::Stat;
use super::fault::{Fault, Injection};
use super::node::{File, Node, Nodes};

pub(super) type Inode = usize;

/// What a process asks of the disk.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Open { path: PathBuf, create: bool },
    Read { inode: Inode, position: u64, length: usize },
    Write { inode: Inode, bytes: Bytes, position: u64, dsync: bool },
    Fdatasync { inode: Inode },
    Syncfs { inode: Inode },
    SyncDirectory { path: PathBuf },
    Fallocate { inode: Inode, end: u64, grow: bool },
    Truncate { inode: Inode, length: u64 },
    Rename { from: PathBuf, to: PathBuf },
    Unlink { path: PathBuf },
    Mkdir { path: PathBuf },
    List { path: PathBuf },
    Stat { path: PathBuf },
    Length { inode: Inode },
}

#[derive(Debug)]
pub(super) enum Output {
    Unit,
    File(Inode),
    Bytes(Bytes),
    Names(Vec<String>),
    Stat(Stat),
    Length(u64),
}

/// An operation in flight, and the last write that had returned when it was begun (all that a sync covers).
#[derive(Debug)]
pub(super) struct Begun {
    operation: Operation,
    covers: u64,
}

impl Begun {
    pub(super) fn is_write(&self) -> bool {
        matches!(self.operation, Operation::Write { .. })
    }

    pub(super) fn is_sync(&self) -> bool {
        matches!(self.operation, Operation::Fdatasync { .. })
    }

    pub(super) fn is_plain_write(&self) -> bool {
        matches!(self.operation, Operation::Write { dsync: false, .. })
    }
}

/// Errors that the test asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Whatever needs new blocks answers ENOSPC.
    pub full: bool,
    /// One in so many writes and syncs answers EIO; 0 = none. After it, what it was to make durable may be lost.
    pub error_one_in: u32,
    /// Only syncs fail, and with ENOSPC: blocks that were promised are not there after all.
    pub full_syncs: bool,
    /// Writes in flight at a kill never land late (what a lock outside the ring would have to hope for).
    pub no_late_writes: bool,
}

/// A disk that outlives processes. Clones are the same disk.
#[derive(Clone)]
pub struct Disk(Rc<RefCell<State>>);

#[derive(Clone)]
struct State {
    nodes: Nodes,
    late: Vec<Operation>,
    faults: Faults,
    /// Directories that are devices of their own: `syncfs` syncs one of them.
    devices: Vec<Inode>,
    /// Whether `syncfs` does anything.
    syncs_all: bool,
    /// The device of this directory answers EIO to all that changes something.
    dead: Option<Inode>,
    /// Bytes that files may still be given; None = as many as they want.
    room: Option<u64>,
    bytes_written: u64,
    /// Reads, and their bytes.
    read: (u64, u64),
    operations: u64,
    injection: Option<Injection>,
    injected: u64,
    /// Of writes that are not where they were reported to be: the files that were meant, and those that were hit.
    lied: Vec<Inode>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    #[must_use]
    pub fn new() -> Self {
        Disk(Rc::new(RefCell::new(State {
            nodes: Nodes::new(),
            late: Vec::new(),
            faults: Faults::default(),
            devices: Vec::new(),
            syncs_all: true,
            dead: None,
            room: None,
            bytes_written: 0,
            read: (0, 0),
            operations: 0,
            injection: None,
            injected: 0,
            lied: Vec::new(),
        })))
    }

    /// The same content on a disk of its own.
    #[must_use]
    pub fn copy(&self) -> Disk {
        Disk(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// Makes a directory, durably.
    pub fn make_directory(&self, path: &Path) {
        let mut state = self.0.borrow_mut();
        state.nodes.mkdir(path).expect("its parent is there");
        state.nodes.sync_all();
    }

    /// Makes a directory, durably, that is a device of its own.
    pub fn make_device(&self, path: &Path) {
        self.make_directory(path);
        let mut state = self.0.borrow_mut();
        let device = state.nodes.find(path).expect("it was made");
        state.devices.push(device);
    }

    #[must_use]
    pub fn faults(&self) -> Faults {
        self.0.borrow().faults
    }

    pub fn set_faults(&self, faults: Faults) {
        self.0.borrow_mut().faults = faults;
    }

    /// Whether a `syncfs` writes everything back. One that does not succeeds all the same: it promises nothing of any file.
    pub fn set_syncfs(&self, syncs_all: bool) {
        self.0.borrow_mut().syncs_all = syncs_all;
    }

    /// From now on whatever would change something in this directory, or in any below, answers EIO. `None` ends it.
    pub fn set_dead(&self, directory: Option<&Path>) {
        let mut state = self.0.borrow_mut();
        state.dead = directory.and_then(|path| state.nodes.find(path).ok());
    }

    /// Whether [`Disk::set_dead`] is in force.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.borrow().dead.is_some()
    }

    /// Asks for a fault, or for none any more. What was injected is counted from 0 again.
    pub fn inject(&self, injection: Option<Injection>) {
        let mut state = self.0.borrow_mut();
        (state.injection, state.injected) = (injection, 0);
    }

    /// No more of the fault that was asked for.
    pub fn inject_no_more(&self) {
        self.0.borrow_mut().injection = None;
    }

    /// How many operations the fault has befallen.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.0.borrow().injected
    }

    /// Whether a write was lost that was meant for this file, or for one in this directory, or one has hit it that was meant for another.
    #[must_use]
    pub fn lied_about(&self, path: &Path) -> bool {
        let state = self.0.borrow();
        let Ok(inode) = state.nodes.find(path) else { return false };
        state.lied.iter().any(|lied| *lied == inode || state.nodes.is_below(*lied, inode))
    }

    /// From now on files get so many bytes more, and what is unlinked.
    pub fn set_room(&self, room: Option<u64>) {
        self.0.borrow_mut().room = room;
    }

    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.borrow().operations
    }

    /// How many reads there were, and their bytes.
    #[must_use]
    pub fn read(&self) -> (u64, u64) {
        self.0.borrow().read
    }

    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.0.borrow().bytes_written
    }

    /// Flips one bit, as rot does: in what reads see and on stable storage.
    pub fn flip(&self, path: &Path, position: usize) -> bool {
        let mut state = self.0.borrow_mut();
        let Ok(inode) = state.nodes.find(path) else { return false };
        state.nodes.file(inode).is_ok_and(|file| file.flip(position))
    }

    /// Writes bytes over what is there, as rot does: in what reads see and on stable storage. False if there is no such place.
    pub fn overwrite(&self, path: &Path, position: usize, bytes: &[u8]) -> bool {
        let mut state = self.0.borrow_mut();
        let Ok(inode) = state.nodes.find(path) else { return false };
        state.nodes.file(inode).is_ok_and(|file| file.overwrite(position, bytes))
    }

    /// The bytes that a reader sees now.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.0.borrow_mut();
        let inode = state.nodes.find(path).ok()?;
        Some(state.nodes.file(inode).ok()?.current.clone())
    }

    /// How long a file is for a reader now.
    #[must_use]
    pub fn length(&self, path: &Path) -> Option<u64> {
        let mut state = self.0.borrow_mut();
        let inode = state.nodes.find(path).ok()?;
        Some(state.nodes.file(inode).ok()?.current.len() as u64)
    }

    /// All names below `path`, for a test to look at.
    #[must_use]
    pub fn names(&self, path: &Path) -> Vec<String> {
        let mut state = self.0.borrow_mut();
        state.nodes.find(path).and_then(|inode| state.nodes.list(inode)).unwrap_or_default()
    }

    /// What another program does to the directory while we are down: writes a file whole, durably.
    pub fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let inode = state.nodes.open(path, true)?;
        state.nodes.file(inode)?.replace(content);
        state.nodes.sync_all();
        Ok(())
    }

    /// What another program does to the directory while we are down: removes a name, durably.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.nodes.unlink(path)?;
        state.nodes.sync_all();
        Ok(())
    }

    /// With the time that it takes at least.
    pub(super) fn begin(&self, operation: Operation) -> (Begun, Option<Duration>) {
        let mut state = self.0.borrow_mut();
        let stall = match state.injection.map(|injection| injection.fault) {
            Some(Fault::Stall(time)) => state.is_hit(&operation).then_some(time),
            _ => None,
        };
        (Begun { operation, covers: state.nodes.last_write() }, stall)
    }

    pub(super) fn complete(&self, begun: Begun, random: &mut SmallRng) -> io::Result<Output> {
        let mut state = self.0.borrow_mut();
        state.operations += 1;
        let fault = state.injection.map(|injection| injection.fault);
        match fault.filter(|fault| !matches!(fault, Fault::Stall(_))) {
            Some(fault) if state.is_hit(&begun.operation) => {
                return state.befall(fault, begun, random);
            }
            _ => {}
        }
        if state.fails(&begun.operation, random) {
            state.lose(&begun, random);
            let error = if state.faults.full_syncs { libc::ENOSPC } else { libc::EIO };
            return Err(io::Error::from_raw_os_error(error));
        }
        state.carry_out(begun)
    }

    /// Now and then a late write of a killed process lands.
    pub(super) fn land_one_late(&self, random: &mut SmallRng) {
        let mut state = self.0.borrow_mut();
        if !state.late.is_empty() && random.random_ratio(1, 200) {
            let index = random.random_range(0..state.late.len());
            let operation = state.late.swap_remove(index);
            state.land(operation, random);
        }
    }

    pub(super) fn land_all_late(&self, random: &mut SmallRng) {
        let mut state = self.0.borrow_mut();
        while let Some(operation) = state.late.pop() {
            state.land(operation, random);
        }
    }

    pub(super) fn kill(&self, in_flight: Vec<Begun>, random: &mut SmallRng) {
        let mut state = self.0.borrow_mut();
        for begun in in_flight {
            match random.random_range(0..4) {
                0 => {}
                1 if !state.faults.no_late_writes => state.late.push(begun.operation),
                _ => state.land(begun.operation, random),
            }
        }
    }

    pub(super) fn power_cut(&self, in_flight: Vec<Begun>, random: &mut SmallRng) {
        self.kill(in_flight, random);
        let mut state = self.0.borrow_mut();
        state.late.clear();
        state.nodes.power_cut(random);
    }
}

impl State {
    /// Whether this operation is one of those that the test has asked a fault for.
    fn is_hit(&mut self, operation: &Operation) -> bool {
        let needs_room = self.injection.is_some() && self.needs_room(operation);
        let Some(injection) = self.injection.as_mut() else { return false };
        let hit = injection.class.holds(operation, needs_room) && injection.counts();
        self.injected += u64::from(hit);
        hit
    }

    fn needs_room(&mut self, operation: &Operation) -> bool {
        let (inode, end) = match operation {
            Operation::Open { path, create: true } => return self.nodes.find(path).is_err(),
            Operation::Write { inode, bytes, position, .. } => {
                (*inode, position + bytes.len() as u64)
            }
            Operation::Fallocate { inode, end, .. } => (*inode, *end),
            _ => return false,
        };
        self.nodes.file(inode).is_ok_and(|file| file.allocated < end)
    }

    fn befall(&mut self, fault: Fault, begun: Begun, random: &mut SmallRng) -> io::Result<Output> {
        match (fault, begun.operation) {
            (Fault::Full, _) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            (Fault::Lost, Operation::Write { inode, .. }) => {
                self.lied.push(inode);
                Ok(Output::Unit)
            }
            (Fault::Misdirected, Operation::Write { inode, bytes, position, .. }) => {
                let meant = (inode, position);
                let (to, position) = self.nodes.any_block(meant, bytes.len(), random);
                self.lied.extend([inode, to]);
                let number = self.nodes.next_write();
                self.nodes.file(to)?.write(number, position, bytes, true);
                Ok(Output::Unit)
            }
            (_, operation) => {
                self.lose(&Begun { operation, covers: begun.covers }, random);
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
    }

    fn fails(&self, operation: &Operation, random: &mut SmallRng) -> bool {
        let may = match operation {
            Operation::Fdatasync { .. }
            | Operation::Syncfs { .. }
            | Operation::SyncDirectory { .. } => true,
            Operation::Write { .. } | Operation::Rename { .. } | Operation::Truncate { .. } => {
                !self.faults.full_syncs
            }
            _ => false,
        };
        if let Some(dead) = self.dead {
            return self.touches(operation, dead);
        }
        may && self.faults.error_one_in > 0 && random.random_ratio(1, self.faults.error_one_in)
    }

    /// Whether an operation changes, or syncs, something in the directory.
    fn touches(&self, operation: &Operation, directory: Inode) -> bool {
        let path_is_in = |path: &Path| {
            let mut above = path.ancestors();
            above.any(|path| self.nodes.find(path).is_ok_and(|inode| inode == directory))
        };
        match operation {
            Operation::Write { inode, .. }
            | Operation::Fdatasync { inode }
            | Operation::Fallocate { inode, .. }
            | Operation::Truncate { inode, .. } => self.nodes.is_below(*inode, directory),
            Operation::SyncDirectory { path }
            | Operation::Unlink { path }
            | Operation::Mkdir { path } => path_is_in(path),
            Operation::Rename { from, .. } => path_is_in(from),
            Operation::Open { path, create } => *create && path_is_in(path),
            Operation::Read { .. }
            | Operation::Syncfs { .. }
            | Operation::List { .. }
            | Operation::Stat { .. }
            | Operation::Length { .. } => false,
        }
    }

    /// After a failed sync the cache believes that it is clean: what it was to make durable is lost for good, or not.
    fn lose(&mut self, begun: &Begun, random: &mut SmallRng) {
        match &begun.operation {
            Operation::Fdatasync { inode } => {
                if let Ok(file) = self.nodes.file(*inode) {
                    file.forget_unsynced(random);
                }
            }
            Operation::Write { .. } => self.land(begun.operation.clone(), random),
            _ => {}
        }
    }

    fn carry_out(&mut self, begun: Begun) -> io::Result<Output> {
        let nodes = &mut self.nodes;
        Ok(match begun.operation {
            Operation::Open { path, create } => {
                if create && self.faults.full && nodes.find(&path).is_err() {
                    return Err(io::Error::from_raw_os_error(libc::ENOSPC));
                }
                Output::File(nodes.open(&path, create)?)
            }
            Operation::Read { inode, position, length } => {
                let bytes = nodes.file(inode)?.read(position, length);
                self.read = (self.read.0 + 1, self.read.1 + bytes.len() as u64);
                Output::Bytes(bytes)
            }
            Operation::Write { inode, bytes, position, dsync } => {
                self.bytes_written += bytes.len() as u64;
                let number = nodes.next_write();
                let file = nodes.file(inode)?;
                let more = (position + bytes.len() as u64).saturating_sub(file.allocated);
                take(&self.faults, &mut self.room, more)?;
                file.write(number, position, bytes, dsync);
                Output::Unit
            }
            Operation::Fdatasync { inode } => {
                nodes.file(inode)?.sync(begun.covers);
                Output::Unit
            }
            Operation::Syncfs { .. } if !self.syncs_all => Output::Unit,
            Operation::Syncfs { inode } => {
                match self.devices.iter().find(|device| nodes.is_on(inode, **device)) {
                    Some(device) => nodes.sync_files_below(*device, begun.covers),
                    None => nodes.sync_files(begun.covers),
                }
                Output::Unit
            }
            Operation::SyncDirectory { path } => {
                let inode = nodes.find(&path)?;
                nodes.directory(inode)?.sync(begun.covers);
                Output::Unit
            }
            Operation::Fallocate { inode, end, grow } => {
                let number = nodes.next_write();
                let file = nodes.file(inode)?;
                take(&self.faults, &mut self.room, end.saturating_sub(file.allocated))?;
                file.allocate(number, end, grow);
                Output::Unit
            }
            Operation::Truncate { inode, length } => {
                let number = nodes.next_write();
                nodes.file(inode)?.truncate(number, length);
                Output::Unit
            }
            Operation::Rename { from, to } => {
                nodes.rename(&from, &to)?;
                Output::Unit
            }
            Operation::Unlink { path } => {
                let inode = nodes.find(&path)?;
                let freed = nodes.file(inode).map_or(0, |file| file.allocated);
                nodes.unlink(&path)?;
                self.room = self.room.map(|room| room + freed);
                Output::Unit
            }
            Operation::Mkdir { path } => {
                nodes.mkdir(&path)?;
                Output::Unit
            }
            Operation::List { path } => {
                let inode = nodes.find(&path)?;
                Output::Names(nodes.list(inode)?)
            }
            Operation::Stat { path } => {
                let inode = nodes.find(&path)?;
                Output::Stat(nodes.stat(inode))
            }
            Operation::Length { inode } => Output::Length(nodes.file(inode)?.current.len() as u64),
        })
    }

    /// An operation whose process is gone: a write lands whole or in part; others happen or do not.
    fn land(&mut self, operation: Operation, random: &mut SmallRng) {
        let partial = match &operation {
            Operation::Write { inode, bytes, position, .. } if random.random_ratio(1, 2) => {
                Some((*inode, bytes.clone(), *position))
            }
            _ => None,
        };
        if let Some((inode, bytes, position)) = partial {
            self.land_in_part(inode, &bytes, position, random);
        } else if matches!(operation, Operation::Write { .. }) || random.random_ratio(1, 2) {
            // A DSYNC write that nobody saw complete promises nothing.
            let operation = match operation {
                Operation::Write { inode, bytes, position, .. } => {
                    Operation::Write { inode, bytes, position, dsync: false }
                }
                other => other,
            };
            // Nobody waits for the answer.
            let _ = self.carry_out(Begun { operation, covers: 0 });
        }
    }

    fn land_in_part(&mut self, inode: Inode, bytes: &Bytes, position: u64, random: &mut SmallRng) {
        for (index, start) in (0..bytes.len()).step_by(File::SECTOR).enumerate() {
            if random.random_ratio(1, 2) {
                let end = (start + File::SECTOR).min(bytes.len());
                let number = self.nodes.next_write();
                let at = position + (index * File::SECTOR) as u64;
                if let Ok(file) = self.nodes.file(inode) {
                    file.write(number, at, bytes.slice(start..end), false);
                }
            }
        }
    }
}

/// Gives a file `more` bytes, if there is room for all of them.
fn take(faults: &Faults, room: &mut Option<u64>, more: u64) -> io::Result<()> {
    let left = room.unwrap_or(u64::MAX).checked_sub(more).filter(|_| !faults.full || more == 0);
    let left = left.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOSPC))?;
    *room = room.map(|_| left);
    Ok(())
}

impl Node {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self, Node::Directory(_))
    }
}
