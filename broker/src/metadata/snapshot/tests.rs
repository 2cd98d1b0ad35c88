use super::*;
use crate::metadata::image::tests as image_tests;
use storage::units::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

#[test]
fn an_image_comes_back() {
    let id = SnapshotId { end: Offset(101), epoch: Epoch(3) };
    let position = Position { offset: Offset(100), epoch: Epoch(3), timestamp_ms: 77 };
    let image = image_tests::everything().at(position);
    let bytes = Bytes::from(encode(&image, None, NOW).unwrap());
    let snapshot = decode(bytes.clone(), id, "").unwrap();
    assert_eq!(snapshot, Snapshot { image, voters: None });
    for length in 0..bytes.len() {
        assert!(decode(bytes.slice(..length), id, "").is_err(), "cut at {length}");
    }
    let doubled = Bytes::from([bytes.clone(), bytes].concat());
    assert!(matches!(decode(doubled, id, ""), Err(UnreadableSnapshot::Footer)));
}

#[test]
fn a_large_image_takes_several_batches() {
    let records = (0..40).flat_map(|n| image_tests::topic(n + 1, &format!("t-{n}"), 250));
    let image = image_tests::replayed(records);
    let bytes = Bytes::from(encode(&image, None, NOW).unwrap());
    assert!(bytes.len() > BATCH_BYTES + 1000);
    assert_eq!(decode(bytes, SnapshotId::BOOTSTRAP, "").unwrap().image, image);
}

/// What `kafka-storage format --standalone` of Kafka 4.3.1 wrote.
#[test]
fn kafkas_first_snapshot_reads() {
    let hex = "
        00000000000000000000009a00000000028def189c002000000002000001a2149a0a61000001a2149a0a61ffffffffff
        ffffffffffffffffff000000032a0000000800000003160000000001a2149a0a5a00001e00000208000000050a000000
        010000820100000408000000066e00000200000001c7d65d7f555e44fcb267e1920690617a020b434f4e54524f4c4c45
        520a3132372e302e302e31720900000000010000000000000000000000030000003f0000000002585914f00020000000
        00000001a2149a0a69000001a2149a0a69ffffffffffffffffffffffffffff000000011a000000080000000406000000
        00";
    let bytes = crate::metadata::records::tests::bytes(hex);
    let snapshot = decode(bytes, SnapshotId::BOOTSTRAP, "c").unwrap();
    let voters = snapshot.voters.unwrap();
    assert_eq!(voters.voters.len(), 1);
    assert_eq!(voters.voters[0].voter_id, 1);
    assert_eq!(voters.voters[0].endpoints[0].port, 29193);
    assert_eq!(snapshot.image.position().offset, Offset(-1));
}

#[test]
fn names_are_kafkas() {
    let check = |name: &str, end: i64, epoch: i32| {
        let id = SnapshotId { end: Offset(end), epoch: Epoch(epoch) };
        assert_eq!(SnapshotId::parse(name), Some(id));
        assert_eq!(id.file_name(), name);
    };
    check("00000000000000000000-0000000000.checkpoint", 0, 0);
    check("00000000000000004711-0000000023.checkpoint", 4711, 23);
    for name in [
        "bootstrap.checkpoint",
        "00000000000000004711-0000000023.checkpoint.part",
        "1-1.checkpoint",
    ] {
        assert_eq!(SnapshotId::parse(name), None, "{name}");
    }
}
