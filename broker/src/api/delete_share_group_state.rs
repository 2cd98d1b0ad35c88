//! DeleteShareGroupState (key 86): the state of share partitions ends (KIP-932). What is not there is deleted without error.

use net::wire::delete_share_group_state::{
    DeleteShareGroupStateRequest, DeleteShareGroupStateResponse, DeleteStateResult, PartitionResult,
};

use super::Context;
use super::share_state::{self, fault_of, strange};
use crate::share::state::message::{StateAnswer, StateAsk};

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: DeleteShareGroupStateRequest,
) -> DeleteShareGroupStateResponse {
    let asked = request.topics.iter().map(|topic| {
        let asked =
            topic.partitions.iter().map(|partition| (partition.partition, StateAsk::Delete));
        (topic.topic_id, asked.collect())
    });
    let answers = share_state::ask(cx, &request.group_id, asked.collect()).await;
    let results = answers.into_iter().map(|(topic_id, partitions)| {
        let told = partitions.into_iter().map(|(partition, answer)| told(partition, answer));
        DeleteStateResult { topic_id, partitions: told.collect() }
    });
    DeleteShareGroupStateResponse { results: results.collect() }
}

fn told(partition: i32, answer: StateAnswer) -> PartitionResult {
    let (error_code, error_message) = match answer {
        StateAnswer::Delete(outcome) => fault_of(outcome, "delete share group state"),
        _ => strange(),
    };
    PartitionResult { partition, error_code, error_message }
}
