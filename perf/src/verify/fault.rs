//! What a partition can have wrong.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What was acknowledged is not there.
    Lost,
    /// An idempotent producer's batch is there twice.
    Duplicated,
    /// What is there is not what was sent, or does not stand where it was sent.
    OutOfPlace,
}

/// The first thing that is wrong with a partition.
#[derive(Debug)]
pub(super) struct Fault {
    pub kind: Kind,
    /// How many records it concerns, at least.
    pub records: u64,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Lost => "LOST",
            Kind::Duplicated => "DUPLICATED",
            Kind::OutOfPlace => "OUT OF PLACE",
        };
        write!(f, "{kind}: {}", self.what)
    }
}

impl std::error::Error for Fault {}
