//! The log directories, from what lies on the disk to what is served.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use storage::runtime::Runtime;
use storage::runtime::ring::RingRuntime;
use storage::units::{PartitionId, TopicId};
use storage::{LogDir, OpenError, Store};
use uuid::Uuid;

use super::{Worker, text};
use crate::clock;
use crate::config::Config;
use crate::controller::ledger::Ledger;
use crate::controller::places;
use crate::controller::store_log::{self, StoreLog};
use crate::directories::{InUse, LogDirectory};
use crate::metadata::directory::TOPIC;
use crate::metadata::image;
use crate::placement::shard_of;

impl Worker {
    pub(super) fn runtime(&self, directory: &LogDirectory) -> RingRuntime {
        RingRuntime::new(self.ring.clone(), &directory.lock)
    }

    /// The log directories beside the metadata's are made ready for their stores. Those that cannot be read or written are offline.
    pub(super) async fn open_directories(
        &self,
        ledger: &Ledger<StoreLog<RingRuntime>>,
    ) -> Result<(InUse, BTreeSet<usize>), String> {
        let me = self.own.config.node_id();
        let registered = ledger.image().broker(me).map(|broker| broker.directories.clone());
        let partitions = ledger.image().topics().flat_map(|topic| topic.partitions.iter());
        let holding: Vec<Uuid> = partitions
            .filter_map(|partition| partition.directory(me))
            .chain(registered.into_iter().flatten())
            .collect();
        let found = self.own.directories.clone();
        let in_use = found.complete(me, holding).map_err(text)?;
        let mut failed = BTreeSet::new();
        for (number, directory) in in_use.iter().enumerate() {
            let ready = match directory {
                Ok(directory) if directory.id == self.own.directories.metadata.id => Ok(()),
                Ok(directory) => self.open_directory(directory).await,
                Err((path, why)) => Err((true, format!("{}: {why}", path.display()))),
            };
            match ready {
                Ok(()) => {}
                Err((true, why)) => {
                    tracing::error!(why, "a log directory is offline, with the partitions in it");
                    failed.insert(number);
                }
                Err((false, why)) => return Err(why),
            }
        }
        Ok((in_use, failed))
    }

    /// An error says whether the others can do without the directory.
    async fn open_directory(&self, directory: &LogDirectory) -> Result<(), (bool, String)> {
        let runtime = self.runtime(directory);
        let failed = |error: std::io::Error| (true, error.to_string());
        runtime.lock(&directory.path).await.map_err(failed)?;
        let ready = async {
            self.settle_commit_logs(&runtime, directory).await?;
            self.take_over(&runtime, directory.whole()).await?;
            self.prepare(&runtime, directory.whole()).await
        };
        ready.await.map_err(|error| (is_io(&error), error.to_string()))
    }

    /// The commit logs of the directory's shards are where the configuration wants them from here on.
    pub(super) async fn settle_commit_logs(
        &self,
        runtime: &RingRuntime,
        directory: &LogDirectory,
    ) -> Result<(), OpenError> {
        let root = self.own.directories.commit.as_ref().map(|commit| &commit.root);
        let wanted = root.filter(|_| directory.commit_apart.is_some());
        let place = storage::settle(runtime, &directory.path, TopicId(directory.id), wanted);
        let place = place.await?;
        debug_assert_eq!(place, directory.whole().commit);
        Ok(())
    }

    /// Says in the metadata where each partition is, before it is opened there.
    pub(super) async fn settle(
        &self,
        ledger: &mut Ledger<StoreLog<RingRuntime>>,
        in_use: &InUse,
        failed: &BTreeSet<usize>,
    ) -> Result<(), String> {
        let (me, ids) = (self.own.config.node_id(), online(in_use, failed));
        if places::is_settled(ledger.image(), me, &ids) {
            return Ok(());
        }
        let (looked, of) = (Arc::clone(in_use), ids.clone());
        let found = glommio::executor().spawn_blocking(move || {
            let all = looked.iter().flatten();
            all.flat_map(|directory| {
                places::look(&directory.path).into_iter().map(|id| (id, directory.id))
            })
            .filter(|(_, id)| of.contains(id))
            .collect::<HashMap<_, _>>()
        });
        let found = found.await;
        let records = places::settle(ledger.image(), me, &ids, &found);
        if !records.is_empty() {
            ledger.commit(&records, clock::wall()).await.map_err(text)?;
        }
        Ok(())
    }

