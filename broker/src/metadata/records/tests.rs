//! Against bytes that Kafka 4.3.1 wrote: the first start of a combined node, the creation and deletion of a topic.

use super::*;
use uuid::Uuid;

pub(crate) fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn check(hex: &str, record: impl Into<Record>) {
    let record = record.into();
    assert_eq!(Record::decode(bytes(hex)).unwrap(), record);
    assert_eq!(record.encode().unwrap(), bytes(hex), "{record:?}");
}

#[test]
fn kafkas_bytes_read_and_are_written_again() {
    check(
        "0117 00 01 00 12 12 426f6f747374726170207265636f726473",
        BeginTransactionRecord { name: Some("Bootstrap records".into()) },
    );
    check(
        "010c 00 11 6d657461646174612e76657273696f6e 001e 00",
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 },
    );
    check(
        "0104 00 04 01 14 6d696e2e696e73796e632e7265706c69636173 02 31 00",
        ConfigRecord {
            resource_type: 4,
            resource_name: "".into(),
            name: "min.insync.replicas".into(),
            value: Some("1".into()),
        },
    );
    check("0118 00 00", EndTransactionRecord {});
    check("0114 00 00", NoOpRecord {});
    check(
        "0111 00 00000001 000000000000000d 01 00 01 ff",
        BrokerRegistrationChangeRecord::unfence(1, 13),
    );
    check(
        "0111 03 00000001 000000000000000d 01 03 01 01",
        BrokerRegistrationChangeRecord {
            cordoned_log_dirs: Some(vec![]),
            ..BrokerRegistrationChangeRecord::of(1, 13)
        },
    );
}

#[test]
fn a_registration_of_kafkas_reads_and_is_written_again() {
    let incarnation = Uuid::parse_str("5caa7c1a-2932-4ade-976b-9ecaeb3eb289").unwrap();
    check(
        "010004 00000001 00 5caa7c1a29324ade976b9ecaeb3eb289 000000000000000d
         02 0a 504c41494e54455854 0a 3132372e302e302e31 7208 0000 00
         02 0e 6b726166742e76657273696f6e 0000 0001 00
         00 01 00 01 00 11 02 c7d65d7f555e44fcb267e1920690617a",
        RegisterBrokerRecord {
            broker_id: 1,
            incarnation_id: incarnation,
            broker_epoch: 13,
            end_points: vec![BrokerEndpoint {
                name: "PLAINTEXT".into(),
                host: "127.0.0.1".into(),
                port: 29192,
                security_protocol: 0,
            }],
            features: vec![BrokerFeature {
                name: "kraft.version".into(),
                min_supported_version: 0,
                max_supported_version: 1,
            }],
            fenced: true,
            log_dirs: vec![Uuid::parse_str("c7d65d7f-555e-44fc-b267-e1920690617a").unwrap()],
            ..RegisterBrokerRecord::default()
        },
    );
}

#[test]
fn what_kafka_does_not_have_is_refused() {
    let check = |hex: &str, expected: &str| {
        assert_eq!(Record::decode(bytes(hex)).unwrap_err().to_string(), expected);
    };
    check("", "metadata record whose frame is cut short");
    check("ffffffffff", "metadata record whose frame is cut short");
    check("021400", "metadata record with frame version 2: only 1 is known");
    check(
        "0163 0000",
        "metadata record of type 99, which Kafka 4.3 does not have: a later release wrote this log",
    );
    check(
        "0114 0100",
        "metadata record NoOp in version 1, which Kafka 4.3 does not have: a later release wrote this log",
    );
    check("0114 00 00 00", "metadata record NoOp: 1 bytes left after the message");
}
