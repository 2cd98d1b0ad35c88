//! A member of a share group: its connection, and its session.

use std::time::{Duration, Instant};

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::find_coordinator::FindCoordinatorRequest;
use net::wire::initialize_share_group_state::{
    InitializeShareGroupStateRequest, InitializeStateData, PartitionData,
};
use net::wire::read_share_group_state_summary as summaries;
use net::wire::share_acknowledge::{
    AcknowledgePartition, AcknowledgeTopic, ShareAcknowledgeRequest, ShareAcknowledgeResponse,
};
use net::wire::share_fetch::{
    AcknowledgementBatch, FetchPartition, FetchTopic, ShareFetchRequest, ShareFetchResponse,
};
use storage::units::TopicId;
use uuid::Uuid;

use crate::client::{Client, TestNode, batches, flat};

pub(super) struct Member {
    pub(super) client: Client,
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) topic: Uuid,
    pub(super) epoch: i32,
}

/// What a fetch asks for.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) wait_ms: i32,
    pub(super) bytes_min: i32,
    pub(super) bytes_max: i32,
    pub(super) records_max: i32,
    pub(super) range_records: i32,
    pub(super) strict: bool,
    pub(super) mode: i8,
    pub(super) renews: bool,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish {
            wait_ms: 5_000,
            bytes_min: 1,
            bytes_max: 50 << 20,
            records_max: 500,
            range_records: 500,
            strict: false,
            mode: 0,
            renews: false,
        }
    }
}

impl Wish {
    pub(super) fn short() -> Wish {
        Wish { wait_ms: 50, ..Wish::default() }
    }

    pub(super) fn long() -> Wish {
        Wish { wait_ms: 15_000, ..Wish::default() }
    }
}

/// What a fetch got.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) code: ErrorCode,
    /// Partition, first, last, deliveries.
    pub(super) acquired: Vec<(i32, i64, i64, i16)>,
    pub(super) values: Vec<String>,
    /// Partitions that the answer names.
    pub(super) named: Vec<i32>,
    pub(super) errors: Vec<(i32, ErrorCode)>,
    /// The codes for what was acknowledged, of all partitions.
    pub(super) acknowledged: Vec<(i32, ErrorCode)>,
    pub(super) lock_ms: i32,
}

impl Member {
    pub(super) fn new(
        node: &TestNode,
        group: &'static str,
        name: &'static str,
        topic: Uuid,
    ) -> Member {
        Member { client: node.connect(), group, name, topic, epoch: 0 }
    }

    pub(super) fn fetch(&mut self, partitions: &[i32], wish: Wish) -> Got {
        self.fetch_saying(partitions, &[], wish)
    }

    /// Partition, first, last, kind.
    pub(super) fn fetch_saying(
        &mut self,
        partitions: &[i32],
        said: &[(i32, i64, i64, i8)],
        wish: Wish,
    ) -> Got {
        self.send_fetch(partitions, said, wish);
        self.received(2)
    }

    pub(super) fn send_fetch(
        &mut self,
        partitions: &[i32],
        said: &[(i32, i64, i64, i8)],
        wish: Wish,
    ) {
        let request = self.request(partitions, said, wish);
        // Only the second version has modes.
        self.client.send(2, &request);
    }

    pub(super) fn request(
        &mut self,
        partitions: &[i32],
        said: &[(i32, i64, i64, i8)],
        wish: Wish,
    ) -> ShareFetchRequest {
        let mut all: Vec<i32> = partitions.to_vec();
        all.extend(said.iter().map(|(partition, ..)| *partition));
        all.sort_unstable();
        all.dedup();
        let partitions = all.into_iter().map(|partition| FetchPartition {
            partition_index: partition,
            acknowledgement_batches: said
                .iter()
                .filter(|(of, ..)| *of == partition)
                .map(|&(_, first, last, kind)| batch(first, last, kind))
                .collect(),
        });
        let partitions: Vec<_> = partitions.collect();
        let topics = match partitions.is_empty() {
            true => Vec::new(),
            false => vec![FetchTopic { topic_id: self.topic, partitions }],
        };
        let epoch = self.epoch;
        self.epoch += i32::from(epoch >= 0);
        ShareFetchRequest {
            group_id: Some(self.group.into()),
            member_id: Some(self.name.into()),
            share_session_epoch: epoch,
            max_wait_ms: wish.wait_ms,
            min_bytes: wish.bytes_min,
            max_bytes: wish.bytes_max,
            max_records: wish.records_max,
            batch_size: wish.range_records,
            share_acquire_mode: if wish.strict { 1 } else { wish.mode },
            is_renew_ack: wish.renews,
            topics,
            ..ShareFetchRequest::default()
        }
    }

    /// The answer to a fetch that was sent.
    pub(super) fn received(&mut self, _: i16) -> Got {
        got(self.client.receive::<ShareFetchRequest>(2))
    }

    /// Renews locks by a fetch.
    pub(super) fn renew(&mut self, partition: i32, said: &[(i64, i64, i8)]) -> Got {
        let said: Vec<_> =
            said.iter().map(|&(first, last, kind)| (partition, first, last, kind)).collect();
        let none = Wish {
            wait_ms: 0,
            bytes_min: 0,
            bytes_max: 0,
            records_max: 0,
            renews: true,
            ..Wish::default()
        };
        self.fetch_saying(&[], &said, none)
    }

