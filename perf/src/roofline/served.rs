//! The one answer to every Fetch: its records in memory, and the same bytes in a file whose pages are warm.

use std::{collections::HashMap, fs::File, io::Write as _, os::fd::OwnedFd, path::Path, sync::Arc};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use net::{
    send::{FileRange, Part, Parts},
    wire::{
        ErrorCode, Records,
        fetch::{
            EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
            PartitionData, SnapshotId,
        },
        response,
    },
};
use uuid::Uuid;

use crate::{
    batch::{self, Producer},
    client::FETCH,
};

/// Bytes of records in every answer.
const FETCH_BYTES: usize = 1 << 20;

pub(super) struct Served {
    pub records: Bytes,
    pub warm: Arc<OwnedFd>,
    /// By topic; only the correlation id changes.
    heads: HashMap<Vec<u8>, Vec<u8>>,
}

impl Served {
    pub(super) fn new(directory: &Path) -> Result<Served> {
        let value = [0x5a; 1000];
        let values = vec![&value[..]; FETCH_BYTES / 1010];
        let records = Bytes::from(batch::build(&values, Producer::NONE, 0)?);
        let path = directory.join("warm");
        File::create(&path)?.write_all(&records)?;
        let warm = File::open(&path)?;
        // Reading it once fills the page cache.
        std::io::copy(&mut &warm, &mut std::io::sink())?;
        Ok(Served { records, warm: Arc::new(warm.into()), heads: HashMap::new() })
    }

    /// What goes before the records.
    pub(super) fn put_head(
        &mut self,
        out: &mut Vec<u8>,
        correlation: [u8; 4],
        topic: &[u8],
    ) -> Result<()> {
        if !self.heads.contains_key(topic) {
            self.heads.insert(topic.to_vec(), self.head(topic)?);
        }
        let begin = out.len();
        out.extend_from_slice(&self.heads[topic]);
        out[begin + 4..begin + 8].copy_from_slice(&correlation);
        Ok(())
    }

    fn head(&self, topic: &[u8]) -> Result<Vec<u8>> {
        let mut records = Parts::new();
        records.push(FileRange {
            file: Arc::clone(&self.warm),
            position: 0,
            length: self.records.len() as u64,
        });
        let partition = PartitionData {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            high_watermark: i64::MAX,
            last_stable_offset: i64::MAX,
            log_start_offset: 0,
            diverging_epoch: EpochEndOffset { epoch: -1, end_offset: -1 },
            current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
            snapshot_id: SnapshotId { end_offset: -1, epoch: -1 },
            aborted_transactions: None,
            preferred_read_replica: -1,
            records: Records::from(records),
        };
        let answer = FetchResponse {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            session_id: 0,
            responses: vec![FetchableTopicResponse {
                topic: std::str::from_utf8(topic)?.into(),
                topic_id: Uuid::nil(),
                partitions: vec![partition],
            }],
            node_endpoints: Vec::new(),
        };
        let parts = response::<FetchRequest>(0, FETCH, &answer)?.into_vec();
        let [Part::Bytes(head), Part::File(_)] = &parts[..] else {
            bail!("an answer of {} parts", parts.len())
        };
        Ok(head.to_vec())
    }
}

/// Sends the file from its beginning, and blocks meanwhile.
pub(super) fn send_warm(socket: &OwnedFd, file: &OwnedFd, length: usize) -> Result<()> {
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
