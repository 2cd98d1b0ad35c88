//! ShareFetch (key 78): a member of a share group acquires records, and says what became of those that it had (KIP-932).
//!
//! - The member's session says which partitions: epoch 0 begins it, -1 ends it and fetches nothing (`share::sessions`). More sessions than
//!   `group.share.max.share.sessions`: SHARE_SESSION_LIMIT_REACHED, after `max_wait_ms`. An incremental answer names only the partitions with
//!   records, an error, or news: those that the session just got, and those whose error is over.
//! - Records are whole batches; `acquired_records` says which of them are the member's, and how often they were delivered. From each partition
//!   come no more bytes than its part of `max_bytes`, but the first that has records gives at least one batch. `max_records` is exceeded to
//!   the end of a batch.
//! - Waits up to `max_wait_ms` until `min_bytes` are there: an append, a release, a lock that runs out, state that is loaded.
//! - What is acknowledged (`shares`) has its effect first, and is answered when it is stored. Partitions are answered for their
//!   acknowledgements whether they have records or not.
//! - Unknown topic ids get UNKNOWN_TOPIC_ID; share partitions whose state was never initialised UNKNOWN_SERVER_ERROR, as in Kafka.
//!
//! 2: renewed locks (KIP-1222): such a request fetches nothing, and its limits must be 0. `share_acquire_mode` 1 keeps `max_records` strictly
//! (KIP-1206).

mod answer;
mod take;

use std::time::Duration;

use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::share_fetch::{ShareFetchRequest, ShareFetchResponse};
use storage::units::{PartitionId, TopicId};

use self::answer::Part;
use self::take::Terms;
use super::shares::{Allowed, Asker, acknowledge, asker, both, session_refusal};
use super::{Context, Operation, Resource, parts};
use crate::clock;
use crate::quota::Limited;
use crate::share::message::{SessionAnswer, SessionWhat, Wish};
use crate::share::sessions::{FINAL_EPOCH, FIRST_EPOCH, Fetch, Named, SessionRefusal};

/// The values of `share_acquire_mode`.
const BATCHES: i8 = 0;
const STRICT: i8 = 1;

/// First stage: the session is asked for. The rest runs behind the connection.
pub(crate) fn call(cx: Context, version: i16, request: ShareFetchRequest) -> Outcome {
    let who = match checked(&cx, &request) {
        Ok(who) => who,
        Err(code) => {
            return super::answer::<ShareFetchRequest>(&cx, version, &answer::refused(code));
        }
    };
    let fetch = fetch(&cx, &request);
    let begins = fetch.epoch == FIRST_EPOCH && !fetch.acknowledges;
    if begins && !cx.shard.share_begins_on(&cx.peer, &who.group, &who.member) {
        cx.shard.share_ends_on(&cx.peer, &who.group, &who.member);
        let code = ErrorCode::SHARE_SESSION_LIMIT_REACHED;
        return super::answer::<ShareFetchRequest>(&cx, version, &answer::refused(code));
    }
    let session = cx.shard.share_session(who.session(SessionWhat::Fetch(fetch)));
    Outcome::Later(Box::pin(async move {
        let owed = cx.owed(Limited::Fetch).await;
        let (mut response, fetched) = match session.await {
            SessionAnswer::Fetch(Ok(partitions)) => {
                let fetches = owed.is_zero() && !request.is_renew_ack;
                let partitions = if fetches { partitions } else { Vec::new() };
                cx.cost.count(handle(&cx, version, &who, request, partitions)).await
            }
            SessionAnswer::Fetch(Err(refusal)) => {
                let code = not_begun(&cx, &who, &request, begins, refusal).await;
                (answer::refused(code), 0)
            }
            _ => (answer::refused(ErrorCode::UNKNOWN_SERVER_ERROR), 0),
        };
        if owed.is_zero() {
            cx.charge(&mut response, Some((Limited::Fetch, fetched))).await;
        } else {
            cx.mute(&mut response, owed, clock::monotonic());
        }
        parts::<ShareFetchRequest>(&cx, version, &response)
    }))
}

