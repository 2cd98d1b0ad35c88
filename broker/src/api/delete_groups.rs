//! DeleteGroups (key 42): groups without members go, and what they have committed with them.
//!
//! - A group that has members is refused with NON_EMPTY_GROUP, one that does not exist with GROUP_ID_NOT_FOUND; each on its own.
//! - A share group's state goes first; if the share coordinator refuses that, the group stays, and is answered with its code.
//! - A group that is named twice is deleted, and answered, once.

use std::collections::HashSet;

use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use super::coordination::{self, code_of};
use super::{Context, Operation, Resource, share_groups};
use crate::group::Refusal;
use crate::group::message::{GroupAnswer, GroupRequest};

pub(crate) fn call(cx: Context, version: i16, request: DeleteGroupsRequest) -> Outcome {
    let mut seen = HashSet::new();
    let groups = request.groups_names.into_iter().filter(|group| seen.insert(group.clone()));
    let asked: Vec<_> = groups
        .map(|group| {
            let allowed = cx.authorize(Operation::Delete, Resource::Group(&group));
            let delete = GroupRequest::Delete(vec![group.clone()]);
            let asked = allowed.then(|| coordination::ask(&cx, &group, delete));
            (group, asked)
        })
        .collect();
    super::then::<DeleteGroupsRequest>(cx, version, async move |cx: &Context| {
        let mut results = Vec::with_capacity(asked.len());
        for (group_id, asked) in asked {
            let error_code = match asked {
                None => ErrorCode::GROUP_AUTHORIZATION_FAILED,
                Some(asked) => match asked.await {
                    GroupAnswer::Delete(mut one) => match one.pop() {
                        Some(Err(Refusal::StateKept)) => share_groups::end(cx, &group_id).await,
                        Some(deleted) => code_of(deleted),
                        None => ErrorCode::UNKNOWN_SERVER_ERROR,
                    },
                    _ => ErrorCode::UNKNOWN_SERVER_ERROR,
                },
            };
            results.push(DeletableGroupResult { group_id, error_code });
        }
        DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
    })
}