    /// Every store is open: from here on no directory is as the clean stop left it.
    pub(super) async fn begin_serving(
        &self,
        image: &image::Image,
        elsewhere: &[(usize, PartitionId)],
        in_use: &InUse,
        failed: &mut BTreeSet<usize>,
    ) -> Result<(), String> {
        let me = self.own.config.node_id();
        let topics: BTreeSet<TopicId> = image.topics().map(|topic| topic.id).collect();
        let metadata = &self.own.directories.metadata;
        let own = (store_log::ID, TOPIC);
        let is_beside = in_use.iter().flatten().all(|directory| directory.id != metadata.id);
        if is_beside {
            let runtime = self.runtime(metadata);
            let begun = storage::begin_serving(&runtime, &metadata.path, [own], &topics).await;
            begun.map_err(text)?;
        }
        for (number, directory) in in_use.iter().enumerate() {
            let Ok(directory) = directory else { continue };
            if failed.contains(&number) {
                continue;
            }
            let is_metadatas = directory.id == metadata.id;
            let left = elsewhere.iter().filter(|(place, _)| *place == number);
            let left = left.filter_map(|(_, id)| Some((*id, &*image.topic(id.topic)?.name)));
            let known = partitions_in(image, me, directory.id);
            let known = known.chain(left).chain(is_metadatas.then_some(own));
            let runtime = self.runtime(directory);
            let begun = storage::begin_serving(&runtime, &directory.path, known, &topics).await;
            if let Err(error) = begun {
                tracing::error!(%error, "a log directory is offline, with the partitions in it");
                failed.insert(number);
            }
        }
        Ok(())
    }

    pub(super) async fn take_over(
        &self,
        runtime: &RingRuntime,
        directory: LogDir<'_>,
    ) -> Result<(), OpenError> {
        let shards = self.own.config.shards();
        let owner = |id| u16::try_from(shard_of(id, shards)).unwrap_or(0);
        let holds_metadata = directory.path == self.own.config.metadata_directory();
        let adopted = storage::adopt(runtime, directory, shards, owner, holds_metadata).await?;
        if let Some(partitions) = adopted {
            tracing::info!(directory = %directory.path.display(), partitions, "what Kafka has written was taken over");
        }
        Ok(())
    }

    /// What was decided of the directory is carried out, and it is made one of as many shards as there are now. No store of it is open yet.
    pub(super) async fn prepare(
        &self,
        runtime: &RingRuntime,
        directory: LogDir<'_>,
    ) -> Result<(), OpenError> {
        let shards = self.own.config.shards();
        let owner = |id| u16::try_from(shard_of(id, shards)).unwrap_or(0);
        let old = storage::reshard(runtime, directory, shards, owner).await?;
        if let Some(old) = old {
            tracing::info!(
                from = old,
                to = shards,
                "partitions were dealt out to another number of shards"
            );
        }
        Ok(())
    }
}

pub(super) async fn open_store(
    runtime: RingRuntime,
    config: &Config,
    directory: LogDir<'_>,
) -> Result<(Store<RingRuntime>, storage::Log<RingRuntime>), String> {
    let log_config = store_log::log_config(config);
    let placed = vec![(store_log::ID, TOPIC.to_owned(), Arc::clone(&log_config))];
    let opened = Store::open(runtime, store_log::options(config, directory), placed).await;
    let (store, report) = opened.map_err(text)?;
    tracing::debug!(%report, "the metadata log's directory is open");
    let log = match store.log(store_log::ID) {
        Some(log) => log,
        None => store.create(store_log::ID, TOPIC, log_config).await.map_err(text)?,
    };
    Ok((store, log))
}

/// Every partition that this node has in a directory, with its topic's name.
fn partitions_in(
    image: &image::Image,
    me: i32,
    directory: Uuid,
) -> impl Iterator<Item = (PartitionId, &str)> {
    image.topics().flat_map(move |topic| {
        let here =
            topic.partitions().filter(move |(_, state)| state.directory(me) == Some(directory));
        here.map(|(partition, _)| (PartitionId { topic: topic.id, partition }, &*topic.name))
    })
}

/// The ids of the directories that are online, in the order of `log.dirs`.
pub(super) fn online(in_use: &InUse, failed: &BTreeSet<usize>) -> Vec<Uuid> {
    let all = in_use.iter().enumerate().filter(|(number, _)| !failed.contains(number));
    all.filter_map(|(_, directory)| Some(directory.as_ref().ok()?.id)).collect()
}

fn is_io(error: &OpenError) -> bool {
    matches!(error, OpenError::Io { .. })
}