/// What is decided before the session is asked for, in Kafka's order.
fn checked(cx: &Context, request: &ShareFetchRequest) -> Result<Asker, ErrorCode> {
    let who = asker(cx, request.group_id.as_ref(), request.member_id.as_ref())?;
    let limits = [request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms];
    if request.is_renew_ack && limits != [0; 4] {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    Ok(who)
}

fn fetch(cx: &Context, request: &ShareFetchRequest) -> Fetch {
    let image = cx.shard.image();
    let id = |topic, partition| PartitionId { topic: TopicId(topic), partition };
    let named = request.topics.iter().flat_map(|topic| {
        let known = image.topic(TopicId(topic.topic_id)).is_some();
        topic.partitions.iter().map(move |partition| Named {
            partition: id(topic.topic_id, partition.partition_index),
            known,
        })
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| id(topic.topic_id, *partition))
    });
    Fetch {
        epoch: request.share_session_epoch,
        named: named.collect(),
        forgotten: forgotten.collect(),
        acknowledges: acknowledges(request),
        connection: cx.shard.share_connection(&cx.peer),
    }
}

fn acknowledges(request: &ShareFetchRequest) -> bool {
    let mut partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.any(|partition| !partition.acknowledgement_batches.is_empty())
}

async fn not_begun(
    cx: &Context,
    who: &Asker,
    request: &ShareFetchRequest,
    begins: bool,
    refusal: SessionRefusal,
) -> ErrorCode {
    if begins {
        cx.shard.share_ends_on(&cx.peer, &who.group, &who.member);
    }
    if refusal == SessionRefusal::LimitReached {
        // So that a client does not ask again at once.
        cx.shard.deadlines.until(clock::monotonic() + wait(request)).await;
    }
    session_refusal(refusal)
}

fn wait(request: &ShareFetchRequest) -> Duration {
    Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0))
}

/// Acknowledges, fetches from the partitions of the session, and answers both: the answer, and the bytes of its records.
async fn handle(
    cx: &Context,
    version: i16,
    who: &Asker,
    mut request: ShareFetchRequest,
    partitions: Vec<Named>,
) -> (ShareFetchResponse, usize) {
    let epoch = request.share_session_epoch;
    let terms = terms(cx, &request);
    let allowed = Allowed { renewals_known: version >= 2, renews: request.is_renew_ack };
    let topics = match acknowledges(&request) {
        true => std::mem::take(&mut request.topics),
        false => Vec::new(),
    };
    let acknowledged = topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |partition| {
            (topic.topic_id, partition.partition_index, partition.acknowledgement_batches)
        })
    });
    let said = acknowledge(cx, who, acknowledged.collect(), allowed);
    let mut parts: Vec<Part> = partitions.iter().map(|named| resolve(cx, named)).collect();
    rotate(&mut parts, epoch);
    let any = parts.iter().any(|part| part.outcome.is_none());
    let strange = any && !matches!(request.share_acquire_mode, BATCHES | STRICT);
    let taken = async {
        if !strange {
            take::take(cx, who, &mut parts, &terms).await;
        }
    };
    let (said, ()) = both(said, taken).await;
    if strange {
        return (answer::refused(ErrorCode::UNKNOWN_SERVER_ERROR), 0);
    }
    let fetched = parts.iter().map(Part::bytes).sum();
    let response = answer::build(cx, who, epoch, parts, said).await;
    if epoch == FINAL_EPOCH {
        who.end(cx).await;
    }
    (response, fetched)
}

fn terms(cx: &Context, request: &ShareFetchRequest) -> Terms {
    let of = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let mut bytes_max = of(request.max_bytes).min(cx.shard.config.fetch_bytes_max());
    if let Some(bytes) = cx.at_once(Limited::Fetch) {
        bytes_max = bytes_max.min(bytes.max(1));
    }
    Terms {
        until: clock::monotonic() + wait(request),
        bytes_min: of(request.min_bytes).min(bytes_max),
        bytes_negative: request.max_bytes < 0,
        wish: Wish {
            records_max: request.max_records,
            strict: request.share_acquire_mode == STRICT,
            range_records: request.batch_size,
            bytes_max,
            part_bytes_max: bytes_max,
            at_least_one: true,
        },
    }
}

/// A partition of the session as it is now.
fn resolve(cx: &Context, named: &Named) -> Part {
    let image = cx.shard.image();
    let id = named.partition;
    let refused = match image.topic(id.topic) {
        _ if !named.known => Some(ErrorCode::UNKNOWN_TOPIC_ID),
        Some(topic) if !cx.authorize(Operation::Read, Resource::Topic(&topic.name)) => {
            Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        }
        Some(topic) if topic.partition(id.partition).is_some() => None,
        Some(_) | None => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    };
    Part { id, outcome: refused.map(Err) }
}

/// With each epoch another partition comes first.
fn rotate(parts: &mut [Part], epoch: i32) {
    let length = parts.len();
    if let (Ok(epoch @ 1..), 2..) = (usize::try_from(epoch), length) {
        parts.rotate_left(epoch % length);
    }
}
