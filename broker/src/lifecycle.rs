//! How a shard begins, follows the metadata, and ends.
//!
//! - [`Shard::open`]: the log directory is recovered with the partitions placed here. What it returns must get a higher leader
//!   epoch before it is served: an unclean stop may have lost offsets that somebody read.
//! - [`Shard::begin`]: that is recorded. The log may forget what it said of the time before, and connections are accepted.
//! - [`Shard::apply`]: the shard does what a newer image asks for, created and deleted partitions, epochs and configs.
//! - [`Shard::stop`]: no new connection, no new request; what is in flight is finished; the log is drained into the segments.

use std::rc::Rc;
use std::sync::Arc;

use storage::runtime::ring::RingRuntime;
use storage::units::PartitionId;
use storage::{Advance, CheckpointLine, Closed, DirectoryLock, StoreName};

use crate::doors;
use crate::metadata::image::{Delta, Image, Topic};
use crate::partition::Partition;
use crate::shard::{Runtime, Shard};

impl Shard {
    /// Recovers the log directory. Returns the partitions that its log names after an unclean stop.
    pub(crate) async fn open(
        self: &Rc<Self>,
        image: Arc<Image>,
        lock: DirectoryLock,
    ) -> Result<Vec<PartitionId>, String> {
        let runtime = RingRuntime::new(self.ring.clone(), lock);
        let mut placed = Vec::new();
        for topic in image.topics() {
            let log = self.config.topic_config(&image, topic).log();
            placed.extend(
                self.own_partitions(topic).map(|id| (id, topic.name.to_string(), Arc::clone(&log))),
            );
        }
        let name = StoreName::Shard(u16::try_from(self.number).unwrap_or(u16::MAX));
        let opened = storage::Store::open(runtime, self.config.store(name), placed).await;
        let (store, report) = opened.map_err(|error| error.to_string())?;
        let weak = Rc::downgrade(self);
        store.on_advance(Rc::new(move |advances| {
            if let Some(shard) = weak.upgrade() {
                shard.advanced(advances);
            }
        }));
        if self.store.set(store).is_err() {
            return Err("the log directory is open already".to_owned());
        }
        let topics: Vec<_> = image.topics().map(Arc::clone).collect();
        self.set_image(image);
        for topic in topics {
            self.lead(&topic).await;
        }
        tracing::info!(shard = self.number, partitions = self.partitions.borrow().len(), %report, "log directory open");
        Ok(report.raise_epochs)
    }

    /// The raised epochs are in the metadata: accepts connections.
    pub(crate) fn begin(self: &Rc<Self>) -> Result<(), String> {
        if let Some(store) = self.store.get() {
            store.serve();
        }
        doors::open(self)
    }

    fn own_partitions(&self, topic: &Topic) -> impl Iterator<Item = PartitionId> {
        let id = topic.id;
        let all =
            topic.partitions().map(move |(partition, _)| PartitionId { topic: id, partition });
        let own: Vec<_> = all.filter(|id| self.owner(*id) == self.number).collect();
        own.into_iter()
    }

    /// Does what the newer image asks for.
    pub(crate) async fn apply(self: &Rc<Self>, image: Arc<Image>) {
        let delta = Delta::between(&self.image(), &image);
        self.set_image(Arc::clone(&image));
        for topic in &delta.deleted {
            self.forget(topic).await;
        }
        if !delta.deleted.is_empty() {
            self.free_names().await;
        }
        for topic in &delta.created {
            self.lead(topic).await;
        }
        for (topic, partition) in delta.partitions {
            self.follow_partition(&image, PartitionId { topic, partition }).await;
        }
        for resource in &delta.configs {
            if let Some(topic) = image.topic_by_name(&resource.name) {
                self.reconfigure(&image, topic);
            }
        }
    }

    /// Takes up the partitions of a topic that are placed here.
    async fn lead(self: &Rc<Self>, topic: &Topic) {
        for id in self.own_partitions(topic) {
            self.lead_partition(topic, id).await;
        }
    }

