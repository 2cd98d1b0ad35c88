//! The roofline speaks enough of Kafka for the sender and the reader, and acknowledges what it was given.
#![expect(clippy::disallowed_methods, reason = "a test with a server in a thread of its own")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{net::TcpListener, thread, time::Duration};

use bytes::Bytes;
use net::{send::Part, wire::ErrorCode};
use perf::{
    args::Args,
    batch::{self, Producer},
    client::{self, Client, FETCH, PRODUCE},
    roofline,
};

fn start() -> (String, tempfile::TempDir) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let data = tempfile::tempdir().unwrap();
    let words = [
        "--port".to_owned(),
        port.to_string(),
        "--data".to_owned(),
        data.path().display().to_string(),
    ];
    thread::spawn(move || roofline::run(&Args::parse(words).unwrap()).unwrap());
    (format!("127.0.0.1:{port}"), data)
}

fn connect(address: &str) -> Client {
    for _ in 0..500 {
        match Client::connect(address) {
            Ok(client) => return client,
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("the roofline did not start");
}

#[test]
fn produces_are_acknowledged_in_order_and_fetches_answered() {
    let (address, _data) = start();
    let mut client = connect(&address);
    for size in [10, 16_000, 700_000] {
        let value = vec![1; size];
        let batch = Bytes::from(batch::build(&[&value], Producer::NONE, 0).unwrap());
        let asked = client::produce("t", 1, vec![(3, batch)]);
        // More in flight than the socket's buffers hold would block a sender that does not read.
        for _ in 0..4 {
            client.send(PRODUCE, &asked).unwrap();
        }
        for _ in 0..4 {
            let (_, answer) =
                client.receive::<net::wire::produce::ProduceRequest>(PRODUCE).unwrap();
            let partition = &answer.responses[0].partition_responses[0];
            assert_eq!((partition.index, partition.error_code), (3, ErrorCode::NONE));
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
