//! Frames, byte by byte.

use std::{fs::File, sync::Arc};

use super::*;
use crate::{
    send::{FileRange, Part},
    wire::{AnyRequest, ErrorCode, Records, api_versions::*, fetch::*, metadata::*, produce::*},
};

fn flat(parts: Parts) -> Vec<u8> {
    assert!(parts.as_slice().len() <= 1, "one buffer");
    parts
        .into_iter()
        .flat_map(|part| if let Part::Bytes(bytes) = part { bytes } else { Bytes::new() })
        .collect()
}

#[test]
fn a_request_of_each_header_version() {
    let client = ByteString::from_static("c");
    let all =
        MetadataRequest { topics: None, allow_auto_topic_creation: true, ..Default::default() };
    let frame = flat(request(258, Some(&client), 1, &all).unwrap());
    assert_eq!(frame, [0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 1, 2, 0, 1, b'c', 0xff, 0xff, 0xff, 0xff]);
    let frame = flat(request(258, None, 9, &all).unwrap());
    assert_eq!(frame, [0, 0, 0, 16, 0, 3, 0, 9, 0, 0, 1, 2, 0xff, 0xff, 0, 0, 1, 0, 0, 0]);

    let mut d = Decoder::new(Bytes::copy_from_slice(&frame[4..]));
    let header = RequestHeader::decode(&mut d).unwrap();
    assert_eq!(
        header,
        RequestHeader { api_key: 3, api_version: 9, correlation_id: 258, client_id: None }
    );
    assert_eq!(AnyRequest::decode(&header, &mut d), Ok(AnyRequest::Metadata(all)));
}

#[test]
fn a_response_of_each_header_version() {
    let unknown = MetadataResponse { controller_id: 1, ..Default::default() };
    let frame = flat(response::<MetadataRequest>(7, 1, &unknown).unwrap());
    assert_eq!(frame, [0, 0, 0, 16, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    let frame = flat(response::<MetadataRequest>(7, 13, &unknown).unwrap());
    assert_eq!(frame, [0, 0, 0, 19, 0, 0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0]);
    let (correlation_id, decoded) =
        decode_response::<MetadataRequest>(Bytes::from(frame).slice(4..), 13).unwrap();
    assert_eq!((correlation_id, decoded), (7, unknown));
}

#[test]
fn the_response_to_api_versions_has_no_tags_in_its_header() {
    let refusal =
        ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..Default::default() };
    let frame = flat(response::<ApiVersionsRequest>(7, 4, &refusal).unwrap());
    assert_eq!(frame, [0, 0, 0, 12, 0, 0, 0, 7, 0, 35, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn a_version_from_the_future_still_has_a_header() {
    let frame = [0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 2, 3];
    let mut d = Decoder::new(Bytes::copy_from_slice(&frame));
    let header = RequestHeader::decode(&mut d).unwrap();
    assert_eq!((header.api_key, header.api_version, header.correlation_id), (18, 99, 7));
    let refused = DecodeError::Version { message: "ApiVersionsRequest", version: 99 };
    assert_eq!(AnyRequest::decode(&header, &mut d), Err(refused));
    let mut d = Decoder::new(Bytes::from_static(&[0x7f, 0xff, 0, 0, 0, 0, 0, 0]));
    assert_eq!(RequestHeader::decode(&mut d), Err(DecodeError::Key { key: 0x7fff }));
}

#[test]
fn bytes_after_a_request_are_ignored() {
    let mut frame = flat(request(1, None, 3, &ProduceRequest::default()).unwrap());
    frame.extend([1, 2, 3]);
    let mut d = Decoder::new(Bytes::from(frame).slice(4..));
    let header = RequestHeader::decode(&mut d).unwrap();
    assert_eq!(
        AnyRequest::decode(&header, &mut d),
        Ok(AnyRequest::Produce(ProduceRequest::default()))
    );
}

#[test]
fn records_are_laid_into_a_response_uncopied() {
    let memory = Bytes::from(vec![1; 100]);
    let file = Arc::new(File::open("/dev/null").unwrap().into());
    let mut parts = Parts::new();
    parts.push(memory.clone());
    parts.push(FileRange { file, position: 4096, length: 1000 });
    let partition = |records| PartitionData { records, ..Default::default() };
    let partitions =
        vec![partition(parts.into()), partition(Records::EMPTY), partition(Records::NULL)];
    let topic = FetchableTopicResponse { partitions, ..Default::default() };
    let answer = FetchResponse { responses: vec![topic], ..Default::default() };

    let parts = response::<FetchRequest>(7, 18, &answer).unwrap();
    let [Part::Bytes(head), Part::Bytes(slice), Part::File(range), Part::Bytes(tail)] =
        parts.as_slice()
    else {
        panic!("{parts:?}");
    };
    assert_eq!(slice.as_ptr(), memory.as_ptr());
    assert_eq!((range.position, range.length), (4096, 1000));
    assert_eq!(head[..4], (parts.len() - 4).to_be_bytes()[4..]);
    // The length of the records, 1100 + 1, ends the head; the next partition's tags begin the tail.
    assert_eq!(head[head.len() - 2..], [0xcd, 0x08]);
    assert_eq!(tail[0], 0);
}
