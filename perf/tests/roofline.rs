//! The roofline speaks enough of Kafka for the sender, the reader and Kafka's own producers, and acknowledges what it was given.
#![expect(clippy::disallowed_methods, reason = "a test with a server in a thread of its own")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use net::{
    send::Part,
    wire::{
        ErrorCode, Request,
        api_versions::{ApiVersionsRequest, ApiVersionsResponse},
        decode_response,
        fetch::FetchRequest,
        init_producer_id::InitProducerIdRequest,
        metadata::{MetadataRequest, MetadataRequestTopic},
        produce::{ProduceRequest, ProduceResponse, TopicProduceData},
        request,
    },
};
use perf::{
    args::Args,
    batch::{self, Producer},
    client::{self, Client, FETCH, PRODUCE, memory},
    roofline,
};
use uuid::Uuid;

struct Roofline {
    port: u16,
    thread: JoinHandle<anyhow::Result<()>>,
    _data: tempfile::TempDir,
}

impl Roofline {
    fn start(partitions: i32) -> Roofline {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = tempfile::tempdir().unwrap();
        let words = format!("--port {port} --partitions {partitions} --data");
        let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        words.push(data.path().display().to_string());
        let thread = thread::spawn(move || roofline::run(&Args::parse(words)?));
        Roofline { port, thread, _data: data }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> Client {
        for _ in 0..500 {
            match Client::connect(&self.address()) {
                Ok(client) => return client,
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
        panic!("the roofline did not start");
    }
}

fn batch(size: usize) -> Bytes {
    batch::build(&[&vec![1; size]], Producer::NONE, 0).unwrap().into()
}

/// A batch of `size` for each partition of each topic.
fn produce(acks: i16, size: usize, topics: &[(&str, &[i32])]) -> ProduceRequest {
    let batch = batch(size);
    let of = |&(name, partitions): &(&str, &[i32])| -> TopicProduceData {
        let batches = partitions.iter().map(|&p| (p, batch.clone())).collect();
        client::produce(name, acks, batches).topic_data.remove(0)
    };
    ProduceRequest {
        topic_data: topics.iter().map(of).collect(),
        ..client::produce("", acks, vec![])
    }
}

/// Topic, partition and offset of every answer in it, none of which is an error.
fn offsets(answer: &ProduceResponse) -> Vec<(&str, i32, i64)> {
    let topics = answer.responses.iter();
    topics
        .flat_map(|topic| topic.partition_responses.iter().map(|p| (&*topic.name, p)))
        .map(|(name, p)| {
            assert_eq!(p.error_code, ErrorCode::NONE);
            (name, p.index, p.base_offset)
        })
        .collect()
}

fn metadata(topics: &[&str]) -> MetadataRequest {
    let topic =
        |name: &&str| MetadataRequestTopic { topic_id: Uuid::nil(), name: Some((*name).into()) };
    MetadataRequest {
        topics: Some(topics.iter().map(topic).collect()),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    }
}

#[test]
fn produces_are_acknowledged_in_order_and_fetches_answered() {
    let roofline = Roofline::start(6);
    let mut client = roofline.connect();
    for size in [10, 16_000, 700_000] {
        let asked = produce(1, size, &[("t", &[3])]);
        // More in flight than the socket's buffers hold would block a sender that does not read.
        for _ in 0..4 {
            client.send(PRODUCE, &asked).unwrap();
        }
        for _ in 0..4 {
            let (_, answer) = client.receive::<ProduceRequest>(PRODUCE).unwrap();
            let [("t", 3, _)] = offsets(&answer)[..] else { panic!("{answer:?}") };
        }
    }
    for topic in ["memory", "warm"] {
        let answer = client.ask(FETCH, &client::fetch(topic, &[(0, 0)], 1 << 20, 0)).unwrap();
        let records = answer.responses[0].partitions[0].records.0.as_ref().unwrap();
        let Part::Bytes(records) = &records.as_slice()[0] else { panic!("not in memory") };
        let stored = batch::read(records).next().unwrap();
        stored.check_crc().unwrap();
        assert_eq!(stored.len(), records.len());
    }
}

#[test]
fn requests_of_many_partitions_are_answered_in_order() {
    let roofline = Roofline::start(6);
    let mut client = roofline.connect();
    let next = each_has_one_answer(&mut client);
    answers_keep_the_order_of_requests(&mut client, next);
}

/// Five of these requests are more than a group holds: some must wait as a whole, and none be appended twice.
fn each_has_one_answer(client: &mut Client) -> i64 {
    let asked = produce(-1, 300_000, &[("a", &[1, 0]), ("b", &[5, 2])]);
    let (mut sent, mut next) = (Vec::new(), 0);
    for _ in 0..12 {
        sent.push(client.send(PRODUCE, &asked).unwrap());
    }
    for correlation in sent {
        let (found, answer) = client.receive::<ProduceRequest>(PRODUCE).unwrap();
        assert_eq!(found, correlation);
        let expected = [("a", 1, next), ("a", 0, next + 1), ("b", 5, next + 2), ("b", 2, next + 3)];
        assert_eq!(offsets(&answer), expected);
        next += 4;
    }
    next
}

/// The answer to Metadata would be there first: it need not wait for a disk.
fn answers_keep_the_order_of_requests(client: &mut Client, next: i64) {
    // One that gets no answer before one that does.
    for acks in [0, 1] {
        client.send(PRODUCE, &produce(acks, 500_000, &[("t", &[0, 1])])).unwrap();
    }
    let asked = client.send(9, &metadata(&["t"])).unwrap();
    let (_, answer) = client.receive::<ProduceRequest>(PRODUCE).unwrap();
    assert_eq!(offsets(&answer), [("t", 0, next + 2), ("t", 1, next + 3)]);
    assert_eq!(client.receive::<MetadataRequest>(9).unwrap().0, asked);
}

#[test]
fn what_clients_ask_first_is_answered() {
    let roofline = Roofline::start(3);
    let mut client = roofline.connect();
    what_is_served_is_announced(&mut client);
    an_unknown_version_is_answered_in_version_0(&roofline.address());
    every_topic_is_there_and_led_by_the_roofline(&mut client, roofline.port);
    producer_ids_count_up(&mut client);
}

fn every_topic_is_there_and_led_by_the_roofline(client: &mut Client, port: u16) {
    for version in <MetadataRequest as Request>::VERSIONS {
        let answer = client.ask(version, &metadata(&["one", "two"])).unwrap();
        let [node] = &answer.brokers[..] else { panic!("{answer:?}") };
        assert_eq!((node.node_id, &*node.host, node.port), (1, "127.0.0.1", i32::from(port)));
        let names: Vec<_> = answer.topics.iter().map(|t| t.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["one", "two"], "version {version}");
        for topic in &answer.topics {
            assert_eq!(topic.error_code, ErrorCode::NONE);
            let led: Vec<_> = topic
                .partitions
                .iter()
                .map(|p| (p.error_code, p.partition_index, p.leader_id))
                .collect();
            assert_eq!(led, [0, 1, 2].map(|p| (ErrorCode::NONE, p, 1)), "version {version}");
        }
    }
}

fn what_is_served_is_announced(client: &mut Client) {
    fn check(answer: &ApiVersionsResponse) {
        let found: Vec<_> =
            answer.api_keys.iter().map(|a| (a.api_key, a.min_version..=a.max_version)).collect();
        let expected = [
            (ProduceRequest::KEY, PRODUCE..=PRODUCE),
            (FetchRequest::KEY, FETCH..=FETCH),
            (MetadataRequest::KEY, <MetadataRequest as Request>::VERSIONS),
            (ApiVersionsRequest::KEY, <ApiVersionsRequest as Request>::VERSIONS),
            (InitProducerIdRequest::KEY, <InitProducerIdRequest as Request>::VERSIONS),
        ];
        assert_eq!(found, expected);
    }
    for version in <ApiVersionsRequest as Request>::VERSIONS {
        let answer = client.ask(version, &ApiVersionsRequest::default()).unwrap();
        assert_eq!(answer.error_code, ErrorCode::NONE);
        check(&answer);
    }
}

/// A client that is newer than the roofline learns which version to come back with.
fn an_unknown_version_is_answered_in_version_0(address: &str) {
    let newest = *<ApiVersionsRequest as Request>::VERSIONS.end();
    let asked = request(9, None, newest, &ApiVersionsRequest::default()).unwrap();
    let mut asked = memory(asked).unwrap().concat();
    asked[6..8].copy_from_slice(&(newest + 1).to_be_bytes());
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(&asked).unwrap();
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    socket.read_exact(&mut answer).unwrap();
    let (correlation, answer) = decode_response::<ApiVersionsRequest>(answer.into(), 0).unwrap();
    assert_eq!((correlation, answer.error_code), (9, ErrorCode::UNSUPPORTED_VERSION));
    let own: Vec<_> = answer.api_keys.iter().map(|a| (a.api_key, a.max_version)).collect();
    assert_eq!(own, [(ApiVersionsRequest::KEY, newest)]);
}

fn producer_ids_count_up(client: &mut Client) {
    for (expected, version) in (0..).zip(<InitProducerIdRequest as Request>::VERSIONS) {
        let answer = client.ask(version, &InitProducerIdRequest::default()).unwrap();
        let found = (answer.error_code, answer.producer_id, answer.producer_epoch);
        assert_eq!(found, (ErrorCode::NONE, expected, 0));
    }
}

/// An answer must not reach a client that came later and got the slot of one that is gone.
#[test]
fn who_leaves_without_an_answer_leaves_none_to_others() {
    let roofline = Roofline::start(6);
    for _ in 0..50 {
        let mut gone = roofline.connect();
        gone.send(PRODUCE, &produce(1, 100_000, &[("gone", &[0])])).unwrap();
        drop(gone);
        let mut client = roofline.connect();
        let answer = client.ask(PRODUCE, &produce(1, 10, &[("here", &[0])])).unwrap();
        let [("here", 0, _)] = offsets(&answer)[..] else { panic!("{answer:?}") };
    }
}

#[test]
fn a_request_larger_than_a_group_ends_it() {
    let roofline = Roofline::start(6);
    let mut client = roofline.connect();
    client.send(PRODUCE, &produce(1, 1_398_000, &[("t", &[0, 1, 2])])).unwrap();
    let error = roofline.thread.join().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("a request of 3 batches and 4194"), "{error}");
}
