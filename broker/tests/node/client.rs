//! A blocking client of a few lines, and a node to talk to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use broker::config::{self, Invocation};
use broker::node::Node;
use bytes::Bytes;
use bytestring::ByteString;
use net::send::Part;
use net::wire::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use net::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use net::wire::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use net::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use net::wire::{ErrorCode, Records, Request};
use storage::batch::{Batch, BatchBuilder};
use storage::units::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

/// A node in this process, on a port of its own, with its data in a directory that goes with it.
pub(crate) struct TestNode {
    node: Option<Node>,
    directory: TempDir,
    overrides: Vec<(String, String)>,
}

impl TestNode {
    pub(crate) fn start(shards: usize, overrides: &[(&str, &str)]) -> TestNode {
        TestNode::try_start(shards, overrides).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The error says why it does not start.
    pub(crate) fn try_start(shards: usize, overrides: &[(&str, &str)]) -> Result<TestNode, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        let mut all = vec![
            ("log.dirs".to_owned(), path),
            ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("odradek.shards".to_owned(), shards.to_string()),
            ("odradek.memory".to_owned(), "128MiB".to_owned()),
        ];
        all.extend(overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let node = launch(&all)?;
        Ok(TestNode { node: Some(node), directory, overrides: all })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.node.as_ref().unwrap().ready().listeners[0].1
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// The sum of a counter over all shards.
    pub(crate) fn counter(&self, name: &str) -> f64 {
        let outside = self.node.as_ref().unwrap().outside();
        let samples = futures::executor::block_on(outside.samples());
        let number = |sample: &broker::metrics::Sample| match sample.value {
            broker::metrics::Reading::Number(number) => number,
            broker::metrics::Reading::Distribution { .. } => 0.0,
        };
        samples.iter().filter(|sample| sample.name == name).map(number).sum()
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// A clean stop.
    pub(crate) fn stop(&mut self) {
        self.node.take().unwrap().stop().unwrap();
    }

    /// A clean stop and a start on the same directory, with other shards if asked.
    pub(crate) fn restart(&mut self, shards: usize) {
        self.stop();
        for (key, value) in &mut self.overrides {
            if key == "odradek.shards" {
                *value = shards.to_string();
            }
        }
        self.node = Some(launch(&self.overrides).unwrap_or_else(|error| panic!("{error}")));
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().unwrap();
        }
    }
}

fn launch(overrides: &[(String, String)]) -> Result<Node, String> {
    let invocation = Invocation { file: None, overrides: overrides.to_vec() };
    let loaded = config::load(&invocation).unwrap_or_else(|refused| panic!("{refused}"));
    broker::preflight::prepare(&loaded.config).map_err(|error| error.to_string())?;
    Node::start(Arc::new(loaded.config)).map_err(|error| format!("{error:#}"))
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    next: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { stream, next: 1 }
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        self.receive::<R>(version)
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) {
        let name = ByteString::from_static("test");
        let parts = net::wire::request(self.next, Some(&name), version, request).unwrap();
        self.next += 1;
        for part in &parts {
            match part {
                Part::Bytes(bytes) => self.stream.write_all(bytes).unwrap(),
                Part::File(_) => panic!("a client sends memory"),
            }
        }
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let frame = self.frame().expect("an answer");
        net::wire::decode_response::<R>(frame, version).unwrap().1
    }

    /// The next frame; `None` when the connection is closed.
    pub(crate) fn frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).ok()?;
        Some(Bytes::from(frame))
    }

    /// Creates a topic and returns its id.
    pub(crate) fn create(
        &mut self,
        name: &'static str,
        partitions: i32,
        configs: &[(&'static str, &'static str)],
    ) -> Uuid {
        let configs = configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: ByteString::from_static(name),
                value: Some(ByteString::from_static(value)),
            })
            .collect();
        let topic = CreatableTopic {
            name: ByteString::from_static(name),
            num_partitions: partitions,
            replication_factor: 1,
            configs,
            ..Default::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let response = self.call(7, &request);
        assert_eq!(
            response.topics[0].error_code,
            ErrorCode::NONE,
            "{:?}",
            response.topics[0].error_message
        );
        response.topics[0].topic_id
    }

    /// Changes configs of a topic (type 2) or of brokers (type 4); a value of none deletes.
    pub(crate) fn alter(
        &mut self,
        resource_type: i8,
        name: &'static str,
        configs: &[(&str, Option<&str>)],
    ) -> (ErrorCode, Option<ByteString>) {
        let configs = configs
            .iter()
            .map(|(name, value)| AlterableConfig {
                name: (*name).into(),
                config_operation: i8::from(value.is_none()),
                value: value.map(Into::into),
            })
            .collect();
        let resource_name = ByteString::from_static(name);
        let resources = vec![AlterConfigsResource { resource_type, resource_name, configs }];
        let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
        let told = self.call(1, &request).responses.remove(0);
        (told.error_code, told.error_message)
    }

    /// Sets one config of a topic.
    #[track_caller]
    pub(crate) fn set(&mut self, topic: &'static str, key: &str, value: &str) {
        let done = self.alter(2, topic, &[(key, Some(value))]);
        assert_eq!(done, (ErrorCode::NONE, None), "{key}={value}");
    }

    /// Produces one batch to one partition, by name.
    pub(crate) fn produce(
        &mut self,
        topic: &'static str,
        partition: i32,
        acks: i16,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let request = produce_request(topic, partition, acks, records);
        let mut response = self.call(12, &request);
        response.responses.remove(0).partition_responses.remove(0)
    }

    /// Everything from an offset on, as one full fetch gives it: (error, batches, high watermark).
    pub(crate) fn fetch(
        &mut self,
        id: Uuid,
        partition: i32,
        from: i64,
        wait_ms: i32,
    ) -> (ErrorCode, Vec<Batch>, i64) {
        let mut response = self.call(18, &fetch_request(id, partition, from, wait_ms));
        assert_eq!(response.error_code, ErrorCode::NONE);
        let data = response.responses.remove(0).partitions.remove(0);
        (data.error_code, batches(flat(data.records)), data.high_watermark)
    }
}

