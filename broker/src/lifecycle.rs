//! How a shard begins, follows the metadata, and ends.
//!
//! - [`Shard::open`]: the log directories are recovered with the partitions placed here, each with those that are in it. What it returns must get a higher leader
//!   epoch before it is served: an unclean stop may have lost offsets that somebody read.
//! - [`Shard::begin`]: that is recorded. The log may forget what it said of the time before, and connections are accepted.
//! - [`Shard::apply`]: the shard does what a newer image asks for, created and deleted partitions, epochs and configs.
//! - [`Shard::leave`]: a log directory has failed. Its partitions are served no more, the others go on (KIP-112).
//! - [`Shard::stop`]: no new connection, no new request; what is in flight is finished; the log is drained into the segments.

use std::rc::Rc;
use std::sync::Arc;

use storage::runtime::ring::RingRuntime;
use storage::units::PartitionId;
use storage::{Advance, CheckpointLine, Closed, OpenError, StoreName};

use crate::controller::ControllerRequest;
use crate::directories::{InUse, LogDirectory};
use crate::doors;
use crate::message::Opened;
use crate::metadata::image::{ConfigResource, Delta, Image, Topic};
use crate::partition::Partition;
use crate::shard::{Place, Runtime, Shard};

impl Shard {
    /// Recovers the log directories. A directory of Kafka's, or one that is not as it was left, ends the start; one that cannot be
    /// read is left out.
    pub(crate) async fn open(
        self: &Rc<Self>,
        image: Arc<Image>,
        directories: &InUse,
    ) -> Result<Opened, String> {
        self.set_in_force(self.config.under(&image));
        let mut found = Opened::default();
        let mut places = Vec::with_capacity(directories.len());
        for (number, directory) in directories.iter().enumerate() {
            let Ok(directory) = directory else {
                places.push(None);
                continue;
            };
            match self.open_place(&image, number, directory).await {
                Ok((place, raise_epochs)) => {
                    found.elsewhere.extend(place.elsewhere.iter().map(|id| (number, *id)));
                    places.push(Some(place));
                    found.raise_epochs.extend(raise_epochs);
                }
                Err(error @ OpenError::Io { .. }) => {
                    places.push(None);
                    found.failed.push((number, error.to_string()));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        if self.places.set(places).is_err() {
            return Err("the log directories are open already".to_owned());
        }
        let topics: Vec<_> = image.topics().map(Arc::clone).collect();
        self.quotas.apply(&image);
        self.telemetry.apply(&image);
        self.set_image(image);
        for topic in topics {
            self.lead(&topic).await;
        }
        // What a move has not copied yet must stay until it has.
        for (number, id) in &found.elsewhere {
            let future = self.place(*number).and_then(|place| place.store.log(*id));
            if let Some(partition) = self.partition(*id)
                && future.is_some_and(|log| log.is_future())
            {
                partition.log().keep();
            }
        }
        Ok(found)
    }

    async fn open_place(
        self: &Rc<Self>,
        image: &Image,
        number: usize,
        directory: &LogDirectory,
    ) -> Result<(Place, Vec<PartitionId>), OpenError> {
        let runtime = RingRuntime::new(self.ring.clone(), &directory.lock);
        let (me, config) = (self.config.node_id(), self.in_force());
        let (mut placed, mut elsewhere) = (Vec::new(), Vec::new());
        for topic in image.topics() {
            let log = config.topic_config(image, topic).log();
            let is_here = |id: &PartitionId| {
                topic.partition(id.partition).and_then(|state| state.directory(me))
                    == Some(directory.id)
            };
            let (here, others): (Vec<_>, Vec<_>) = self.own_partitions(topic).partition(is_here);
            let named = |id: PartitionId| (id, topic.name.to_string(), Arc::clone(&log));
            placed.extend(here.into_iter().map(named));
            elsewhere.extend(others.into_iter().map(named));
        }
        let name = StoreName::Shard(u16::try_from(self.number).unwrap_or(u16::MAX));
        let (partitions, options) = (placed.len(), config.store(name, directory.whole()));
        let opened = storage::Store::open_among(runtime, options, placed, elsewhere).await?;
        let (store, report) = opened;
        let weak = Rc::downgrade(self);
        store.on_advance(Rc::new(move |advances| {
            if let Some(shard) = weak.upgrade() {
                shard.advanced(number, advances);
            }
        }));
        let weak = Rc::downgrade(self);
        let shares_device = directory.commit_apart.is_some();
        store.on_offline(Rc::new(move |offline| {
            let Some(shard) = weak.upgrade() else { return };
            let log_failed = |place: &Place| place.store.commit_log_failed();
            if shares_device && shard.place(number).is_some_and(log_failed) {
                shard.commit_logs_failed(&offline.0);
            } else {
                shard.directory_failed(number, offline.0.clone());
            }
        }));
        tracing::info!(shard = self.number, directory = %directory.path.display(), partitions, %report, "log directory open");
        // Those that are elsewhere are served from there.
        let elsewhere = report.elsewhere;
        let raise_epochs =
            report.raise_epochs.into_iter().filter(|id| !elsewhere.contains(id)).collect();
        Ok((Place { directory: directory.clone(), store, elsewhere }, raise_epochs))
    }

    /// The raised epochs are in the metadata: accepts connections.
    pub(crate) fn begin(self: &Rc<Self>) -> Result<(), String> {
        self.online().for_each(|place| place.store.serve());
        self.resume_moves();
        self.load_coordinators();
        doors::open(self)
    }

    /// The directories that have not failed.
    fn online(&self) -> impl Iterator<Item = &Place> {
        let all = self.places.get().into_iter().flatten().flatten();
        all.filter(|place| place.store.offline().is_none())
    }

    /// A write or a sync in a directory failed: the controller tells every shard.
    fn directory_failed(self: &Rc<Self>, number: usize, why: String) {
        let shard = Rc::clone(self);
        self.spawn(async move {
            shard.leave(number);
            // It is answered when everybody follows, or by nobody when the node stops.
            let _ = shard.controller(ControllerRequest::DirectoryFailed { number, why }).await;
        });
    }

    /// The device of all commit logs failed, and with it every log directory: none can acknowledge anything any more.
    fn commit_logs_failed(self: &Rc<Self>, why: &str) {
        let all = self.places.get().map_or(0, Vec::len);
        let online = (0..all).filter(|number| self.place(*number).is_some());
        online.for_each(|number| self.directory_failed(number, why.to_owned()));
    }

    /// The partitions in a directory are served no more: their fetches are told, and find an error.
    pub(crate) fn leave(&self, number: usize) {
        let is_in = |partition: &Rc<Partition>| partition.directory() == number;
        let left: Vec<_> =
            self.partitions.borrow_mut().extract_if(|_, partition| is_in(partition)).collect();
        self.hosts.close_in(number);
        self.state_hosts.close_in(number);
        self.share_partitions_left(|id| left.iter().any(|(gone, _)| *gone == id));
        let mut moved = Vec::new();
        left.iter().for_each(|(_, partition)| partition.disturb(&mut moved));
        self.tell_moved(moved);
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
        let brokers = delta.configs.iter().any(|resource| self.config.obeys(resource));
        if brokers {
            self.set_in_force(self.config.under(&image));
        }
        self.hosts.all().iter().for_each(|host| host.configured(self, &delta));
        self.state_hosts.all().iter().for_each(|host| host.configured(self, &delta));
        if delta.quotas {
            self.quotas.apply(&image);
        }
        if delta.configs.iter().any(|resource| resource.kind == ConfigResource::CLIENT_METRICS) {
            self.telemetry.apply(&image);
        }
        for topic in &delta.deleted {
            self.forget(topic).await;
        }
        if !delta.deleted.is_empty() {
            self.forget_offsets(&delta.deleted);
            self.free_names().await;
        }
        for topic in &delta.created {
            self.lead(topic).await;
        }
        for (topic, partition) in delta.partitions {
            self.follow_partition(&image, PartitionId { topic, partition }).await;
        }
        if brokers {
            self.reconfigure_all(&image);
            return;
        }
        let topics = delta.configs.iter().filter(|resource| resource.kind == ConfigResource::TOPIC);
        for topic in topics.filter_map(|resource| image.topic_by_name(&resource.name)) {
            self.reconfigure(&image, topic);
        }
    }

    /// The brokers' configuration changed, and with it what topics have of it.
    fn reconfigure_all(&self, image: &Image) {
        let config = self.in_force();
        for place in self.online() {
            place.store.set_cleaner(config.store_cleaner());
            place.store.set_producer_expiration(config.producer_id_expiration_ms);
        }
        doors::limit(self, config.connections.clone());
        image.topics().for_each(|topic| self.reconfigure(image, topic));
    }

    /// Takes up the partitions of a topic that are placed here.
    async fn lead(self: &Rc<Self>, topic: &Topic) {
        for id in self.own_partitions(topic) {
            self.lead_partition(topic, id).await;
        }
    }

    async fn lead_partition(self: &Rc<Self>, topic: &Topic, id: PartitionId) {
        let Some(state) = topic.partition(id.partition) else { return };
        let Some((number, place)) = self.place_of(state) else { return };
        let store = &place.store;
        // As Kafka's stop leaves it, until this start elects a leader.
        if !state.isr.contains(&self.config.node_id()) {
            return;
        }
        let config = self.in_force().topic_config(&self.image(), topic);
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
        let node = self.config.node_id();
        let partition = Rc::new(Partition::new(log, number, config, state, node));
        self.partitions.borrow_mut().insert(id, Rc::clone(&partition));
        self.coordinate(id, &topic.name, &partition);
    }

    async fn follow_partition(self: &Rc<Self>, image: &Image, id: PartitionId) {
        let Some(topic) = image.topic(id.topic) else { return };
        if self.owner(id) != self.number {
            return;
        }
        match (self.partition(id), topic.partition(id.partition)) {
            (Some(partition), Some(state)) => {
                if state.leader_epoch != partition.epoch() {
                    self.share_partitions_left(|left| left == id);
                }
                partition.follow(state, self.config.node_id());
            }
            (None, Some(_)) => self.lead_partition(topic, id).await,
            (_, None) => {}
        }
    }

    fn reconfigure(&self, image: &Image, topic: &Topic) {
        let config = self.in_force().topic_config(image, topic);
        for id in self.own_partitions(topic) {
            self.online().for_each(|place| place.store.set_config(id, config.log()));
            if let Some(partition) = self.partition(id) {
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
            self.hosts.close(id);
            self.state_hosts.close(id);
        }
        self.share_partitions_left(|id| id.topic == topic.id);
        self.tell_moved(moved);
        // Together: each deletion is an entry of the log, and one group carries them all.
        let all: Vec<PartitionId> = self.own_partitions(topic).collect();
        let deletions = self.online().flat_map(|place| {
            let here = all.iter().filter(|id| place.store.log(**id).is_some());
            here.map(|id| async { (*id, place.store.delete(*id).await) })
        });
        for (id, deleted) in futures::future::join_all(deletions).await {
            if let Err(error) = deleted {
                tracing::error!(topic = %topic.name, partition = id.partition, %error, "the partition cannot be deleted");
            }
        }
    }

    /// What coordinators keep of deleted topics goes with them.
    fn forget_offsets(self: &Rc<Self>, topics: &[Arc<Topic>]) {
        let deleted: Vec<_> = topics.iter().map(|topic| (topic.name.clone(), topic.id.0)).collect();
        self.hosts.all().iter().for_each(|host| host.topics_deleted(self, &deleted));
        self.state_hosts.all().iter().for_each(|host| host.topics_deleted(self, &deleted));
    }

    /// A deletion is answered when the topic's name can be used again, by any shard.
    async fn free_names(&self) {
        for place in self.online() {
            if let Err(error) = place.store.names_are_free().await {
                tracing::error!(directory = %place.directory.path.display(), %error, "the directories of deleted partitions keep their names");
            }
        }
    }

    /// A group was completed: the watermarks follow.
    fn advanced(&self, number: usize, advances: &[Advance]) {
        let mut moved = Vec::new();
        for advance in advances {
            if let Some(partition) =
                self.partition(advance.id).filter(|partition| partition.directory() == number)
            {
                partition.advance(advance.acknowledged, &mut moved);
            }
        }
        self.tell_moved(moved);
    }

    /// Finishes what is in flight and drains the logs. `None` for a directory that is offline, or goes offline now.
    pub(crate) async fn stop(self: &Rc<Self>) -> Vec<Option<Vec<CheckpointLine>>> {
        self.stopping.set(true);
        // Who waits for a group is told to ask elsewhere: else connections would not end.
        self.hosts.close_all();
        self.state_hosts.close_all();
        self.parked.end();
        doors::close(self).await;
        let places = self.places.get().map(Vec::as_slice).unwrap_or_default();
        let closes = places.iter().map(|place| async move {
            let place = place.as_ref()?;
            match place.store.close().await {
                Ok(closed) => Some(closed),
                Err(error) => {
                    tracing::error!(shard = self.number, directory = %place.directory.path.display(), %error, "the log could not be drained: the next start recovers it");
                    None
                }
            }
        });
        let closed = futures::future::join_all(closes).await;
        let lines = closed.iter().map(|closed| Some(closed.as_ref()?.checkpoint_lines())).collect();
        *self.closed.borrow_mut() = closed;
        lines
    }

    /// The directories' markers are written: the manifests may say that they are clean.
    pub(crate) async fn seal(
        self: &Rc<Self>,
        markers: Vec<Option<storage::Marker>>,
    ) -> Result<(), String> {
        let closed: Vec<Option<Closed<Runtime>>> = std::mem::take(&mut *self.closed.borrow_mut());
        let pairs =
            closed.into_iter().zip(markers).filter_map(|(closed, marker)| closed.zip(marker));
        let seals = pairs.map(|(closed, marker)| closed.seal(marker));
        let sealed = futures::future::join_all(seals).await.into_iter().collect::<Result<(), _>>();
        sealed.map_err(|error| error.to_string())
    }
}
