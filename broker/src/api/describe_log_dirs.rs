//! DescribeLogDirs (key 35): the log directories of this node, and what is in them (KIP-113, KIP-827, KIP-1066).
//!
//! - Sizes are those of the segments, what memory has of them included. Total and usable bytes are those of the file system.
//! - A directory that is offline gets KAFKA_STORAGE_ERROR, and no partitions.
//! - A partition that moves is there twice: in its directory, and as a future one in that to which it moves, with what it is behind.
//! - The metadata log is no replica, and not among them, as in Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::{Context, Operation, Resource};
use crate::directories::absolute;
use crate::message::{Answer, Ask, InDirectory};

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    if !cx.authorize(Operation::Describe, Resource::Cluster) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return DescribeLogDirsResponse { error_code, ..Default::default() };
    }
    let wanted = Wanted::new(request.topics.as_deref());
    let found = look(cx).await;
    let paths = cx.shard.config.log_dirs().to_vec();
    let spaces =
        glommio::executor().spawn_blocking(move || paths.iter().map(space).collect::<Vec<_>>());
    let all = cx.shard.config.log_dirs().iter().zip(found).zip(spaces.await);
    let results = all.map(|((path, found), space)| result(path, found, space, &wanted)).collect();
    DescribeLogDirsResponse { results, ..Default::default() }
}

/// The partitions that were asked for.
struct Wanted(Option<BTreeSet<(ByteString, i32)>>);

impl Wanted {
    fn new(topics: Option<&[DescribableLogDirTopic]>) -> Wanted {
        let pairs = |topic: &DescribableLogDirTopic| {
            let name = topic.topic.clone();
            topic.partitions.iter().map(move |index| (name.clone(), *index)).collect::<Vec<_>>()
        };
        Wanted(topics.map(|topics| topics.iter().flat_map(pairs).collect()))
    }

    fn has(&self, name: &ByteString, index: i32) -> bool {
        self.0.as_ref().is_none_or(|wanted| wanted.contains(&(name.clone(), index)))
    }
}

/// What all shards have in each directory; `None` where it is offline.
async fn look(cx: &Context) -> Vec<Option<Vec<InDirectory>>> {
    let mut all = cx.shard.in_directories();
    let others = (0..usize::from(cx.shard.shards)).filter(|owner| *owner != cx.shard.number);
    let asked: Vec<_> = others.map(|owner| cx.shard.ask(owner, Ask::Directories)).collect();
    for answer in futures::future::join_all(asked).await {
        let Ok(Answer::Directories(more)) = answer else { continue };
        let pairs = all.into_iter().zip(more);
        all = pairs
            .map(|(own, more)| own.zip(more).map(|(own, more)| [own, more].concat()))
            .collect();
    }
    all
}

fn result(
    path: &Path,
    found: Option<Vec<InDirectory>>,
    space: Option<(i64, i64)>,
    wanted: &Wanted,
) -> DescribeLogDirsResult {
    let log_dir = ByteString::from(absolute(path));
    let (Some(found), Some((total_bytes, usable_bytes))) = (found, space) else {
        let error_code = ErrorCode::KAFKA_STORAGE_ERROR;
        return DescribeLogDirsResult { error_code, log_dir, ..Default::default() };
    };
    let mut topics: BTreeMap<ByteString, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for found in found.into_iter().filter(|found| wanted.has(&found.topic, found.partition)) {
        topics.entry(found.topic).or_default().push(DescribeLogDirsPartition {
            partition_index: found.partition,
            partition_size: i64::try_from(found.bytes).unwrap_or(i64::MAX),
            offset_lag: found.lag,
            is_future_key: found.is_future,
        });
    }
    let topics = topics.into_iter();
    let topics = topics.map(|(name, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions }
    });
    DescribeLogDirsResult {
        error_code: ErrorCode::NONE,
        log_dir,
        topics: topics.collect(),
        total_bytes,
        usable_bytes,
        is_cordoned: false,
    }
}

/// Total and usable bytes of a file system. Blocks.
fn space(path: &PathBuf) -> Option<(i64, i64)> {
    let found = nix::sys::statvfs::statvfs(path).ok()?;
    let bytes = |blocks: u64| {
        i64::try_from(u128::from(blocks) * u128::from(found.fragment_size())).unwrap_or(i64::MAX)
    };
    Some((bytes(found.blocks()), bytes(found.blocks_available())))
}
