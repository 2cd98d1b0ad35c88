//! ReadShareGroupState (key 84): the leader of share partitions takes up their state, and keeps earlier leaders out (KIP-932).

use net::wire::read_share_group_state::{
    PartitionResult, ReadShareGroupStateRequest, ReadShareGroupStateResponse, ReadStateResult,
    StateBatch,
};

use super::Context;
use super::share_state::{self, fault, strange};
use crate::share::state::message::{ReadState, StateAnswer, StateAsk};

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: ReadShareGroupStateRequest,
) -> ReadShareGroupStateResponse {
    let asked = request.topics.iter().map(|topic| {
        let asked = topic.partitions.iter().map(|partition| {
            (partition.partition, StateAsk::Read { leader_epoch: partition.leader_epoch })
        });
        (topic.topic_id, asked.collect())
    });
    let answers = share_state::ask(cx, &request.group_id, asked.collect()).await;
    let results = answers.into_iter().map(|(topic_id, partitions)| {
        let told = partitions.into_iter().map(|(partition, answer)| told(partition, answer));
        ReadStateResult { topic_id, partitions: told.collect() }
    });
    ReadShareGroupStateResponse { results: results.collect() }
}

fn told(partition: i32, answer: StateAnswer) -> PartitionResult {
    let (error_code, error_message) = match answer {
        StateAnswer::Read(Ok(state)) => return read(partition, state),
        StateAnswer::Read(Err(refusal)) => fault(refusal, "read share group state"),
        _ => strange(),
    };
    PartitionResult { partition, error_code, error_message, ..PartitionResult::default() }
}

fn read(partition: i32, state: ReadState) -> PartitionResult {
    let batches = state.batches.iter().map(|batch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
    });
    PartitionResult {
        partition,
        state_epoch: state.state_epoch,
        start_offset: state.start_offset,
        state_batches: batches.collect(),
        ..PartitionResult::default()
    }
}
