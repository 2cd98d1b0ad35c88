//! ListGroups (key 16): the groups that this broker coordinates, those of all its shards.
//!
//! - Filters are compared without regard to case; a type that is none of Kafka's matches nothing.
//! - While a partition of groups is loaded, the whole answer is COORDINATOR_LOAD_IN_PROGRESS.

use futures::future::join_all;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use storage::units::PartitionId;

use super::coordination::{self, code};
use super::{Context, Operation, Resource};
use crate::group::message::{GroupAnswer, GroupRequest, Listed, ListedState};
use crate::group::{self};

pub(crate) fn call(cx: Context, version: i16, request: ListGroupsRequest) -> Outcome {
    let image = cx.shard.image();
    let topic = image.topic_by_name(group::TOPIC);
    let partitions = topic.into_iter().flat_map(|topic| {
        topic.partitions().map(|(partition, _)| PartitionId { topic: topic.id, partition })
    });
    let asked: Vec<_> = partitions
        .map(|partition| coordination::ask_partition(&cx, Some(partition), GroupRequest::List))
        .collect();
    super::then::<ListGroupsRequest>(cx, version, async move |cx: &Context| {
        let mut response = ListGroupsResponse::default();
        for answer in join_all(asked).await {
            match answer {
                GroupAnswer::List(Ok(listed)) => {
                    let shown = listed.into_iter().filter(|group| shown(cx, &request, group));
                    response.groups.extend(shown.map(told));
                }
                GroupAnswer::List(Err(group::Refusal::NotCoordinator)) => {}
                GroupAnswer::List(Err(refusal)) => response.error_code = code(refusal),
                _ => response.error_code = ErrorCode::UNKNOWN_SERVER_ERROR,
            }
        }
        if response.error_code.is_error() {
            response.groups.clear();
        }
        response
    })
}

fn shown(cx: &Context, request: &ListGroupsRequest, group: &Listed) -> bool {
    let (kind, state) = kind_and_state(group);
    let of_state = |wanted: &bytestring::ByteString| wanted.trim().eq_ignore_ascii_case(&state);
    let of_type = |wanted: &bytestring::ByteString| wanted.eq_ignore_ascii_case(kind);
    let state = request.states_filter.is_empty() || request.states_filter.iter().any(of_state);
    let kind = request.types_filter.is_empty() || request.types_filter.iter().any(of_type);
    let allowed = cx.authorize(Operation::Describe, Resource::Cluster)
        || cx.authorize(Operation::Describe, Resource::Group(&group.group));
    state && kind && allowed
}

/// As Kafka names them.
fn kind_and_state(group: &Listed) -> (&'static str, String) {
    match group.state {
        ListedState::Classic(state) => ("classic", state.to_string()),
        ListedState::Consumer(state) => ("consumer", state.to_string()),
        ListedState::Share(state) => ("share", state.to_string()),
    }
}

fn told(group: Listed) -> ListedGroup {
    let (kind, state) = kind_and_state(&group);
    ListedGroup {
        group_id: group.group,
        protocol_type: group.protocol_type,
        group_state: state.into(),
        group_type: kind.into(),
    }
}
