//! What ShareFetch and ShareAcknowledge have in common: who may ask, what is said of records, and Kafka's codes for what comes back.
//!
//! Acknowledgements of a partition are all done, or none: INVALID_REQUEST, without a text, for what makes no sense before anything is looked
//! at, and with one where it is of records that were never acquired; INVALID_RECORD_STATE where somebody else has them, or nobody.
//! What is good is answered when it is stored.

use bytestring::ByteString;
use futures::future::join;
use net::wire::ErrorCode;
use net::wire::share_fetch::{AcknowledgementBatch, LeaderIdAndEpoch, NodeEndpoint};
use storage::units::{PartitionId, TopicId};
use uuid::Uuid;

use super::error::read_refusal;
use super::share_groups;
use super::share_state::fault;
use super::{Context, Operation, Resource};
use crate::group::records::owned;
use crate::metadata::image::{Endpoint, Image};
use crate::share::message::{
    AcknowledgeAsk, AcknowledgeRefusal, AcknowledgedBatch, SessionAnswer, SessionAsk, SessionWhat,
    Trouble,
};
use crate::share::partition::{Kind, Refusal};
use crate::share::sessions::SessionRefusal;
use crate::share::state;

/// UTF-16 units of a member's id.
const MEMBER_ID_MAX: usize = 36;

/// Who asks: a member of a group.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) group: ByteString,
    pub(super) member: ByteString,
}

/// A code, and what is said beside it.
pub(super) type Said = (ErrorCode, Option<ByteString>);

