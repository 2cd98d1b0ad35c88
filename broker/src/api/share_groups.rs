//! What the APIs of share groups (keys 76, 77, 90-92) have in common: whether they are served, and the way from a group's coordinator to
//! those of its state.
//!
//! The coordinator of a group says which state is to begin or to go; here the share coordinators are asked, and the group's is told what
//! came of it. If nobody gets that far, a later heartbeat, or the next request, sees to it.

use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use futures::future::join_all;
use net::wire::ErrorCode;
use uuid::Uuid;

use super::coordination::{self, code, code_of};
use super::share_state::{self, ByTopic};
use super::{Context, find_coordinator};
use crate::clock;
use crate::coordinator::Unserved;
use crate::group::message::{GroupAnswer, GroupRequest};
use crate::group::records::owned;
use crate::group::share::message::{ShareAnswer, ShareRequest, StatesBegun, StatesToBegin};
use crate::metadata::image::SHARE_VERSION;
use crate::shard::Shard;
use crate::share::state::message::{StateAnswer, StateAsk, StateRequest};
use crate::share::state::{self, Key, Refusal};

/// How often a share coordinator is asked while it does not serve, and how long is waited first; then twice as long each time. The first
/// share group of a cluster waits so for the topic of its state.
const ATTEMPTS: u32 = 6;
const BACKOFF: Duration = Duration::from_millis(100);

/// Whether share groups are served: the cluster's features allow it.
pub(super) fn served(cx: &Context) -> bool {
    cx.shard.image().feature(SHARE_VERSION) >= 1
}

/// Asks a share group's coordinator; on its way when this returns.
pub(super) fn ask(
    cx: &Context,
    group: &str,
    request: ShareRequest,
) -> impl Future<Output = Option<ShareAnswer>> + use<> {
    let asked = coordination::ask(cx, group, GroupRequest::Share(Box::new(request)));
    async move {
        match asked.await {
            GroupAnswer::Share(answer) => Some(answer),
            _ => None,
        }
    }
}

/// Asks the share coordinators of all these partitions of a group; the answers in the order of the questions.
pub(super) async fn state(
    shard: &Rc<Shard>,
    group: &ByteString,
    topics: ByTopic<StateAsk>,
) -> ByTopic<StateAnswer> {
    if topics.is_empty() {
        return Vec::new();
    }
    find_coordinator::create_topic(shard, state::TOPIC).await;
    let topics = topics.into_iter().map(async |(topic, partitions)| {
        let partitions = partitions.into_iter().map(async |(partition, ask)| {
            let key = Key { group: group.clone(), topic, partition };
            (partition, patiently(shard, StateRequest { key, ask }).await)
        });
        (topic, join_all(partitions).await)
    });
    join_all(topics).await
}

async fn patiently(shard: &Rc<Shard>, request: StateRequest) -> StateAnswer {
    let mut backoff = BACKOFF;
    for _ in 1..ATTEMPTS {
        let answer = share_state::send(shard, request.clone()).await;
        let served = !matches!(
            answer.refusal(),
            Some(Refusal::Unserved(
                Unserved::Loading | Unserved::NotCoordinator | Unserved::NotAvailable
            ))
        );
        if served || shard.stopping.get() {
            return answer;
        }
        shard.deadlines.until(clock::monotonic() + backoff).await;
        backoff *= 2;
    }
    share_state::send(shard, request).await
}

/// State begins, beside whatever asked for it.
pub(super) fn begin(shard: &Rc<Shard>, group: ByteString, begin: StatesToBegin) {
    let (of_shard, state_epoch) = (Rc::clone(shard), begin.state_epoch);
    shard.spawn(async move {
        let ask = |partition| (partition, StateAsk::Initialize { state_epoch, start_offset: -1 });
        let topics = begin.topics.into_iter();
        let topics = topics.map(|(topic, of)| (topic, of.into_iter().map(ask).collect()));
        let answers = state(&of_shard, &group, topics.collect()).await;
        begun(&of_shard, group, &answers).await;
    });
}

/// Tells the group's coordinator what came of state that was to begin.
pub(super) async fn begun(shard: &Rc<Shard>, group: ByteString, answers: &ByTopic<StateAnswer>) {
    for (topic, partitions) in answers {
        let failed = partitions.iter().find_map(|(p, answer)| Some((*p, answer.refusal()?)));
        if let Some((partition, error)) = failed {
            tracing::warn!(%group, %topic, partition, %error, "the state of a share partition does not begin");
        }
    }
    let Some(partition) = coordination::partition_of(&shard.image(), &group) else { return };
    let (begun, failed) = (those(answers, true), those(answers, false));
    let told = ShareRequest::Begun(StatesBegun { group, begun, failed });
    // If it does not get there, the state begins again with a later heartbeat.
    let _ = shard.coordinator(partition, GroupRequest::Share(Box::new(told))).await;
}

/// The partitions whose question was answered, or was refused.
fn those(answers: &ByTopic<StateAnswer>, well: bool) -> Vec<(Uuid, Vec<i32>)> {
    let of = |(topic, partitions): &(Uuid, Vec<(i32, StateAnswer)>)| {
        let those = partitions.iter().filter(|(_, answer)| answer.refusal().is_none() == well);
        let those: Vec<i32> = those.map(|(partition, _)| *partition).collect();
        (!those.is_empty()).then_some((*topic, those))
    };
    answers.iter().filter_map(of).collect()
}

/// The state of these partitions is deleted. For each topic, what the first of its partitions was refused for.
pub(super) async fn delete(
    shard: &Rc<Shard>,
    group: &ByteString,
    topics: Vec<(Uuid, Vec<i32>)>,
) -> Vec<(Uuid, Result<(), Refusal>)> {
    let ask = |(topic, of): (Uuid, Vec<i32>)| {
        (topic, of.into_iter().map(|partition| (partition, StateAsk::Delete)).collect())
    };
    let answers = state(shard, group, topics.into_iter().map(ask).collect()).await;
    let outcome = |partitions: Vec<(i32, StateAnswer)>| {
        partitions.iter().find_map(|(_, answer)| answer.refusal()).map_or(Ok(()), Err)
    };
    answers.into_iter().map(|(topic, partitions)| (topic, outcome(partitions))).collect()
}

/// A share group goes, its state first.
pub(super) async fn end(cx: &Context, group: &ByteString) -> ErrorCode {
    let group = owned(group);
    let states = match ask(cx, &group, ShareRequest::End(group.clone())).await {
        Some(ShareAnswer::End(Ok(states))) => states,
        Some(ShareAnswer::End(Err(refusal))) => return code(refusal),
        _ => return ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    let outcomes = delete(&cx.shard, &group, states).await;
    if let Some(refusal) = outcomes.iter().find_map(|(_, outcome)| outcome.err()) {
        return share_state::fault(refusal, "").0;
    }
    match ask(cx, &group, ShareRequest::Ended(group.clone())).await {
        Some(ShareAnswer::Ended(outcome)) => code_of(outcome),
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}
