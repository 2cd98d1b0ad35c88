//! Files and directories of the simulated disk: what reads see, what is on stable storage, and what lies between.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::SmallRng;

use super::super::{BLOCK, Stat};
use super::disk::Inode;

#[derive(Clone)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

/// Every inode that ever was; number 0 is the root. (Inodes are not used again: an open file outlives its name.)
#[derive(Clone)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    writes: u64,
}

#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) current: Vec<u8>,
    pub(super) allocated: u64,
    stable: Vec<u8>,
    unsynced: Vec<(u64, u64, Bytes)>,
    lengths: Vec<(u64, u64)>,
    changed: u64,
}

#[derive(Clone, Default)]
pub(super) struct Directory {
    current: BTreeMap<String, Inode>,
    stable: BTreeMap<String, Inode>,
    unsynced: Vec<(u64, Change)>,
}

#[derive(Clone)]
enum Change {
    Add(String, Inode),
    Remove(String),
    Rename(String, String, Inode),
}

fn not_found() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

fn position_of(position: u64) -> usize {
    usize::try_from(position).expect("a simulated file fits in memory")
}

impl Nodes {
    pub(super) fn new() -> Self {
        Nodes { nodes: vec![Node::Directory(Directory::default())], writes: 0 }
    }

    pub(super) fn last_write(&self) -> u64 {
        self.writes
    }

    pub(super) fn next_write(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }

