//! Answers as parts: encoded bytes, slices of the tail, ranges of files.
//!
//! An encoder yields `Parts`, a connection sends them. Record bytes are never copied into an answer: memory is shared
//! (`Bytes`), and a file range is a promise that the file's bytes there will not change until it has been sent (its
//! `Arc<OwnedFd>` keeps the file open, whoever unlinks it meanwhile).

use std::{fmt, os::fd::OwnedFd, sync::Arc};

use bytes::Bytes;

/// One piece of an answer.
#[derive(Clone, Debug)]
pub enum Part {
    Bytes(Bytes),
    File(FileRange),
}

/// A range of a file that lies below its completed length.
#[derive(Clone)]
pub struct FileRange {
    pub file: Arc<OwnedFd>,
    /// Bytes from the start of the file.
    pub position: u64,
    /// Bytes to send. A file that turns out shorter closes the connection.
    pub length: u64,
}

impl fmt::Debug for FileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileRange { position, length, .. } = self;
        write!(f, "FileRange({position}+{length})")
    }
}

impl Part {
    /// Bytes that this part will put on the wire.
    pub fn len(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::File(range) => range.length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Part {
    fn from(bytes: Bytes) -> Part {
        Part::Bytes(bytes)
    }
}

impl From<FileRange> for Part {
    fn from(range: FileRange) -> Part {
        Part::File(range)
    }
}

/// Parts in the order in which they leave, and their total length. Holds no empty part.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    parts: Vec<Part>,
    length: u64,
}

impl Parts {
    pub const fn new() -> Parts {
        Parts { parts: Vec::new(), length: 0 }
    }

    pub fn with_capacity(parts: usize) -> Parts {
        Parts { parts: Vec::with_capacity(parts), length: 0 }
    }

    /// Appends a part; an empty one is dropped.
    pub fn push(&mut self, part: impl Into<Part>) {
        let part = part.into();
        if !part.is_empty() {
            self.length += part.len();
            self.parts.push(part);
        }
    }

    /// Appends all parts of `other`.
    pub fn append(&mut self, other: Parts) {
        self.length += other.length;
        if self.parts.is_empty() {
            self.parts = other.parts;
        } else {
            self.parts.extend(other.parts);
        }
    }

    /// Total bytes on the wire.
    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn as_slice(&self) -> &[Part] {
        &self.parts
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Part> {
        self.parts.iter()
    }

    pub fn into_vec(self) -> Vec<Part> {
        self.parts
    }
}

impl IntoIterator for Parts {
    type Item = Part;
    type IntoIter = std::vec::IntoIter<Part>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.into_iter()
    }
}

impl<'a> IntoIterator for &'a Parts {
    type Item = &'a Part;
    type IntoIter = std::slice::Iter<'a, Part>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.iter()
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Parts {
        let mut all = Parts::new();
        parts.into_iter().for_each(|part| all.push(part));
        all
    }
}

impl From<Bytes> for Parts {
    fn from(bytes: Bytes) -> Parts {
        let mut parts = Parts::new();
        parts.push(bytes);
        parts
    }
}