pub(crate) fn produce_request(
    topic: &'static str,
    partition: i32,
    acks: i16,
    records: Bytes,
) -> ProduceRequest {
    let data = PartitionProduceData { index: partition, records: Some(records) };
    let topic = TopicProduceData {
        name: ByteString::from_static(topic),
        partition_data: vec![data],
        ..Default::default()
    };
    ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() }
}

pub(crate) fn fetch_request(id: Uuid, partition: i32, from: i64, wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition {
        partition,
        fetch_offset: from,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic { topic_id: id, partitions: vec![wanted], ..Default::default() }],
        ..Default::default()
    }
}

/// The records of an answer as one piece.
pub(crate) fn flat(records: Records) -> Bytes {
    let parts: Vec<u8> = records
        .0
        .into_iter()
        .flatten()
        .flat_map(|part| match part {
            Part::Bytes(bytes) => bytes.to_vec(),
            Part::File(_) => panic!("a client receives memory"),
        })
        .collect();
    Bytes::from(parts)
}

/// The batches in a fetch's records, each checked.
pub(crate) fn batches(mut records: Bytes) -> Vec<Batch> {
    let mut batches = Vec::new();
    while !records.is_empty() {
        let (batch, size) = Batch::parse_first(&records).unwrap();
        batches.push(batch);
        records = records.slice(size..);
    }
    batches
}

/// A batch of records with these values.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    batch_of(BatchBuilder::new(), values)
}

pub(crate) fn batch_of(builder: BatchBuilder, values: &[&str]) -> Bytes {
    let mut builder = builder;
    for (at, value) in values.iter().enumerate() {
        builder =
            builder.record(Timestamp(1_700_000_000_000 + at as i64), None, Some(value.as_bytes()));
    }
    builder.build_bytes()
}
