//! A blocking connection that asks one request after another, or several ahead.

use std::{
    io::{IoSlice, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use net::{
    send::{Part, Parts},
    wire::{
        ErrorCode, Request, decode_response,
        fetch::{FetchPartition, FetchRequest, FetchTopic, ReplicaState},
        find_coordinator::FindCoordinatorRequest,
        init_producer_id::InitProducerIdRequest,
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        offset_commit::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
        },
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
        request,
    },
};
use uuid::Uuid;

/// Versions that name topics by name and are not flexible: the same for Kafka and for us.
pub const PRODUCE: i16 = 8;
pub const FETCH: i16 = 11;
pub const OFFSET_COMMIT: i16 = 7;
const LIST_OFFSETS: i16 = 5;
const INIT_PRODUCER_ID: i16 = 1;
const FIND_COORDINATOR: i16 = 1;

const CLIENT_ID: ByteString = ByteString::from_static("perf");

pub struct Client {
    socket: TcpStream,
    correlation: i32,
}

impl Client {
    pub fn connect(address: &str) -> Result<Client> {
        let socket =
            TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Client { socket, correlation: 0 })
    }

    /// One request and its answer.
    pub fn ask<R: Request>(&mut self, version: i16, asked: &R) -> Result<R::Response> {
        let sent = self.send(version, asked)?;
        let (correlation, response) = self.receive::<R>(version)?;
        ensure!(correlation == sent, "answer {correlation} to request {sent}");
        Ok(response)
    }

    /// Sends a request without waiting; its correlation id.
    pub fn send<R: Request>(&mut self, version: i16, asked: &R) -> Result<i32> {
        self.correlation = self.correlation.wrapping_add(1);
        let parts = request(self.correlation, Some(&CLIENT_ID), version, asked)?;
        let bytes = memory(parts)?;
        let mut slices: Vec<IoSlice<'_>> = bytes.iter().map(|b| IoSlice::new(b)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            let sent = self.socket.write_vectored(left)?;
            ensure!(sent > 0, "the broker closed the connection");
            IoSlice::advance_slices(&mut left, sent);
        }
        Ok(self.correlation)
    }

    /// The next answer: its correlation id and body.
    pub fn receive<R: Request>(&mut self, version: i16) -> Result<(i32, R::Response)> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length))?];
        self.socket.read_exact(&mut frame)?;
        Ok(decode_response::<R>(Bytes::from(frame), version)?)
    }

    pub fn init_producer_id(&mut self) -> Result<(i64, i16)> {
        let asked = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
        };
        // Kafka asks to come again while it fetches a block of ids.
        for _ in 0..100 {
            let answer = self.ask(INIT_PRODUCER_ID, &asked)?;
            match answer.error_code {
                ErrorCode::NONE => return Ok((answer.producer_id, answer.producer_epoch)),
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                    std::thread::sleep(Duration::from_millis(50))
                }
                error => bail!("InitProducerId answered {error:?}"),
            }
        }
        bail!("InitProducerId had no id for 5 s")
    }

    /// Waits until the group's coordinator takes commits: its topic is made when it is first asked for.
    pub fn first_commit(&mut self, asked: &OffsetCommitRequest) -> Result<()> {
        let find = FindCoordinatorRequest {
            key: asked.group_id.clone(),
            key_type: 0,
            coordinator_keys: Vec::new(),
        };
        let mut told = ErrorCode::NONE;
        for _ in 0..600 {
            told = self.ask(FIND_COORDINATOR, &find)?.error_code;
            if told == ErrorCode::NONE {
                let answer = self.ask(OFFSET_COMMIT, asked)?;
                let mut parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
                match parts.find(|part| part.error_code != ErrorCode::NONE) {
                    None => return Ok(()),
                    Some(part) => told = part.error_code,
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("group {} could not commit for 30 s: {told:?}", asked.group_id)
    }

    /// -1 asks for the end, -2 for the start.
    pub fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        let asked = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 0,
            topics: vec![ListOffsetsTopic {
                name: topic.into(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: partition,
                    current_leader_epoch: -1,
                    timestamp,
                }],
            }],
            timeout_ms: 0,
        };
        let answer = self.ask(LIST_OFFSETS, &asked)?;
        let Some(found) = answer.topics.first().and_then(|t| t.partitions.first()) else {
            bail!("ListOffsets answered nothing")
        };
        ensure!(
            found.error_code == ErrorCode::NONE,
            "ListOffsets of {topic}-{partition} answered {:?}",
            found.error_code
        );
        Ok(found.offset)
    }
}

/// What is to be sent, as memory: nothing here sends from files.
pub fn memory(parts: Parts) -> Result<Vec<Bytes>> {
    parts
        .into_iter()
        .map(|part| match part {
            Part::Bytes(bytes) => Ok(bytes),
            Part::File(_) => bail!("a file range in a request"),
        })
        .collect()
}

/// A Produce request of one batch for each partition named.
pub fn produce(topic: &str, acks: i16, batches: Vec<(i32, Bytes)>) -> ProduceRequest {
    let partition_data = batches
        .into_iter()
        .map(|(index, records)| PartitionProduceData { index, records: Some(records) })
        .collect();
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            topic_id: Uuid::nil(),
            partition_data,
        }],
    }
}

/// An OffsetCommit of a group without members, in each partition.
pub fn commit(group: &str, topic: &str, partitions: &[i32]) -> OffsetCommitRequest {
    let partitions = partitions.iter().map(|index| OffsetCommitRequestPartition {
        partition_index: *index,
        committed_offset: 1,
        committed_leader_epoch: -1,
        committed_metadata: None,
    });
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        member_id: ByteString::new(),
        group_instance_id: None,
        retention_time_ms: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            topic_id: Uuid::nil(),
            partitions: partitions.collect(),
        }],
    }
}

/// A Fetch request without a session.
pub fn fetch(
    topic: &str,
    positions: &[(i32, i64)],
    max_bytes: i32,
    max_wait_ms: i32,
) -> FetchRequest {
    let partitions = positions
        .iter()
        .map(|&(partition, fetch_offset)| FetchPartition {
            partition,
            current_leader_epoch: -1,
            fetch_offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: max_bytes,
            replica_directory_id: Uuid::nil(),
            high_watermark: i64::MAX,
        })
        .collect();
    FetchRequest {
        cluster_id: None,
        replica_id: -1,
        replica_state: ReplicaState { replica_id: -1, replica_epoch: -1 },
        max_wait_ms,
        min_bytes: 1,
        max_bytes,
        isolation_level: 0,
        session_id: 0,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: topic.into(), topic_id: Uuid::nil(), partitions }],
        forgotten_topics_data: Vec::new(),
        rack_id: ByteString::new(),
    }
}
