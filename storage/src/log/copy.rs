//! Reads into memory, for what the broker itself reads: the topics in which it keeps its state, and logs that move.

use bytes::{Bytes, BytesMut};

use super::Log;
use super::read::Slice;
use crate::error::ReadError;
use crate::runtime::Runtime;
use crate::units::Offset;

impl<R: Runtime> Log<R> {
    /// The bytes of what [`Log::read`] finds: whole batches from the one that holds `from`, below `up_to`, about `max_bytes` of them, the
    /// first one whatever its size, and perhaps a torn one at the end. Empty where nothing can be read yet.
    pub async fn read_copied(
        &self,
        from: Offset,
        up_to: Offset,
        max_bytes: usize,
    ) -> Result<Bytes, ReadError> {
        let plan = self.read(from, up_to, max_bytes, true).await?;
        let mut bytes = BytesMut::with_capacity(plan.bytes);
        for slice in plan.slices {
            match slice {
                Slice::Memory(piece) => bytes.extend_from_slice(&piece),
                Slice::File { file, position, length } => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    let read = self.core().runtime.read_at(&file, position, length).await;
                    let directory = || self.state().directory.display().to_string();
                    let read = read.map_err(|error| ReadError::Io(directory(), error))?;
                    bytes.extend_from_slice(&read);
                }
            }
        }
        Ok(bytes.freeze())
    }
}
