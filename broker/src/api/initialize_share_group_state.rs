//! InitializeShareGroupState (key 83): the state of share partitions begins, or begins anew (KIP-932).

use net::wire::initialize_share_group_state::{
    InitializeShareGroupStateRequest, InitializeShareGroupStateResponse, InitializeStateResult,
    PartitionResult,
};

use super::Context;
use super::share_state::{self, fault_of, strange};
use crate::share::state::message::{StateAnswer, StateAsk};

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: InitializeShareGroupStateRequest,
) -> InitializeShareGroupStateResponse {
    let asked = request.topics.iter().map(|topic| {
        let asked = topic.partitions.iter().map(|partition| {
            (
                partition.partition,
                StateAsk::Initialize {
                    state_epoch: partition.state_epoch,
                    start_offset: partition.start_offset,
                },
            )
        });
        (topic.topic_id, asked.collect())
    });
    let answers = share_state::ask(cx, &request.group_id, asked.collect()).await;
    let results = answers.into_iter().map(|(topic_id, partitions)| {
        let told = partitions.into_iter().map(|(partition, answer)| told(partition, answer));
        InitializeStateResult { topic_id, partitions: told.collect() }
    });
    InitializeShareGroupStateResponse { results: results.collect() }
}

fn told(partition: i32, answer: StateAnswer) -> PartitionResult {
    let (error_code, error_message) = match answer {
        StateAnswer::Initialize(outcome) => fault_of(outcome, "initialize share group state"),
        _ => strange(),
    };
    PartitionResult { partition, error_code, error_message }
}
