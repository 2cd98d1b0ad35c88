//! What classic consumers say within the classic protocol, and are told: the subscription in a JoinGroup, the assignment in a SyncGroup.
//!
//! ```text
//! i16 version | body in that version, never flexible; a version that is too high is read as the highest, and what follows is left
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use net::wire::{Decoder, Wire, to_bytes};
use storage::units::TopicId;
use uuid::Uuid;

use super::member::Assignment;
use crate::metadata::image::Image;

const LAST: i16 = 3;

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-3", flexible = "none")]
pub(crate) struct Subscription {
    pub(crate) topics: Vec<ByteString>,
    pub(crate) user_data: Option<Bytes>,
    #[wire(versions = "1+", ignorable)]
    pub(crate) owned_partitions: Vec<OfTopic>,
    #[wire(versions = "2+", default = -1, ignorable)]
    pub(crate) generation_id: i32,
    #[wire(versions = "3+", ignorable)]
    pub(crate) rack_id: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-3", flexible = "none")]
pub(crate) struct Assigned {
    pub(crate) assigned_partitions: Vec<OfTopic>,
    pub(crate) user_data: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub(crate) struct OfTopic {
    pub(crate) topic: ByteString,
    pub(crate) partitions: Vec<i32>,
}

/// Reads one; `None` if it is none.
pub(crate) fn read<T: Wire>(bytes: &Bytes) -> Option<T> {
    let version = version(bytes)?;
    T::decode(&mut Decoder::new(bytes.slice(2..)), version).ok()
}

pub(crate) fn version(bytes: &Bytes) -> Option<i16> {
    let version = i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    (version >= 0).then(|| version.min(LAST))
}

/// Writes one. A topic's name or a partition that is too long for its length field leaves nothing.
pub(crate) fn written(message: &impl Wire, version: i16) -> Bytes {
    let body = to_bytes(message, version).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(version);
    bytes.put_slice(&body);
    bytes.freeze()
}

/// Partitions by topic as an assignment names them, of the topics that there are.
pub(super) fn assigned(
    image: &Image,
    partitions: impl Iterator<Item = (Uuid, Vec<i32>)>,
) -> Assigned {
    let of_topic = |(id, partitions)| {
        let topic = image.topic(TopicId(id))?.name.clone();
        Some(OfTopic { topic, partitions })
    };
    Assigned { assigned_partitions: partitions.filter_map(of_topic).collect(), user_data: None }
}

/// The same by topic id.
pub(super) fn by_id(image: &Image, topics: &[OfTopic]) -> Vec<(Uuid, Vec<i32>)> {
    let one = |of: &OfTopic| Some((image.topic_id(&of.topic)?.0, of.partitions.clone()));
    topics.iter().filter_map(one).collect()
}

/// As a target.
pub(super) fn as_target(image: &Image, topics: &[OfTopic]) -> Assignment {
    by_id(image, topics).into_iter().map(|(id, of)| (id, of.into_iter().collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_and_assignments_are_kafkas() {
        let owned = vec![OfTopic { topic: "t".into(), partitions: vec![1] }];
        let subscription = Subscription {
            topics: vec!["ab".into()],
            owned_partitions: owned.clone(),
            generation_id: 7,
            rack_id: Some("r".into()),
            ..Subscription::default()
        };
        let bytes = written(&subscription, 3);
        let expected = b"\0\x03\0\0\0\x01\0\x02ab\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01\0\0\0\x07\0\x01r";
        assert_eq!(bytes.as_ref(), expected);
        assert_eq!(read::<Subscription>(&bytes), Some(subscription));
        let assigned = Assigned { assigned_partitions: owned, user_data: None };
        let bytes = written(&assigned, 1);
        assert_eq!(bytes.as_ref(), b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff");
        assert_eq!(read::<Assigned>(&bytes), Some(assigned));
    }

    #[test]
    fn a_later_version_is_read_as_the_last_and_garbage_is_not() {
        let later = Bytes::from_static(
            b"\0\x09\0\0\0\0\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xffmore",
        );
        assert_eq!(read::<Subscription>(&later), Some(Subscription::default()));
        for garbage in [&b""[..], b"\0", b"\xff\xff\0\0\0\0", b"\0\0\x7f\xff\xff\xff"] {
            assert_eq!(read::<Subscription>(&Bytes::from_static(garbage)), None, "{garbage:?}");
        }
    }
}