/// In Kafka's order.
pub(super) fn asker(
    cx: &Context,
    group: Option<&ByteString>,
    member: Option<&ByteString>,
) -> Result<Asker, ErrorCode> {
    if !share_groups::served(cx) {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    let group = group.ok_or(ErrorCode::INVALID_REQUEST)?;
    if !cx.authorize(Operation::Read, Resource::Group(group)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let is_valid = |id: &&ByteString| !id.is_empty() && id.encode_utf16().count() <= MEMBER_ID_MAX;
    let member = member.filter(is_valid).ok_or(ErrorCode::INVALID_REQUEST)?;
    Ok(Asker { group: owned(group), member: owned(member) })
}

impl Asker {
    pub(super) fn session(&self, what: SessionWhat) -> SessionAsk {
        SessionAsk { group: self.group.clone(), member: self.member.clone(), what }
    }

    /// The session is over, and what the member has is released.
    pub(super) async fn end(&self, cx: &Context) {
        let SessionAnswer::Ended = cx.shard.share_session(self.session(SessionWhat::End)).await
        else {
            return;
        };
        cx.shard.share_ends_on(&cx.peer, &self.group, &self.member);
    }
}

pub(super) fn session_refusal(refusal: SessionRefusal) -> ErrorCode {
    match refusal {
        SessionRefusal::NotFound => ErrorCode::SHARE_SESSION_NOT_FOUND,
        SessionRefusal::InvalidEpoch => ErrorCode::INVALID_SHARE_SESSION_EPOCH,
        SessionRefusal::AcknowledgesAtFirst => ErrorCode::INVALID_REQUEST,
        SessionRefusal::LimitReached => ErrorCode::SHARE_SESSION_LIMIT_REACHED,
        // As Kafka, which does not expect it.
        SessionRefusal::NamedTwice => ErrorCode::UNKNOWN_SERVER_ERROR,
        // The client begins another one, elsewhere.
        SessionRefusal::Stopping => ErrorCode::SHARE_SESSION_NOT_FOUND,
    }
}

/// Kafka's code for a share partition that cannot be fetched from; a fetch says no more of it.
pub(super) fn trouble(trouble: Trouble) -> ErrorCode {
    match trouble {
        Trouble::Read(refusal) => read_refusal(refusal),
        Trouble::State(refusal) => of_state(refusal, "read share group state").0,
        Trouble::Contradiction => ErrorCode::UNKNOWN_SERVER_ERROR,
        Trouble::NoOffset => ErrorCode::OFFSET_NOT_AVAILABLE,
    }
}

/// What a client is told of what the share coordinator refuses its leader.
fn of_state(refusal: state::Refusal, doing: &str) -> Said {
    let (code, text) = fault(refusal, doing);
    let code = match code {
        ErrorCode::NOT_COORDINATOR
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::FENCED_STATE_EPOCH => {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        }
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => code,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    (code, text)
}

fn acknowledge_refusal(refusal: AcknowledgeRefusal) -> Said {
    let (code, text) = match refusal {
        AcknowledgeRefusal::NotHere => (
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            "This server does not host this topic-partition.",
        ),
        AcknowledgeRefusal::Refused(refusal) => refused(refusal),
        AcknowledgeRefusal::Unwritten(refusal) => {
            let (code, text) = of_state(refusal, "write share group state");
            // As Kafka's leader says it, which asks by a request.
            let text = text.map(|text| format!("Error in write state RPC. {text}").into());
            return (code, text);
        }
        AcknowledgeRefusal::Left => return (ErrorCode::NOT_LEADER_OR_FOLLOWER, None),
    };
    (code, Some(ByteString::from_static(text)))
}

/// Kafka's words. It has more of them where it keeps each record's state on its own, by chance of what was acquired together.
fn refused(refusal: Refusal) -> (ErrorCode, &'static str) {
    match refusal {
        Refusal::Malformed => (ErrorCode::INVALID_REQUEST, "Invalid acknowledge type"),
        Refusal::FirstNeverAcquired => (
            ErrorCode::INVALID_REQUEST,
            "Batch record not found. The first offset in request is past acquired records.",
        ),
        Refusal::LastNeverAcquired => (
            ErrorCode::INVALID_REQUEST,
            "Batch record not found. The last offset in request is past acquired records.",
        ),
        Refusal::NothingInFlight => (
            ErrorCode::INVALID_RECORD_STATE,
            "Batch record not found. The request batch offsets are not found in the cache.",
        ),
        Refusal::NotTheOwner => {
            (ErrorCode::INVALID_RECORD_STATE, "Member is not the owner of batch record")
        }
        Refusal::NotAcquired => (
            ErrorCode::INVALID_RECORD_STATE,
            "The batch cannot be acknowledged. The batch is not in the acquired state.",
        ),
        Refusal::NotRenewable => (
            ErrorCode::INVALID_RECORD_STATE,
            "Renewing acquisition locks is not enabled for the group.",
        ),
    }
}

/// A partition as a request names it, and what the request says of its records.
pub(super) type Acknowledged = (Uuid, i32, Vec<AcknowledgementBatch>);

/// What of a request's acknowledgements may be.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    /// The version knows renewed locks, and the request announces them.
    pub(super) renewals_known: bool,
    pub(super) renews: bool,
}

/// Says it to the partitions' owners: they are told when this returns. What becomes of each partition follows.
pub(super) fn acknowledge(
    cx: &Context,
    asker: &Asker,
    acknowledged: Vec<Acknowledged>,
    allowed: Allowed,
) -> impl Future<Output = Vec<(PartitionId, Said)>> + use<> {
    let image = cx.shard.image();
    let (mut parts, mut told, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for (topic, partition, batches) in last_of_each(acknowledged) {
        let id = PartitionId { topic: TopicId(topic), partition };
        let known = image.topic(id.topic);
        let refused = match (known, checked(&batches, allowed)) {
            (None, _) => ErrorCode::UNKNOWN_TOPIC_ID,
            (_, None) => ErrorCode::INVALID_REQUEST,
            (Some(topic), _) if !cx.authorize(Operation::Read, Resource::Topic(&topic.name)) => {
                ErrorCode::TOPIC_AUTHORIZATION_FAILED
            }
            (Some(topic), _) if topic.partition(partition).is_none() => {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            }
            (Some(_), Some(batches)) if batches.is_empty() => {
                empty.push((id, (ErrorCode::NONE, None)));
                continue;
            }
            (Some(_), Some(batches)) => {
                parts.push((id, batches));
                continue;
            }
        };
        told.push((id, (refused, None)));
    }
    if parts.is_empty() {
        // Kafka says nothing of partitions of which nothing was said, unless of others something was.
        empty.clear();
    }
    let (group, member) = (asker.group.clone(), asker.member.clone());
    let said = cx.shard.share_said(AcknowledgeAsk { group, member, parts });
    async move {
        let said = said.await.into_iter().map(|(id, outcome)| {
            (id, outcome.map_or_else(acknowledge_refusal, |()| (ErrorCode::NONE, None)))
        });
        said.chain(told).chain(empty).collect()
    }
}

/// Of a partition that is named twice the last word counts.
fn last_of_each(acknowledged: Vec<Acknowledged>) -> Vec<Acknowledged> {
    let mut places = std::collections::HashMap::new();
    let mut all: Vec<Acknowledged> = Vec::new();
    for each in acknowledged {
        match places.get(&(each.0, each.1)) {
            Some(&at) => all[at] = each,
            None => {
                places.insert((each.0, each.1), all.len());
                all.push(each);
            }
        }
    }
    all
}

/// What is said of one partition, if it makes sense. In Kafka's order; as there, a batch may begin with the last offset of the one before.
fn checked(batches: &[AcknowledgementBatch], allowed: Allowed) -> Option<Vec<AcknowledgedBatch>> {
    let mut before = -1;
    let mut all = Vec::with_capacity(batches.len());
    for batch in batches {
        let (first, last) = (batch.first_offset, batch.last_offset);
        let count = i64::try_from(batch.acknowledge_types.len()).ok()?;
        let matches = count == 1 || count > 1 && last.checked_sub(first) == Some(count - 1);
        if first > last || first < before || !matches {
            return None;
        }
        let kinds = batch.acknowledge_types.iter().map(|number| {
            Kind::of(*number)
                .filter(|kind| *kind != Kind::Renew || allowed.renewals_known && allowed.renews)
        });
        all.push(AcknowledgedBatch { first, last, kinds: kinds.collect::<Option<_>>()? });
        before = last;
    }
    Some(all)
}

/// Who leads a partition, where an answer says that it is not this node, or was not.
pub(super) fn leader_beside(
    image: &Image,
    listener: &str,
    id: PartitionId,
    code: ErrorCode,
    endpoints: &mut Vec<NodeEndpoint>,
) -> LeaderIdAndEpoch {
    let tells = matches!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
    let state = image.topic(id.topic).and_then(|topic| topic.partition(id.partition));
    let Some(state) = state.filter(|_| tells) else { return LeaderIdAndEpoch::default() };
    if let Some(broker) = image.broker(state.leader)
        && let Some(Endpoint { host, port, .. }) = broker.endpoint(listener)
        && !endpoints.iter().any(|known| known.node_id == state.leader)
    {
        endpoints.push(NodeEndpoint {
            node_id: state.leader,
            host: host.clone(),
            port: i32::from(*port),
            rack: broker.rack.clone(),
        });
    }
    LeaderIdAndEpoch { leader_id: state.leader, leader_epoch: state.leader_epoch.0 }
}

/// Both, beside each other.
pub(super) async fn both<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    join(first, second).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_offset: i64, last_offset: i64, types: &[i8]) -> AcknowledgementBatch {
        AcknowledgementBatch { first_offset, last_offset, acknowledge_types: types.to_vec() }
    }

    #[test]
    fn what_makes_no_sense_is_found_before_anything_is_done() {
        let all = Allowed { renewals_known: true, renews: true };
        let check = |allowed, batches: &[AcknowledgementBatch], good: bool| {
            assert_eq!(checked(batches, allowed).is_some(), good, "{batches:?}");
        };
        for (batches, good) in [
            (vec![], true),
            (vec![batch(0, 5, &[1])], true),
            (vec![batch(0, 2, &[0, 1, 2])], true),
            (vec![batch(0, 2, &[3, 4])], false),
            (vec![batch(0, 2, &[1; 4])], false),
            (vec![batch(0, 0, &[])], false),
            (vec![batch(1, 0, &[1])], false),
            (vec![batch(-1, 0, &[1])], true),
            (vec![batch(-2, 0, &[1])], false),
            (vec![batch(i64::MIN, i64::MAX, &[1, 1])], false),
            (vec![batch(0, 5, &[1]), batch(5, 6, &[1])], true),
            (vec![batch(0, 5, &[1]), batch(4, 6, &[1])], false),
            (vec![batch(0, 0, &[-1])], false),
            (vec![batch(0, 0, &[5])], false),
            (vec![batch(0, 0, &[4])], true),
        ] {
            check(all, &batches, good);
        }
        let renewal = [batch(0, 0, &[4])];
        check(Allowed { renewals_known: true, renews: false }, &renewal, false);
        check(Allowed { renewals_known: false, renews: true }, &renewal, false);
    }
}
