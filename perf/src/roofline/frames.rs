//! What the roofline understands of Kafka: Produce and Fetch of the versions that `perf send` and `perf fetch` use.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail, ensure};
use bytestring::ByteString;
use net::{
    send::Part,
    wire::{
        ErrorCode,
        produce::{
            LeaderIdAndEpoch, PartitionProduceResponse, ProduceRequest, ProduceResponse,
            TopicProduceResponse,
        },
        response,
    },
};
use uuid::Uuid;

use crate::{
    batch,
    client::{FETCH, PRODUCE},
};

/// A request, borrowed from the connection's buffer.
pub(super) enum Asked<'a> {
    Produce { correlation: [u8; 4], topic: &'a [u8], partition: [u8; 4], batch: &'a [u8] },
    Fetch { correlation: [u8; 4], topic: &'a [u8] },
}

/// Reads a frame without its length prefix.
pub(super) fn parse(frame: &[u8]) -> Result<Asked<'_>> {
    let mut reader = Reader { left: frame };
    let (key, version) = (reader.i16()?, reader.i16()?);
    let correlation = reader.array()?;
    reader.string()?;
    match (key, version) {
        (0, PRODUCE) => {
            reader.string()?;
            reader.take(2 + 4)?;
            ensure!(reader.i32()? == 1, "more than one topic");
            let topic = reader.string()?;
            ensure!(reader.i32()? == 1, "more than one partition");
            let partition = reader.array()?;
            let length = usize::try_from(reader.i32()?)?;
            let batch = reader.take(length)?;
            ensure!(batch.len() >= batch::HEADER_BYTES, "a batch without a header");
            Ok(Asked::Produce { correlation, topic, partition, batch })
        }
        (1, FETCH) => {
            reader.take(4 + 4 + 4 + 4 + 1 + 4 + 4)?;
            ensure!(reader.i32()? == 1, "more than one topic");
            Ok(Asked::Fetch { correlation, topic: reader.string()? })
        }
        _ => bail!("key {key} version {version} is not part of the roofline"),
    }
}

struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, left) =
            self.left.split_at_checked(length).context("a request that ends early")?;
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A string that may be null, which reads as empty.
    fn string(&mut self) -> Result<&'a [u8]> {
        let length = self.i16()?.max(0);
        self.take(usize::try_from(length)?)
    }
}

/// Answers to Produce: one is encoded for each topic, then only correlation id, partition and offset change.
#[derive(Default)]
pub(super) struct Acknowledgements {
    templates: HashMap<Vec<u8>, Vec<u8>>,
}

impl Acknowledgements {
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        correlation: [u8; 4],
        topic: &[u8],
        partition: [u8; 4],
        offset: i64,
    ) -> Result<()> {
        if !self.templates.contains_key(topic) {
            self.templates.insert(topic.to_vec(), acknowledgement(topic)?);
        }
        let begin = out.len();
        out.extend_from_slice(&self.templates[topic]);
        // length, correlation, count of topics, name, count of partitions, partition, error, offset
        let partition_at = begin + 4 + 4 + 4 + 2 + topic.len() + 4;
        out[begin + 4..begin + 8].copy_from_slice(&correlation);
        out[partition_at..partition_at + 4].copy_from_slice(&partition);
        out[partition_at + 6..partition_at + 14].copy_from_slice(&offset.to_be_bytes());
        Ok(())
    }
}

fn acknowledgement(topic: &[u8]) -> Result<Vec<u8>> {
    let answer = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: name(topic)?,
            topic_id: Uuid::nil(),
            partition_responses: vec![PartitionProduceResponse {
                index: 0,
                error_code: ErrorCode::NONE,
                base_offset: 0,
                log_append_time_ms: -1,
                log_start_offset: 0,
                record_errors: Vec::new(),
                error_message: None,
                current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
            }],
        }],
        throttle_time_ms: 0,
        node_endpoints: Vec::new(),
    };
    let parts = response::<ProduceRequest>(0, PRODUCE, &answer)?;
    Ok(parts
        .iter()
        .flat_map(|part| if let Part::Bytes(bytes) = part { bytes.to_vec() } else { Vec::new() })
        .collect())
}

fn name(topic: &[u8]) -> Result<ByteString> {
    Ok(std::str::from_utf8(topic)?.into())
}