    /// A place for so many bytes that were meant for another: whole blocks of the same file, or of any, but not the same blocks of
    /// another. (A batch of Kafka's does not say whose it is.)
    pub(super) fn any_block(
        &mut self,
        (inode, meant): (Inode, u64),
        length: usize,
        random: &mut SmallRng,
    ) -> (Inode, u64) {
        let files = self.nodes.iter().enumerate().filter_map(|(inode, node)| match node {
            Node::File(file) if file.current.len() >= length => Some(inode),
            _ => None,
        });
        let files: Vec<Inode> = files.collect();
        let to = match files.is_empty() || random.random_ratio(1, 2) {
            true => inode,
            false => files[random.random_range(0..files.len())],
        };
        let room = match &self.nodes[to] {
            Node::File(file) => file.current.len().saturating_sub(length) / BLOCK,
            Node::Directory(_) => 0,
        };
        match (random.random_range(0..=room) * BLOCK) as u64 {
            position if position == meant => (inode, meant + BLOCK as u64),
            position => (to, position),
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut inode = 0;
        for name in path.components() {
            let std::path::Component::Normal(name) = name else { continue };
            let Node::Directory(directory) = &self.nodes[inode] else { return Err(not_found()) };
            inode = *directory.current.get(&*name.to_string_lossy()).ok_or_else(not_found)?;
        }
        Ok(inode)
    }

    fn parent(&self, path: &Path) -> io::Result<(Inode, String)> {
        let name = path.file_name().ok_or_else(not_found)?.to_string_lossy().into_owned();
        Ok((self.find(path.parent().ok_or_else(not_found)?)?, name))
    }

    /// Whether a file has a name in this directory, or in any below.
    pub(super) fn is_below(&self, inode: Inode, directory: Inode) -> bool {
        match &self.nodes[directory] {
            Node::Directory(names) => {
                names.current.values().any(|name| *name == inode || self.is_below(inode, *name))
            }
            Node::File(_) => false,
        }
    }

    /// Whether it is this directory, or below it.
    pub(super) fn is_on(&self, inode: Inode, directory: Inode) -> bool {
        inode == directory || self.is_below(inode, directory)
    }

    pub(super) fn file(&mut self, inode: Inode) -> io::Result<&mut File> {
        match &mut self.nodes[inode] {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        }
    }

    pub(super) fn directory(&mut self, inode: Inode) -> io::Result<&mut Directory> {
        match &mut self.nodes[inode] {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
        }
    }

    pub(super) fn open(&mut self, path: &Path, create: bool) -> io::Result<Inode> {
        match self.find(path) {
            Ok(inode) => Ok(inode),
            Err(_) if create => self.add(path, Node::File(File::default())),
            Err(error) => Err(error),
        }
    }

    pub(super) fn mkdir(&mut self, path: &Path) -> io::Result<()> {
        if self.find(path).is_err() {
            self.add(path, Node::Directory(Directory::default()))?;
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
        let (parent, name) = self.parent(path)?;
        let number = self.next_write();
        let inode = self.nodes.len();
        self.nodes.push(node);
        self.directory(parent)?.change(number, Change::Add(name, inode));
        Ok(inode)
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        let (parent, name) = self.parent(path)?;
        let number = self.next_write();
        self.directory(parent)?.change(number, Change::Remove(name));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.find(from)?;
        let ((parent, from), (target, to)) = (self.parent(from)?, self.parent(to)?);
        assert_eq!(parent, target, "a rename across directories");
        let number = self.next_write();
        self.directory(parent)?.change(number, Change::Rename(from, to, inode));
        Ok(())
    }

    pub(super) fn list(&mut self, inode: Inode) -> io::Result<Vec<String>> {
        Ok(self.directory(inode)?.current.keys().cloned().collect())
    }

    pub(super) fn stat(&self, inode: Inode) -> Stat {
        let node = &self.nodes[inode];
        let (length, changed) = match node {
            Node::File(file) => (file.current.len() as u64, file.changed),
            Node::Directory(_) => (0, 0),
        };
        Stat {
            length,
            inode: inode as u64,
            changed: i128::from(changed),
            is_directory: node.is_directory(),
        }
    }

    pub(super) fn sync_files(&mut self, covers: u64) {
        for node in &mut self.nodes {
            if let Node::File(file) = node {
                file.sync(covers);
            }
        }
    }

    pub(super) fn sync_files_below(&mut self, directory: Inode, covers: u64) {
        let mut left = vec![directory];
        while let Some(inode) = left.pop() {
            match &mut self.nodes[inode] {
                Node::File(file) => file.sync(covers),
                Node::Directory(names) => left.extend(names.current.values()),
            }
        }
    }

    pub(super) fn sync_all(&mut self) {
        self.sync_files(u64::MAX);
        for node in &mut self.nodes {
            if let Node::Directory(directory) = node {
                directory.sync(u64::MAX);
            }
        }
    }

    pub(super) fn power_cut(&mut self, random: &mut SmallRng) {
        for node in &mut self.nodes {
            match node {
                Node::File(file) => file.power_cut(random),
                Node::Directory(directory) => directory.power_cut(random),
            }
        }
    }
}

impl File {
    pub(super) const SECTOR: usize = 512;

    pub(super) fn read(&self, position: u64, length: usize) -> Bytes {
        let start = position_of(position).min(self.current.len());
        let end = (start + length).min(self.current.len());
        Bytes::copy_from_slice(&self.current[start..end])
    }

    pub(super) fn write(&mut self, number: u64, position: u64, bytes: Bytes, dsync: bool) {
        put(&mut self.current, position, &bytes);
        self.allocated = self.allocated.max(position + bytes.len() as u64);
        self.changed = number;
        if dsync {
            let end = position + bytes.len() as u64;
            self.forget_below(position, end);
            // Nor can an older change of length that is still unsynced cut it off.
            for (_, length) in &mut self.lengths {
                *length = end.max(*length);
            }
            put(&mut self.stable, position, &bytes);
        } else {
            self.unsynced.push((number, position, bytes));
        }
    }

    /// A DSYNC write outlives what older writes had left unsynced in its place.
    fn forget_below(&mut self, start: u64, end: u64) {
        let older = std::mem::take(&mut self.unsynced);
        for (number, position, bytes) in older {
            let limit = position + bytes.len() as u64;
            if limit <= start || position >= end {
                self.unsynced.push((number, position, bytes));
                continue;
            }
            if position < start {
                self.unsynced.push((
                    number,
                    position,
                    bytes.slice(..position_of(start - position)),
                ));
            }
            if limit > end {
                self.unsynced.push((number, end, bytes.slice(position_of(end - position)..)));
            }
        }
    }

    pub(super) fn sync(&mut self, covers: u64) {
        let unsynced = std::mem::take(&mut self.unsynced);
        for (number, position, bytes) in unsynced {
            if number <= covers {
                put(&mut self.stable, position, &bytes);
            } else {
                self.unsynced.push((number, position, bytes));
            }
        }
        if let Some((_, length)) = self.lengths.iter().rfind(|(number, _)| *number <= covers) {
            self.stable.resize(position_of(*length).max(self.written_end(covers)), 0);
        }
        self.lengths.retain(|(number, _)| *number > covers);
    }

    /// Where the last synced write ends that came after the last synced change of length.
    fn written_end(&self, covers: u64) -> usize {
        if self.lengths.iter().any(|(number, _)| *number > covers) {
            self.stable.len()
        } else {
            self.current.len()
        }
    }

    pub(super) fn allocate(&mut self, number: u64, end: u64, grow: bool) {
        self.allocated = self.allocated.max(end);
        if grow && end > self.current.len() as u64 {
            self.truncate(number, end);
        }
    }

    pub(super) fn truncate(&mut self, number: u64, length: u64) {
        self.current.resize(position_of(length), 0);
        self.allocated = self.allocated.max(length);
        self.lengths.push((number, length));
        self.changed = number;
    }

    pub(super) fn forget_unsynced(&mut self, random: &mut SmallRng) {
        self.unsynced.retain(|_| random.random_ratio(1, 2));
    }

    pub(super) fn flip(&mut self, position: usize) -> bool {
        for bytes in [&mut self.current, &mut self.stable] {
            if let Some(byte) = bytes.get_mut(position) {
                *byte ^= 0x10;
            }
        }
        position < self.current.len()
    }

    pub(super) fn overwrite(&mut self, position: usize, bytes: &[u8]) -> bool {
        for content in [&mut self.current, &mut self.stable] {
            let end = (position + bytes.len()).min(content.len());
            if position < end {
                content[position..end].copy_from_slice(&bytes[..end - position]);
            }
        }
        position < self.current.len()
    }

    pub(super) fn replace(&mut self, content: &[u8]) {
        *self = File {
            current: content.to_vec(),
            stable: content.to_vec(),
            changed: self.changed + 1,
            ..File::default()
        };
    }

    fn power_cut(&mut self, random: &mut SmallRng) {
        if self.unsynced.is_empty() && self.lengths.is_empty() {
            self.current.clone_from(&self.stable);
            return;
        }
        for (_, position, bytes) in std::mem::take(&mut self.unsynced) {
            let all = random.random_range(0..4);
            for start in (0..bytes.len()).step_by(Self::SECTOR) {
                if all == 1 || (all >= 2 && random.random_ratio(1, 2)) {
                    let end = (start + Self::SECTOR).min(bytes.len());
                    put(&mut self.stable, position + start as u64, &bytes[start..end]);
                }
            }
        }
        for (_, length) in std::mem::take(&mut self.lengths) {
            if random.random_ratio(1, 2) {
                self.stable.resize(position_of(length), 0);
            }
        }
        self.current.clone_from(&self.stable);
    }
}

fn put(content: &mut Vec<u8>, position: u64, bytes: &[u8]) {
    let start = position_of(position);
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

impl Directory {
    fn change(&mut self, number: u64, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push((number, change));
    }

    pub(super) fn sync(&mut self, covers: u64) {
        let unsynced = std::mem::take(&mut self.unsynced);
        for (number, change) in unsynced {
            if number <= covers {
                change.apply(&mut self.stable);
            } else {
                self.unsynced.push((number, change));
            }
        }
    }

    fn power_cut(&mut self, random: &mut SmallRng) {
        for (_, change) in std::mem::take(&mut self.unsynced) {
            if random.random_ratio(1, 2) {
                change.apply(&mut self.stable);
            }
        }
        self.current.clone_from(&self.stable);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        match self {
            Change::Add(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Change::Remove(name) => {
                names.remove(name);
            }
            Change::Rename(from, to, inode) => {
                // A later file may have taken the old name already, where changes survive out of order.
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
        }
    }
}
