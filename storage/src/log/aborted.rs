//! What a reader of committed data must leave out: the transactions that were aborted, as Kafka's transaction indexes list them.

use std::io;
use std::rc::Rc;

use super::Log;
use crate::error::ReadError;
use crate::index::{AbortedTransaction, TransactionIndex};
use crate::runtime::{Runtime, read_file};
use crate::segment::files::{Kind, file_name};
use crate::units::Offset;

impl<R: Runtime> Log<R> {
    /// Where a reader of committed data stops: before the oldest transaction that is open.
    pub fn last_stable(&self, high_watermark: Offset) -> Offset {
        let unstable = self.state().producers.first_unstable();
        unstable.map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// The aborted transactions with records in `from..up_to`, in the order of their markers. What a segment lists is read
    /// once, and kept: markers only come to the end of a log.
    pub async fn aborted(
        &self,
        from: Offset,
        up_to: Offset,
    ) -> Result<Vec<AbortedTransaction>, ReadError> {
        let bases: Vec<Offset> = {
            let state = self.state();
            let first = state.segment_of(from).map_or(from, |segment| segment.base);
            state
                .segments
                .iter()
                .map(|segment| segment.base)
                .filter(|base| *base >= first)
                .collect()
        };
        let mut found = Vec::new();
        for base in bases {
            let listed = self.aborted_in(base).await?;
            if TransactionIndex::new(&listed).collect(from, up_to, &mut found) {
                break;
            }
        }
        Ok(found)
    }

    /// The bytes of a segment's transaction index; none where there is no file.
    async fn aborted_in(&self, base: Offset) -> Result<Rc<[u8]>, ReadError> {
        if let Some(known) = self.state().segment(base).and_then(|segment| segment.aborted.clone())
        {
            return Ok(known);
        }
        let path = self.state().directory.join(file_name(base, Kind::TransactionIndex));
        let read = match read_file(&self.core().runtime, &path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Rc::from([])),
            Ok(bytes) => Ok(Rc::from(&bytes[..])),
            Err(error) => Err(ReadError::Io(path.display().to_string(), error)),
        };
        let listed: Rc<[u8]> = read?;
        if let Err(error) = TransactionIndex::new(&listed).check(base) {
            tracing::error!(path = %path.display(), %error, "start Kafka on this directory once, with the file removed: it builds it anew");
            return Err(ReadError::Damaged { file: path.display().to_string(), position: 0 });
        }
        if let Some(segment) = self.state_mut().segment_mut(base) {
            segment.aborted = Some(Rc::clone(&listed));
        }
        Ok(listed)
    }
}
