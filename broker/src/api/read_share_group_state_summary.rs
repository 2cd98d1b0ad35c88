//! ReadShareGroupStateSummary (key 87): where share partitions stand (KIP-932). What was never begun stands nowhere, without error.
//!
//! 1: how many records were delivered for good (KIP-1226).

use net::wire::read_share_group_state_summary::{
    PartitionResult, ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse,
    ReadStateSummaryResult,
};

use super::Context;
use super::share_state::{self, fault, strange};
use crate::share::state::message::{StateAnswer, StateAsk, Summary};

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: ReadShareGroupStateSummaryRequest,
) -> ReadShareGroupStateSummaryResponse {
    let asked = request.topics.iter().map(|topic| {
        let asked = topic.partitions.iter().map(|one| (one.partition, StateAsk::Summary));
        (topic.topic_id, asked.collect())
    });
    let answers = share_state::ask(cx, &request.group_id, asked.collect()).await;
    let results = answers.into_iter().map(|(topic_id, partitions)| {
        let told = partitions.into_iter().map(|(partition, answer)| told(partition, answer));
        ReadStateSummaryResult { topic_id, partitions: told.collect() }
    });
    ReadShareGroupStateSummaryResponse { results: results.collect() }
}

fn told(partition: i32, answer: StateAnswer) -> PartitionResult {
    let (error_code, error_message) = match answer {
        StateAnswer::Summary(Ok(summary)) => return stands(partition, summary),
        StateAnswer::Summary(Err(refusal)) => fault(refusal, "read share group state summary"),
        _ => strange(),
    };
    PartitionResult { partition, error_code, error_message, ..PartitionResult::default() }
}

fn stands(partition: i32, summary: Summary) -> PartitionResult {
    let Summary { state_epoch, leader_epoch, start_offset, delivery_complete_count } = summary;
    PartitionResult {
        partition,
        state_epoch,
        leader_epoch,
        start_offset,
        delivery_complete_count,
        ..PartitionResult::default()
    }
}
