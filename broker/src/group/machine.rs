//! The groups of a partition as the machine of its host.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::EncodeError;
use storage::batch::Codec;
use storage::units::Offset;
use uuid::Uuid;

use super::coordinator::{Coordinator, Effects, Then, Write};
use super::message::{GroupAnswer, GroupRequest};
use super::records::Record;
use super::{Refusal, TOPIC};
use crate::config::Config;
use crate::coordinator::{Machine, Now, Unserved, Waiter};
use crate::metadata::image::{Delta, Image};

impl Machine for Coordinator {
    type Request = GroupRequest;
    type Answer = GroupAnswer;
    type Record = Record;
    type Then = Then;

    const TOPIC: &'static str = TOPIC;

    fn new(config: &Config, image: Arc<Image>) -> Coordinator {
        Coordinator::new(config.groups.rules(), image)
    }

    fn storing(config: &Config) -> (Codec, usize) {
        (config.groups.codec, config.groups.load_bytes)
    }

    fn replay(
        &mut self,
        now: Now,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        producer: Option<i64>,
        offset: Offset,
    ) -> Result<(), String> {
        match Record::decode(key, value).map_err(|error| error.to_string())? {
            Record::Unknown(kind) => {
                let offset = offset.0;
                tracing::warn!(
                    offset,
                    kind,
                    "a record of __consumer_offsets of a type that Kafka 4.3 does not have is ignored"
                );
            }
            decoded => Coordinator::replay(self, now, decoded, producer, offset.0),
        }
        Ok(())
    }

    fn replay_marker(&mut self, producer: i64, committed: bool) {
        Coordinator::replay_marker(self, producer, committed);
    }

    fn loaded(&mut self, now: Now, out: &mut Effects) {
        Coordinator::loaded(self, now, out);
    }

    fn handle(&mut self, now: Now, request: GroupRequest, waiter: Waiter, out: &mut Effects) {
        Coordinator::handle(self, now, request, waiter, out);
    }

    fn appended(&mut self, now: Now, write: &Write, _: Offset, out: &mut Effects) {
        Coordinator::appended(self, now, write, out);
    }

    fn written(&mut self, now: Now, then: Then, outcome: Result<(), Unserved>, out: &mut Effects) {
        Coordinator::written(self, now, then, outcome.map_err(Refusal::from), out);
    }

    fn encode(record: &Record) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        record.encode()
    }

    fn next_timer(&self) -> Option<u64> {
        Coordinator::next_timer(self)
    }

    fn fire(&mut self, now: Now, out: &mut Effects) {
        Coordinator::fire(self, now, out);
    }

    fn configured(&mut self, config: &Config, image: Arc<Image>, delta: &Delta) {
        Coordinator::configured(self, config.groups.rules(), image, delta);
    }

    fn topics_deleted(&mut self, deleted: &[(ByteString, Uuid)], out: &mut Effects) {
        Coordinator::topics_deleted(self, deleted, out);
    }

    fn resign(&mut self, out: &mut Effects) {
        Coordinator::resign(self, out);
    }

    /// While the partition is loaded a heartbeat is taken for good, as in Kafka: the member has the time of its session once more, since
    /// that begins with the end of the load.
    fn refused(request: &GroupRequest, why: Unserved) -> GroupAnswer {
        match (request, why) {
            (GroupRequest::Heartbeat(_), Unserved::Loading) => GroupAnswer::Heartbeat(Ok(())),
            (request, why) => request.refused(why.into()),
        }
    }
}

impl From<Unserved> for Refusal {
    fn from(why: Unserved) -> Refusal {
        match why {
            Unserved::Loading => Refusal::Loading,
            Unserved::NotCoordinator => Refusal::NotCoordinator,
            Unserved::NotAvailable => Refusal::NotAvailable,
            Unserved::TooLarge => Refusal::TooLarge,
        }
    }
}
