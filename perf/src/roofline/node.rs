//! What Kafka's own clients ask before they send anything: ApiVersions, Metadata, InitProducerId.
//!
//! - Any topic that is asked for exists, with the same number of partitions, all led by node 1, which is the roofline.
//! - Only what is served is announced, Produce and Fetch in the one version that is read by hand.
//!
//! Asked a few times in a run: the general codec will do.

use anyhow::{Result, bail};
use bytes::Bytes;
use net::wire::{
    AnyRequest, DecodeError, Decoder, ErrorCode, Request, RequestHeader,
    api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse},
    fetch::FetchRequest,
    init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
    metadata::{
        MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
        MetadataResponsePartition, MetadataResponseTopic,
    },
    produce::ProduceRequest,
    response,
};

use crate::client::{FETCH, PRODUCE, memory};

const NODE: i32 = 1;

pub(super) struct Node {
    port: u16,
    /// Of every topic.
    partitions: i32,
    next_producer: i64,
}

impl Node {
    pub(super) fn new(port: u16, partitions: i32) -> Node {
        Node { port, partitions, next_producer: 0 }
    }

    /// Puts the answer to a frame behind `out`.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, frame: &[u8]) -> Result<()> {
        let mut d = Decoder::new(Bytes::copy_from_slice(frame));
        let header = RequestHeader::decode(&mut d)?;
        let (correlation, version) = (header.correlation_id, header.api_version);
        let parts = match AnyRequest::decode(&header, &mut d) {
            Ok(AnyRequest::ApiVersions(_)) => {
                response::<ApiVersionsRequest>(correlation, version, &versions())?
            }
            Ok(AnyRequest::Metadata(asked)) => {
                response::<MetadataRequest>(correlation, version, &self.metadata(asked))?
            }
            Ok(AnyRequest::InitProducerId(_)) => {
                response::<InitProducerIdRequest>(correlation, version, &self.producer())?
            }
            // The client comes back with one that both know (KIP-511).
            Err(DecodeError::Version { .. }) if header.api_key == ApiVersionsRequest::KEY => {
                response::<ApiVersionsRequest>(correlation, 0, &unknown_version())?
            }
            Ok(_) => {
                bail!("key {} version {version} is not part of the roofline", header.api_key)
            }
            Err(error) => return Err(error.into()),
        };
        memory(parts)?.iter().for_each(|bytes| out.extend_from_slice(bytes));
        Ok(())
    }

    fn metadata(&self, asked: MetadataRequest) -> MetadataResponse {
        let topics = asked.topics.unwrap_or_default();
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: NODE,
                host: "127.0.0.1".into(),
                port: i32::from(self.port),
                rack: None,
            }],
            cluster_id: Some("roofline".into()),
            controller_id: NODE,
            topics: topics.into_iter().map(|topic| self.topic(topic)).collect(),
            ..MetadataResponse::default()
        }
    }

    fn topic(&self, asked: MetadataRequestTopic) -> MetadataResponseTopic {
        // Topics have no ids here: nobody can have learnt one.
        let Some(name) = asked.name else {
            return MetadataResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_ID,
                topic_id: asked.topic_id,
                ..MetadataResponseTopic::default()
            };
        };
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: NODE,
            leader_epoch: 0,
            replica_nodes: vec![NODE],
            isr_nodes: vec![NODE],
            ..MetadataResponsePartition::default()
        };
        MetadataResponseTopic {
            name: Some(name),
            partitions: (0..self.partitions).map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    }

    fn producer(&mut self) -> InitProducerIdResponse {
        let producer_id = self.next_producer;
        self.next_producer += 1;
        InitProducerIdResponse { producer_id, ..InitProducerIdResponse::default() }
    }
}

fn versions() -> ApiVersionsResponse {
    let only =
        |api_key, version| ApiVersion { api_key, min_version: version, max_version: version };
    let api_keys = vec![
        only(ProduceRequest::KEY, PRODUCE),
        only(FetchRequest::KEY, FETCH),
        all_of::<MetadataRequest>(),
        all_of::<ApiVersionsRequest>(),
        all_of::<InitProducerIdRequest>(),
    ];
    ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() }
}

fn unknown_version() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![all_of::<ApiVersionsRequest>()],
        ..ApiVersionsResponse::default()
    }
}

fn all_of<R: Request>() -> ApiVersion {
    ApiVersion {
        api_key: R::KEY,
        min_version: *R::VERSIONS.start(),
        max_version: *R::VERSIONS.end(),
    }
}