    async fn lead_partition(self: &Rc<Self>, topic: &Topic, id: PartitionId) {
        let Some(store) = self.store.get() else { return };
        let Some(state) = topic.partition(id.partition) else { return };
        // As Kafka's stop leaves it, until this start elects a leader.
        if !state.isr.contains(&self.config.node_id()) {
            return;
        }
        let config = self.config.topic_config(&self.image(), topic);
        let log = match store.log(id) {
            Some(log) => log,
            None => match store.create(id, &topic.name, config.log()).await {
                Ok(log) => log,
                Err(error) => {
                    tracing::error!(topic = %topic.name, partition = id.partition, %error, "the partition cannot be created");
                    return;
                }
            },
        };
        let partition = Partition::new(log, config, state, self.config.node_id());
        self.partitions.borrow_mut().insert(id, Rc::new(partition));
    }

    async fn follow_partition(self: &Rc<Self>, image: &Image, id: PartitionId) {
        let Some(topic) = image.topic(id.topic) else { return };
        if self.owner(id) != self.number {
            return;
        }
        match (self.partition(id), topic.partition(id.partition)) {
            (Some(partition), Some(state)) => partition.follow(state, self.config.node_id()),
            (None, Some(_)) => self.lead_partition(topic, id).await,
            (_, None) => {}
        }
    }

    fn reconfigure(&self, image: &Image, topic: &Topic) {
        let config = self.config.topic_config(image, topic);
        for id in self.own_partitions(topic) {
            if let (Some(partition), Some(store)) = (self.partition(id), self.store.get()) {
                store.set_config(id, config.log());
                partition.configure(Arc::clone(&config));
            }
        }
    }

    /// The topic is deleted: its fetches are told, its files go.
    async fn forget(self: &Rc<Self>, topic: &Topic) {
        let mut moved = Vec::new();
        for id in self.own_partitions(topic) {
            let partition = self.partitions.borrow_mut().remove(&id);
            if let Some(partition) = partition {
                partition.disturb(&mut moved);
            }
        }
        self.tell_moved(moved);
        let Some(store) = self.store.get() else { return };
        // Together: each deletion is an entry of the log, and one group carries them all.
        let deletions =
            self.own_partitions(topic).map(|id| async move { (id, store.delete(id).await) });
        for (id, deleted) in futures::future::join_all(deletions).await {
            if let Err(error) = deleted {
                tracing::error!(topic = %topic.name, partition = id.partition, %error, "the partition cannot be deleted");
            }
        }
    }

    /// A deletion is answered when the topic's name can be used again, by any shard.
    async fn free_names(&self) {
        let Some(store) = self.store.get() else { return };
        if let Err(error) = store.names_are_free().await {
            tracing::error!(%error, "the directories of deleted partitions keep their names");
        }
    }

    /// A group was completed: the watermarks follow.
    fn advanced(&self, advances: &[Advance]) {
        let mut moved = Vec::new();
        for advance in advances {
            if let Some(partition) = self.partition(advance.id) {
                partition.advance(advance.acknowledged, &mut moved);
            }
        }
        self.tell_moved(moved);
    }

    /// Finishes what is in flight and drains the log.
    pub(crate) async fn stop(self: &Rc<Self>) -> Result<Vec<CheckpointLine>, String> {
        self.stopping.set(true);
        doors::close(self).await;
        let Some(store) = self.store.get() else { return Ok(Vec::new()) };
        let closed = store.close().await.map_err(|error| error.to_string())?;
        let lines = closed.checkpoint_lines();
        *self.closed.borrow_mut() = Some(closed);
        Ok(lines)
    }

    /// The directory's marker is written: the manifest may say that it is clean.
    pub(crate) async fn seal(self: &Rc<Self>, marker: storage::Marker) -> Result<(), String> {
        let closed: Option<Closed<Runtime>> = self.closed.borrow_mut().take();
        match closed {
            Some(closed) => closed.seal(marker).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}
