//! Produce (key 0): appends one batch to each partition named.
//!
//! - `acks` 0: nothing is answered, and an error closes the connection. 1 and -1: answered when the batch is as durable as
//!   `odradek.durability` says.
//! - The batch of a partition is checked as Kafka checks it; an idempotent producer's retry is answered with the offset that
//!   its first attempt got.
//! - A transactional id, or a transactional batch, is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactions are not
//!   served.
//! - Topics are named by name to version 12, by id from 13 on (KIP-516); an unknown id is echoed.
//! - Topics that only brokers write to are refused with INVALID_TOPIC_EXCEPTION, except from the client id `__admin_client`.
//! - A partition's error does not touch the others.

use std::time::Duration;

use bytestring::ByteString;
use net::connection::Outcome;
use net::send::Parts;
use net::wire::ErrorCode;
use net::wire::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use storage::units::{PartitionId, TopicId};

use super::error::{Refused, append_refusal};
use super::groups::Groups;
use super::{Context, Operation, Resource, parts};
use crate::clock;
use crate::group::records::owned;
use crate::message::{Acks, Answer, AppendPart, Appended, Ask};
use crate::partition::AppendRefusal;
use crate::quota::Limited;
use crate::shard::acknowledge_all;
use crate::topic_name;

/// The first version that may carry zstd (KIP-110).
const ZSTD: i16 = 7;

/// First stage: every batch is appended here, or on its way to its owner, when this returns.
pub(crate) async fn call(mut cx: Context, version: i16, request: ProduceRequest) -> Outcome {
    cx.peer.note_records();
    // The frame, and the memory that it is charged to, goes when its records are copied: nothing that waits for them may keep it.
    cx.client_id = owned(&cx.client_id);
    let acks = match request.acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    };
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let came = clock::monotonic();
    let deadline = came + timeout;
    let mut work = Work(Groups::new());
    let mut response = ProduceResponse::default();
    let transactional = request.transactional_id.is_some();
    for topic in request.topic_data {
        work.topic(&cx, version, acks, transactional, topic, &mut response.responses);
    }
    let here = work.0.take(cx.shard.number);
    let begun = cx.shard.begin_append(here.parts);
    let asked: Vec<_> = work
        .0
        .into_iter()
        .map(|group| (group.places, cx.shard.ask(group.owner, Ask::Append(group.parts))))
        .collect();
    let begun = begun.await;
    Outcome::Later(Box::pin(async move {
        let here_done = cx.shard.deadlines.limit(deadline, acknowledge_all(begun)).await;
        fill(&mut response, &here.places, here_done.ok());
        for (places, asked) in asked {
            let done = match cx.shard.deadlines.limit(deadline, asked).await {
                Ok(Ok(Answer::Append(results))) => Some(results),
                Ok(_) => Some(places.iter().map(|_| Err(AppendRefusal::Stopping)).collect()),
                Err(_) => None,
            };
            fill(&mut response, &places, done);
        }
        cx.charge(&mut response, Some((Limited::Produce, cx.frame_bytes))).await;
        cx.shard.stats.produce.answered(came, codes(&response));
        match acks {
            Some(Acks::None) => (!has_error(&response)).then(Parts::new),
            _ => parts::<ProduceRequest>(&cx, version, &response),
        }
    }))
}

/// What goes to each owner, and where its result belongs in the answer.
struct Work(Groups<AppendPart>);

impl Work {
    fn topic(
        &mut self,
        cx: &Context,
        version: i16,
        acks: Option<Acks>,
        transactional: bool,
        topic: TopicProduceData,
        responses: &mut Vec<TopicProduceResponse>,
    ) {
        let image = cx.shard.image();
        let found = if version >= 13 {
            image.topic(TopicId(topic.topic_id))
        } else {
            image.topic_by_name(&topic.name)
        };
        let refusal = if acks.is_none() {
            Some(ErrorCode::INVALID_REQUIRED_ACKS)
        } else if transactional {
            Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        } else {
            match found {
                None if version >= 13 => Some(ErrorCode::UNKNOWN_TOPIC_ID),
                None => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                Some(found) if !cx.authorize(Operation::Write, Resource::Topic(&found.name)) => {
                    Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
                }
                Some(_) => None,
            }
        };
        // Kafka's admin client may, by its name: to repair what is kept there.
        let internal = found.is_some_and(|found| topic_name::internal(&found.name))
            && cx.client_id != "__admin_client";
        let mut answered = Vec::with_capacity(topic.partition_data.len());
        for PartitionProduceData { index, records } in topic.partition_data {
            let id = found.map(|found| PartitionId { topic: found.id, partition: index });
            let known = found.is_some_and(|found| found.partition(index).is_some());
            let code = refusal
                .or((!known).then_some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
                .or(internal.then_some(ErrorCode::INVALID_TOPIC_EXCEPTION));
            match (code, id, records, acks) {
                (None, Some(partition), Some(records), Some(acks)) => {
                    let part =
                        AppendPart { partition, records, zstd_allowed: version >= ZSTD, acks };
                    self.0.add(cx.shard.owner(partition), part, (responses.len(), answered.len()));
                    answered.push(blank(index, ErrorCode::NONE));
                }
                (Some(code), ..) => answered.push(blank(index, code)),
                // Kafka's answer to a partition without records.
                _ => answered.push(blank(index, ErrorCode::INVALID_RECORD)),
            }
        }
        let name = match found {
            Some(found) if version < 13 => found.name.clone(),
            _ => owned(&topic.name),
        };
        responses.push(TopicProduceResponse {
            name,
            topic_id: topic.topic_id,
            partition_responses: answered,
        });
    }
}

fn blank(index: i32, error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse { index, error_code, base_offset: -1, ..Default::default() }
}

/// Puts the results in their places; `None` means that time was up.
fn fill(
    response: &mut ProduceResponse,
    places: &[(usize, usize)],
    done: Option<Vec<Result<Appended, AppendRefusal>>>,
) {
    let mut results = done.map(Vec::into_iter);
    for &(topic, partition) in places {
        let result = match &mut results {
            Some(results) => results.next().unwrap_or(Err(AppendRefusal::Stopping)),
            None => Err(AppendRefusal::TimedOut),
        };
        let topic = &mut response.responses[topic];
        let to = &mut topic.partition_responses[partition];
        match result {
            Ok(appended) => {
                to.base_offset = appended.base_offset.0;
                to.log_append_time_ms = appended.append_time.map_or(-1, |time| time.0);
                to.log_start_offset = appended.log_start.0;
            }
            Err(refusal) => refuse(to, append_refusal(&refusal, &topic.name, to.index)),
        }
    }
}

fn refuse(to: &mut PartitionProduceResponse, refused: Refused) {
    to.error_code = refused.code;
    to.log_start_offset = refused.log_start.0;
    to.error_message = refused.message.map(ByteString::from);
    to.record_errors = refused
        .records
        .into_iter()
        .map(|(batch_index, message)| BatchIndexAndErrorMessage {
            batch_index,
            batch_index_error_message: message.map(ByteString::from),
        })
        .collect();
}

fn has_error(response: &ProduceResponse) -> bool {
    codes(response).any(|code| code.is_error())
}

fn codes(response: &ProduceResponse) -> impl Iterator<Item = ErrorCode> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|partition| partition.error_code)
}
