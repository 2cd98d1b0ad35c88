//! The way from a request to the coordinator of its group, and Kafka's codes for what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use bytestring::ByteString;
use net::wire::ErrorCode;
use storage::units::PartitionId;

use super::{Context, Operation, Resource};
use crate::clock;
use crate::group::message::{GroupAnswer, GroupRequest};
use crate::group::{self, Refusal};
use crate::metadata::image::{GROUP_VERSION, Image};

/// The partition that keeps a group; `None` before the first group.
pub(super) fn partition_of(image: &Image, group: &str) -> Option<PartitionId> {
    let topic = image.topic_by_name(group::TOPIC)?;
    let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    Some(PartitionId { topic: topic.id, partition: group::partition_of(group, partitions) })
}

/// Whether the client may do this to a group, of a protocol that is `served` or not.
pub(super) fn check(
    cx: &Context,
    served: bool,
    operation: Operation,
    group: &str,
) -> Result<(), ErrorCode> {
    if !served {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    if !cx.authorize(operation, Resource::Group(group)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if group.is_empty() { Err(ErrorCode::INVALID_GROUP_ID) } else { Ok(()) }
}

/// Asks the group's coordinator. The request is on its way when this returns: requests of one connection reach a coordinator in their order.
pub(super) fn ask(
    cx: &Context,
    group: &str,
    request: GroupRequest,
) -> impl Future<Output = GroupAnswer> + use<> {
    let partition = partition_of(&cx.shard.image(), group);
    ask_partition(cx, partition, request)
}

/// The same, where the partition is known.
pub(super) fn ask_partition(
    cx: &Context,
    partition: Option<PartitionId>,
    request: GroupRequest,
) -> impl Future<Output = GroupAnswer> + use<> {
    let lost = request.refused(Refusal::NotCoordinator);
    // What waits for other members has a time of its own.
    let late = (!request.may_park()).then(|| request.refused(Refusal::NotAvailable));
    let asked = partition.map(|partition| cx.shard.coordinator(partition, request));
    let shard = std::rc::Rc::clone(&cx.shard);
    let timeout = Duration::from_millis(shard.config.groups.commit_timeout_ms);
    async move {
        let Some(asked) = asked else { return lost };
        match late {
            None => asked.await,
            Some(late) => {
                let deadline = clock::monotonic() + timeout;
                shard.deadlines.limit(deadline, asked).await.unwrap_or(late)
            }
        }
    }
}

/// Whether the consumer protocol (KIP-848) is served: it is configured, and the cluster's features allow it.
pub(super) fn serves_consumer_groups(cx: &Context) -> bool {
    cx.shard.config.groups.consumer.served && cx.shard.image().feature(GROUP_VERSION) >= 1
}

/// Kafka's code for what a coordinator refuses.
pub(super) fn code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::UnknownMember => ErrorCode::UNKNOWN_MEMBER_ID,
        Refusal::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        Refusal::InconsistentProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        Refusal::Rebalancing => ErrorCode::REBALANCE_IN_PROGRESS,
        Refusal::MemberIdRequired => ErrorCode::MEMBER_ID_REQUIRED,
        Refusal::GroupFull => ErrorCode::GROUP_MAX_SIZE_REACHED,
        Refusal::FencedInstance => ErrorCode::FENCED_INSTANCE_ID,
        Refusal::GroupNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        // Of a share group's state only DeleteGroups is told, which sees to it.
        Refusal::NonEmpty | Refusal::StateKept => ErrorCode::NON_EMPTY_GROUP,
        Refusal::Subscribed => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        Refusal::MetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        Refusal::Unstable => ErrorCode::UNSTABLE_OFFSET_COMMIT,
        Refusal::Loading => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        Refusal::NotCoordinator => ErrorCode::NOT_COORDINATOR,
        Refusal::NotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        Refusal::TooLarge | Refusal::Malformed => ErrorCode::UNKNOWN_SERVER_ERROR,
        Refusal::NotClassicGroup | Refusal::NotConsumerGroup | Refusal::NotShareGroup => {
            ErrorCode::GROUP_ID_NOT_FOUND
        }
        Refusal::FencedMemberEpoch => ErrorCode::FENCED_MEMBER_EPOCH,
        Refusal::StaleMemberEpoch => ErrorCode::STALE_MEMBER_EPOCH,
        Refusal::UnreleasedInstance => ErrorCode::UNRELEASED_INSTANCE_ID,
        Refusal::InvalidRegex => ErrorCode::INVALID_REGULAR_EXPRESSION,
        Refusal::UnsupportedVersion => ErrorCode::UNSUPPORTED_VERSION,
    }
}

pub(super) fn code_of(result: Result<(), Refusal>) -> ErrorCode {
    result.map_or_else(code, |()| ErrorCode::NONE)
}

/// An address as Java writes it, which is what tools show.
pub(super) fn host_of(address: &SocketAddr) -> ByteString {
    let text = match address {
        SocketAddr::V4(address) => format!("/{}", address.ip()),
        SocketAddr::V6(address) => match address.ip().to_ipv4_mapped() {
            Some(ip) => format!("/{ip}"),
            None => {
                let groups: Vec<_> =
                    address.ip().segments().iter().map(|s| format!("{s:x}")).collect();
                format!("/{}", groups.join(":"))
            }
        },
    };
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_does() {
        let check = |address: &str, expected: &str| {
            assert_eq!(host_of(&address.parse().unwrap()), expected, "{address}");
        };
        check("127.0.0.1:9092", "/127.0.0.1");
        check("[::1]:9092", "/0:0:0:0:0:0:0:1");
        check("[::ffff:10.0.0.1]:9092", "/10.0.0.1");
    }
}
