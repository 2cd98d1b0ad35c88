//! AlterReplicaLogDirs (key 34): partitions move to other log directories of this node (KIP-113).
//!
//! - An answer without error says that the move has begun, or goes on. To move to the directory in which the partition is ends a move that
//!   is under way; another directory takes the place of the one that was asked for before.
//! - A directory that is none of `log.dirs` gets LOG_DIR_NOT_FOUND, one that is offline KAFKA_STORAGE_ERROR, as a partition does whose
//!   own directory is offline. A partition that this node does not serve gets REPLICA_NOT_AVAILABLE.
//! - Unlike Kafka's, a node remembers no directory for partitions that do not exist yet.

use std::collections::BTreeMap;

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use storage::units::PartitionId;

use super::groups::Groups;
use super::{Context, Operation, Resource};
use crate::directories::absolute;
use crate::message::{Answer, Ask};
use crate::moves::MoveRefusal;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let allowed = cx.authorize(Operation::Alter, Resource::Cluster);
    let image = cx.shard.image();
    let mut results: BTreeMap<ByteString, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    let mut groups = Groups::new();
    let mut names = Vec::new();
    for dir in request.dirs {
        let dirs = cx.shard.config.log_dirs();
        let number = dirs.iter().position(|path| absolute(path) == *dir.path);
        for topic in dir.topics {
            let found = image.topic_by_name(&topic.name);
            for index in topic.partitions {
                let known = found.filter(|found| found.partition(index).is_some());
                let code = match (allowed, known, number) {
                    (false, ..) => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
                    (_, _, None) => ErrorCode::LOG_DIR_NOT_FOUND,
                    (_, None, _) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    (true, Some(found), Some(number)) => {
                        let id = PartitionId { topic: found.id, partition: index };
                        groups.add(cx.shard.owner(id), (id, number), (names.len(), 0));
                        names.push((topic.name.clone(), index));
                        continue;
                    }
                };
                let to = results.entry(topic.name.clone()).or_default();
                to.push(AlterReplicaLogDirPartitionResult {
                    partition_index: index,
                    error_code: code,
                });
            }
        }
    }
    for group in groups {
        let begun = begin(cx, group.owner, group.parts).await;
        for ((place, _), begun) in group.places.into_iter().zip(begun) {
            let (topic, partition_index) = names[place].clone();
            let error_code = begun.map_or_else(code, |()| ErrorCode::NONE);
            let to = results.entry(topic).or_default();
            to.push(AlterReplicaLogDirPartitionResult { partition_index, error_code });
        }
    }
    let results = results.into_iter();
    let results = results
        .map(|(topic_name, partitions)| AlterReplicaLogDirTopicResult { topic_name, partitions });
    AlterReplicaLogDirsResponse { throttle_time_ms: 0, results: results.collect() }
}

async fn begin(
    cx: &Context,
    owner: usize,
    parts: Vec<(PartitionId, usize)>,
) -> Vec<Result<(), MoveRefusal>> {
    if owner == cx.shard.number {
        return cx.shard.begin_moves(&parts);
    }
    let count = parts.len();
    match cx.shard.ask(owner, Ask::Move(parts)).await {
        Ok(Answer::Moving(begun)) => begun,
        _ => vec![Err(MoveRefusal::NotHere); count],
    }
}

fn code(refusal: MoveRefusal) -> ErrorCode {
    match refusal {
        MoveRefusal::NotHere => ErrorCode::REPLICA_NOT_AVAILABLE,
        MoveRefusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
