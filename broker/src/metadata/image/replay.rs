//! Replay of a log with metadata transactions (KIP-868): what lies between a begin and its end counts together, what
//! lies between a begin and an abort, or a begin and the end of the log, does not count.

use super::{Image, Position, ReplayError};
use crate::metadata::records::Record;

/// An image that grows as records are replayed, and beside it the one inside an open transaction.
#[derive(Debug, Clone)]
pub struct Replay {
    committed: Image,
    open: Option<Image>,
}

impl Replay {
    pub fn new(image: Image) -> Replay {
        Replay { committed: image, open: None }
    }

    /// Replays one record; `position` is its own.
    pub fn apply(&mut self, record: &Record, position: Position) -> Result<(), ReplayError> {
        match record {
            Record::BeginTransaction(_) if self.open.is_some() => return Err(ReplayError::Nested),
            Record::BeginTransaction(_) => self.open = Some(self.committed.clone()),
            Record::EndTransaction(_) => {
                self.committed = self.open.take().ok_or(ReplayError::NotBegun)?;
            }
            Record::AbortTransaction(_) => {
                self.open.take().ok_or(ReplayError::NotBegun)?;
            }
            record => self.open.as_mut().unwrap_or(&mut self.committed).apply(record)?,
        }
        self.advance(position);
        Ok(())
    }

    /// A position without a record for the image: control batches.
    pub fn advance(&mut self, position: Position) {
        self.open.as_mut().unwrap_or(&mut self.committed).advance(position);
    }

    /// Was a transaction begun that neither ended nor was aborted?
    pub fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    /// What counts.
    pub fn image(&self) -> &Image {
        &self.committed
    }
}