    /// First, last, kind; the code of the partition, or of all.
    pub(super) fn acknowledge(&mut self, partition: i32, said: &[(i64, i64, i8)]) -> ErrorCode {
        self.acknowledge_as(partition, said, false)
    }

    pub(super) fn acknowledge_renewing(
        &mut self,
        partition: i32,
        said: &[(i64, i64, i8)],
    ) -> ErrorCode {
        self.acknowledge_as(partition, said, true)
    }

    fn acknowledge_as(
        &mut self,
        partition: i32,
        said: &[(i64, i64, i8)],
        renews: bool,
    ) -> ErrorCode {
        let mut response = self.say(partition, said, renews);
        if response.error_code != ErrorCode::NONE {
            return response.error_code;
        }
        response.responses.remove(0).partitions.remove(0).error_code
    }

    pub(super) fn say(
        &mut self,
        partition: i32,
        said: &[(i64, i64, i8)],
        renews: bool,
    ) -> ShareAcknowledgeResponse {
        let said = said.iter().map(|&(first, last, kind)| batch(first, last, kind));
        let partition = AcknowledgePartition {
            partition_index: partition,
            acknowledgement_batches: said.collect(),
        };
        let request = ShareAcknowledgeRequest {
            group_id: Some(self.group.into()),
            member_id: Some(self.name.into()),
            share_session_epoch: self.epoch,
            is_renew_ack: renews,
            topics: vec![AcknowledgeTopic { topic_id: self.topic, partitions: vec![partition] }],
        };
        self.epoch += i32::from(self.epoch > 0);
        self.client.call(2, &request)
    }

    /// Ends the session by a fetch.
    pub(super) fn end(&mut self) -> ErrorCode {
        self.epoch = -1;
        self.fetch(&[], Wish::default()).code
    }
}

fn batch(first_offset: i64, last_offset: i64, kind: i8) -> AcknowledgementBatch {
    AcknowledgementBatch { first_offset, last_offset, acknowledge_types: vec![kind] }
}

fn got(response: ShareFetchResponse) -> Got {
    let mut got = Got {
        code: response.error_code,
        acquired: Vec::new(),
        values: Vec::new(),
        named: Vec::new(),
        errors: Vec::new(),
        acknowledged: Vec::new(),
        lock_ms: response.acquisition_lock_timeout_ms,
    };
    for data in response.responses.into_iter().flat_map(|topic| topic.partitions) {
        let partition = data.partition_index;
        got.named.push(partition);
        got.acknowledged.push((partition, data.acknowledge_error_code));
        if data.error_code != ErrorCode::NONE {
            got.errors.push((partition, data.error_code));
        }
        for range in data.acquired_records {
            let (first, last) = (range.first_offset, range.last_offset);
            got.acquired.push((partition, first, last, range.delivery_count));
        }
        for batch in batches(flat(data.records)) {
            let mut records = batch.records();
            while let Some(record) = records.next_record().unwrap() {
                let value = record.value.unwrap_or_default();
                got.values.push(String::from_utf8(value.to_vec()).unwrap());
            }
        }
    }
    got
}

/// A group begins with a partition at an offset (-1 for what its configuration says), as its coordinator would have it.
pub(super) fn begin(
    client: &mut Client,
    group: &str,
    topic: Uuid,
    partition: i32,
    state_epoch: i32,
    start_offset: i64,
) {
    let find = FindCoordinatorRequest {
        key_type: 2,
        coordinator_keys: vec![ByteString::from(format!("{group}:{}:0", TopicId(topic)))],
        ..FindCoordinatorRequest::default()
    };
    assert_eq!(client.call(6, &find).coordinators[0].error_code, ErrorCode::NONE);
    let partition = PartitionData { partition, state_epoch, start_offset };
    let request = InitializeShareGroupStateRequest {
        group_id: group.into(),
        topics: vec![InitializeStateData { topic_id: topic, partitions: vec![partition] }],
    };
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match client.call(0, &request).results.remove(0).partitions.remove(0).error_code {
            ErrorCode::NONE => return,
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::NOT_COORDINATOR => {
                assert!(Instant::now() < until, "the state does not load");
                std::thread::sleep(Duration::from_millis(5));
            }
            code => panic!("it does not begin: {code:?}"),
        }
    }
}

/// What is stored: the start offset, the state epoch, and how many records beyond are done with.
pub(super) fn summary(
    client: &mut Client,
    group: &str,
    topic: Uuid,
    partition: i32,
) -> (i64, i32, i32) {
    use summaries::{PartitionData, ReadShareGroupStateSummaryRequest, ReadStateSummaryData};
    let partitions = vec![PartitionData { partition, leader_epoch: -1 }];
    let request = ReadShareGroupStateSummaryRequest {
        group_id: group.into(),
        topics: vec![ReadStateSummaryData { topic_id: topic, partitions }],
    };
    let told = client.call(1, &request).results.remove(0).partitions.remove(0);
    assert_eq!(told.error_code, ErrorCode::NONE);
    (told.start_offset, told.state_epoch, told.delivery_complete_count)
}
