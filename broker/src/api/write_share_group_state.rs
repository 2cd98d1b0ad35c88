//! WriteShareGroupState (key 85): a share partition's leader has kept what has changed (KIP-932).

use net::wire::write_share_group_state::{
    PartitionData, PartitionResult, WriteShareGroupStateRequest, WriteShareGroupStateResponse,
    WriteStateResult,
};

use super::Context;
use super::share_state::{self, fault_of, strange};
use crate::share::state::batches::StateBatch;
use crate::share::state::message::{Change, StateAnswer, StateAsk};

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: WriteShareGroupStateRequest,
) -> WriteShareGroupStateResponse {
    let asked = request.topics.iter().map(|topic| {
        let asked = topic
            .partitions
            .iter()
            .map(|partition| (partition.partition, StateAsk::Write(change(partition))));
        (topic.topic_id, asked.collect())
    });
    let answers = share_state::ask(cx, &request.group_id, asked.collect()).await;
    let results = answers.into_iter().map(|(topic_id, partitions)| {
        let told = partitions.into_iter().map(|(partition, answer)| told(partition, answer));
        WriteStateResult { topic_id, partitions: told.collect() }
    });
    WriteShareGroupStateResponse { results: results.collect() }
}

fn change(partition: &PartitionData) -> Change {
    Change {
        state_epoch: partition.state_epoch,
        leader_epoch: partition.leader_epoch,
        start_offset: partition.start_offset,
        delivery_complete_count: partition.delivery_complete_count,
        batches: partition
            .state_batches
            .iter()
            .map(|batch| StateBatch {
                first_offset: batch.first_offset,
                last_offset: batch.last_offset,
                delivery_state: batch.delivery_state,
                delivery_count: batch.delivery_count,
            })
            .collect(),
    }
}

fn told(partition: i32, answer: StateAnswer) -> PartitionResult {
    let (error_code, error_message) = match answer {
        StateAnswer::Write(outcome) => fault_of(outcome, "write share group state"),
        _ => strange(),
    };
    PartitionResult { partition, error_code, error_message }
}
