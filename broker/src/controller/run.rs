//! The controller's executor: a loop that takes what arrives, and a task that does what is asked, one thing after another.
//!
//! Start (`Ask::Serve` from the node): open the log, win the election, settle in which directory each partition is, have every shard open
//! the log directories with the image, register the broker and raise the epochs of what was stopped uncleanly, have every shard follow and listen.
//! A failed log directory: every shard leaves it, its partitions lose their leader, the registration names the others. Without the
//! metadata's directory, or without any other, the node ends, as Kafka's does.
//! Stop (`Ask::Stop`): the shards stop and drain; the fence is written; the store is drained; the directories' markers are written;
//! every store seals its manifest under its own.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::join_all;
use net::mesh::Endpoint;
use ring::Ring;
use storage::runtime::Runtime;
use storage::runtime::ring::RingRuntime;
use storage::units::{PartitionId, TopicId};
use storage::{CheckpointLine, LogDir, Marker, OpenError, Store};
use uuid::Uuid;

use super::desk::{Desk, Followers};
use super::dice::Dice;
use super::kafka_log::KafkaLog;
use super::ledger::{Ledger, Site, SnapshotRules};
use super::places;
use super::registration::{self, Registration};
use super::servable;
use super::store_log::{self, StoreLog};
use super::{ControllerAnswer, ControllerRequest};
use crate::calls::Calls;
use crate::clock;
use crate::config::Config;
use crate::directories::{Directories, InUse, LogDirectory};
use crate::guard::Pulse;
use crate::message::{Answer, Ask, Message, Opened};
use crate::metadata::directory::{MetadataDirectory, TOPIC};
use crate::metadata::image;
use crate::metadata::records::control::VoterEndpoint;
use crate::metrics::Sample;
use crate::placement::shard_of;

/// What the executor is given by the node.
pub struct Own {
    pub config: Arc<Config>,
    pub directories: Directories,
    /// Told when the node cannot go on.
    pub on_fatal: OnFatal,
    /// Names and addresses of the listeners, as bound.
    pub listeners: Vec<(String, SocketAddr)>,
    pub pulse: Arc<Pulse>,
}

/// What is done when the node cannot go on, with the reason.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// Returns after `Message::Leave`.
pub async fn run(own: Own, ring: Ring, endpoint: Rc<Endpoint<Message>>) {
    let calls = Rc::new(Calls::new(Rc::clone(&endpoint), endpoint.executors()));
    // Bounded by the questions that each peer may have out.
    let (jobs, waiting) = mpsc::unbounded();
    let worker = Worker { own, ring, calls: Rc::clone(&calls), state: State::Idle };
    let worker = glommio::spawn_local(worker.work(waiting));
    let pump = glommio::spawn_local(pump(Rc::clone(&calls)));
    loop {
        let (from, message) = endpoint.recv().await;
        match message {
            Message::Ask { id, ask } => {
                // The worker ends only with this loop.
                let _ = jobs.unbounded_send(Job { from, id, ask });
            }
            Message::Answer { id, answer } => calls.answered(from, id, answer),
            Message::Leave => break,
            Message::Watch { .. }
            | Message::Unwatch { .. }
            | Message::Share(_)
            | Message::Moved { .. }
            | Message::Group { .. } => {
                tracing::error!(from, "a message for a shard came to the controller");
            }
        }
        calls.pump(from);
    }
    drop(jobs);
    worker.await;
    pump.cancel().await;
}

async fn pump(calls: Rc<Calls>) {
    calls.drive(glommio::timer::sleep).await;
}

/// A question that waits for its turn.
struct Job {
    from: usize,
    id: u32,
    ask: Ask,
}

type Serving = Desk<StoreLog<RingRuntime>, Shards>;

enum State {
    Idle,
    Serving(Box<Served>),
    /// Not to be started any more.
    Stopped,
}

struct Served {
    desk: Serving,
    store: Store<RingRuntime>,
    site: Site,
    in_use: InUse,
    /// By their place in `log.dirs`.
    failed: BTreeSet<usize>,
}

struct Worker {
    own: Own,
    ring: Ring,
    calls: Rc<Calls>,
    state: State,
}

impl Worker {
    async fn work(mut self, mut waiting: mpsc::UnboundedReceiver<Job>) {
        while let Some(Job { from, id, ask }) = waiting.next().await {
            let in_flight = self.own.pulse.begin();
            if let Some(answer) = self.answer(ask).await {
                self.calls.post(from, Message::Answer { id, answer });
            }
            if let State::Serving(served) = &mut self.state {
                served.desk.tidy(clock::wall()).await;
            }
            drop(in_flight);
        }
    }

    /// None for what is not for a controller.
    async fn answer(&mut self, ask: Ask) -> Option<Answer> {
        match ask {
            Ask::Control(request) => match (&mut self.state, *request) {
                (State::Serving(served), ControllerRequest::DirectoryFailed { number, why }) => {
                    served.directory_failed(number, &why, &self.own.on_fatal).await;
                    Some(Answer::Control(Box::new(ControllerAnswer::DirectoryFailed)))
                }
                (State::Serving(served), request) => {
                    let answer = served.desk.answer(request, clock::wall()).await;
                    Some(Answer::Control(Box::new(answer)))
                }
                (State::Idle | State::Stopped, _) => {
                    let unwritten =
                        super::refusal::Unwritten::Offline("the node is stopping".into());
                    let answer = super::ControllerAnswer::Unwritten(unwritten);
                    Some(Answer::Control(Box::new(answer)))
                }
            },
            Ask::Serve => {
                let served = self.serve().await;
                if let Err(error) = &served {
                    tracing::error!(error, "the node cannot be started");
                }
                Some(Answer::Serving(served))
            }
            Ask::Stop => Some(Answer::Sealed(self.stop().await)),
            Ask::Samples => Some(Answer::Samples(self.samples())),
            Ask::Append(_)
            | Ask::Read(_)
            | Ask::Offsets(_)
            | Ask::EpochEnds(_)
            | Ask::DeleteRecords(_)
            | Ask::Producers(_)
            | Ask::Spend { .. }
            | Ask::Telemetry(_)
            | Ask::Open(..)
            | Ask::Group(_)
            | Ask::ShareState(_)
            | Ask::Share(_)
            | Ask::Apply(_)
            | Ask::Fail(..)
            | Ask::Move(_)
            | Ask::Directories
            | Ask::Seal(_) => {
                tracing::error!("a question for a shard came to the controller");
                None
            }
        }
    }

    async fn serve(&mut self) -> Result<(), String> {
        let now = clock::wall();
        let site = site(&self.own);
        let runtime = self.runtime(&self.own.directories.metadata);
        let log_directory = self.own.directories.metadata.whole();
        self.settle_commit_logs(&runtime, &self.own.directories.metadata).await.map_err(text)?;
        if let Some((start, bytes)) =
            storage::metadata_of_kafka(&runtime, log_directory).await.map_err(text)?
        {
            // What is refused is left as it is.
            let directory = MetadataDirectory::open(log_directory.path).map_err(text)?;
            let log = KafkaLog::new(start, bytes);
            let image = Ledger::look(&log, &directory, &site).await.map_err(text)?;
            servable::check(&image, &site, &self.own.config)?;
            self.take_over(&runtime, log_directory).await.map_err(text)?;
        }
        self.prepare(&runtime, log_directory).await.map_err(text)?;
        let (store, log) = open_store(runtime.clone(), &self.own.config, log_directory).await?;
        let directory = MetadataDirectory::open(log_directory.path).map_err(text)?;
        let log = StoreLog::new(runtime, log);
        let mut ledger = Ledger::open(log, directory, &site, now).await.map_err(text)?;
        tracing::info!(
            epoch = %ledger.epoch(), offset = %ledger.image().position().offset, topics = ledger.image().topic_count(),
            partitions = ledger.image().partition_count(), "metadata is open"
        );
        servable::check(ledger.image(), &site, &self.own.config)?;
        let shards =
            Shards { calls: Rc::clone(&self.calls), count: usize::from(self.own.config.shards()) };
        let (in_use, mut failed) = self.open_directories(&ledger).await?;
        self.settle(&mut ledger, &in_use, &failed).await?;
        let image = Arc::new(ledger.image().clone());
        let opened = shards.open(Arc::clone(&image), &in_use, &mut failed).await?;
        let unclean = opened.raise_epochs;
        self.begin_serving(&image, &opened.elsewhere, &in_use, &mut failed).await?;
        for number in &failed {
            shards.fail(*number, "it could not be opened").await?;
        }
        let online = online(&in_use, &failed);
        if online.is_empty() {
            return Err("every one of log.dirs is offline: see the log for each of them".to_owned());
        }
        // The metadata log's own epoch was raised by the election. Those of the shards are with the registration, before they serve.
        store.serve();
        let dice = Dice::new();
        let registration = registration(&self.own, online);
        let (records, epoch) = registration::start(
            ledger.image(),
            &site,
            &registration,
            &unclean,
            ledger.next_offset(),
        );
        let mut desk = Desk::new(ledger, shards, Arc::clone(&self.own.config), dice, epoch);
        desk.write(&records, now).await.map_err(text)?;
        desk.followers.serve().await?;
        let fatal = Arc::clone(&self.own.on_fatal);
        store.on_offline(Rc::new(move |offline| fatal(&lost_metadata(&offline.0))));
        self.state = State::Serving(Box::new(Served { desk, store, site, in_use, failed }));
        Ok(())
    }

    fn runtime(&self, directory: &LogDirectory) -> RingRuntime {
        RingRuntime::new(self.ring.clone(), &directory.lock)
    }

    /// The log directories beside the metadata's are made ready for their stores. Those that cannot be read or written are offline.
    async fn open_directories(
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
    async fn settle_commit_logs(
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
    async fn settle(
        &self,
        ledger: &mut Ledger<StoreLog<RingRuntime>>,
        in_use: &InUse,
        failed: &BTreeSet<usize>,
    ) -> Result<(), String> {
        let (me, online) = (self.own.config.node_id(), online(in_use, failed));
        if places::is_settled(ledger.image(), me, &online) {
            return Ok(());
        }
        let looked = Arc::clone(in_use);
        let found = glommio::executor().spawn_blocking(move || {
            let all = looked.iter().flatten();
            all.flat_map(|directory| {
                places::look(&directory.path).into_iter().map(|id| (id, directory.id))
            })
            .filter(|(_, id)| online.contains(id))
            .collect::<HashMap<_, _>>()
        });
        let found = found.await;
        let online = self::online(in_use, failed);
        let records = places::settle(ledger.image(), me, &online, &found);
        if !records.is_empty() {
            ledger.commit(&records, clock::wall()).await.map_err(text)?;
        }
        Ok(())
    }

    /// Every store is open: from here on no directory is as the clean stop left it.
    async fn begin_serving(
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

    async fn take_over(
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
    async fn prepare(&self, runtime: &RingRuntime, directory: LogDir<'_>) -> Result<(), OpenError> {
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

    async fn stop(&mut self) -> Result<(), String> {
        let count = usize::from(self.own.config.shards());
        let shards = Shards { calls: Rc::clone(&self.calls), count };
        let stopped = shards.stop().await;
        let State::Serving(served) = std::mem::replace(&mut self.state, State::Stopped) else {
            return stopped.map(drop);
        };
        let Served { mut desk, store, site, in_use, .. } = *served;
        // The shards have stopped: nobody is left to follow.
        let records = registration::stop(desk.ledger.image(), &site, desk.broker_epoch());
        desk.ledger.commit(&records, clock::wall()).await.map_err(text)?;
        let epoch = desk.broker_epoch();
        drop(desk);
        let closed = store.close().await.map_err(text)?;
        // Where a shard could not drain, the directory is not marked: the next start recovers it.
        let mut lines = stopped?;
        let metadata = self.own.directories.metadata.clone();
        let places = |number: usize| in_use.get(number).and_then(|place| place.as_ref().ok());
        let own = (0..in_use.len())
            .find(|number| places(*number).is_some_and(|directory| directory.id == metadata.id));
        let mut markers = Vec::with_capacity(lines.len());
        for (number, lines) in
            lines.iter_mut().enumerate().filter(|(number, _)| Some(*number) != own)
        {
            let marked = match (places(number), lines.take()) {
                (Some(directory), Some(lines)) => Some(mark(&directory.path, epoch, lines).await),
                _ => None,
            };
            markers.push((number, marked.transpose()?));
        }
        // The metadata's directory may be none of log.dirs. Its marker says that all of it was drained.
        let own_lines = match own {
            Some(number) => lines.get_mut(number).and_then(Option::take),
            None => Some(Vec::new()),
        };
        let marker = match own_lines {
            Some(lines) => Some(mark(&metadata.path, epoch, lines).await?),
            None => None,
        };
        markers.extend(own.map(|number| (number, marker.clone())));
        markers.sort_by_key(|(number, _)| *number);
        shards.seal(markers.into_iter().map(|(_, marker)| marker).collect()).await?;
        match marker {
            Some(marker) => closed.seal(marker).await.map_err(text),
            None => Err(format!(
                "{} could not be drained: the next start recovers it",
                metadata.path.display()
            )),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let rescues = "Wakes by the guard that found an executor with work that had not turned.";
        let rescues =
            Sample::counter("odradek_guard_rescues_total", rescues, self.own.pulse.rescues());
        let mut samples = vec![rescues.with("executor", "controller")];
        if let State::Serving(served) = &self.state {
            let image = served.desk.ledger.image();
            let gauge = |name, help, value: usize| Sample::gauge(name, help, value as f64);
            samples.push(gauge("odradek_topics", "Topics of the cluster.", image.topic_count()));
            let partitions = "Partitions of the cluster.";
            samples.push(gauge("odradek_partitions", partitions, image.partition_count()));
            let offset = usize::try_from(image.position().offset.0).unwrap_or(0);
            let last = "Offset of the last record in the metadata image.";
            samples.push(gauge("odradek_metadata_last_offset", last, offset));
        }
        samples
    }
}

async fn open_store(
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
fn online(in_use: &InUse, failed: &BTreeSet<usize>) -> Vec<Uuid> {
    let all = in_use.iter().enumerate().filter(|(number, _)| !failed.contains(number));
    all.filter_map(|(_, directory)| Some(directory.as_ref().ok()?.id)).collect()
}

fn is_io(error: &OpenError) -> bool {
    matches!(error, OpenError::Io { .. })
}

/// Writes a directory's checkpoints and the marker of its clean stop.
async fn mark(path: &Path, epoch: i64, lines: Vec<CheckpointLine>) -> Result<Marker, String> {
    let path = path.to_owned();
    let marked =
        glommio::executor().spawn_blocking(move || storage::write_marker(&path, epoch, &lines));
    marked.await.map_err(text)
}

fn lost_metadata(why: &str) -> String {
    format!(
        "the directory of the metadata log has failed: {why}. Nothing that was acknowledged is lost if the device comes back"
    )
}

impl Served {
    /// See the head of the file.
    async fn directory_failed(&mut self, number: usize, why: &str, on_fatal: &OnFatal) {
        let Some(Ok(directory)) = self.in_use.get(number) else { return };
        if !self.failed.insert(number) {
            return;
        }
        let (path, id) = (directory.path.display().to_string(), directory.id);
        if id == self.site.directory_id {
            return on_fatal(&lost_metadata(why));
        }
        let online = online(&self.in_use, &self.failed);
        if online.is_empty() {
            return on_fatal(&format!(
                "the last log directory that was online, {path}, has failed: {why}"
            ));
        }
        tracing::error!(
            directory = path,
            why,
            "a log directory has failed: its partitions are offline, the others are served"
        );
        if let Err(error) = self.desk.followers.fail(number, why).await {
            tracing::error!(error, "a shard does not leave the failed directory");
        }
        let image = self.desk.ledger.image();
        let records = registration::failed(image, &self.site, self.desk.broker_epoch(), id, online);
        if let Err(error) = self.desk.write(&records, clock::wall()).await {
            tracing::error!(%error, directory = path, "the metadata does not say that the directory has failed");
        }
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Who this node is.
fn site(own: &Own) -> Site {
    let config = &own.config;
    let endpoint = |listener: &crate::config::Listener| VoterEndpoint {
        name: listener.name.as_str().into(),
        host: if listener.host.is_empty() {
            "localhost".into()
        } else {
            listener.host.as_str().into()
        },
        port: listener.port,
    };
    Site {
        node_id: config.node_id(),
        cluster_id: own.directories.identity.cluster_id.clone(),
        directory_id: own.directories.metadata.id,
        endpoints: config.controller_listeners.iter().map(endpoint).collect(),
        snapshots: SnapshotRules {
            bytes: u64::try_from(config.metadata.snapshot_bytes).unwrap_or(u64::MAX),
            interval_ms: config.metadata.snapshot_ms,
        },
    }
}

/// What the broker tells clients of itself.
fn registration(own: &Own, directories: Vec<Uuid>) -> Registration {
    let endpoint = |(name, bound): &(String, SocketAddr)| {
        let (host, port) = own.config.advertised(name, bound.port())?;
        let (name, host) = (name.as_str().into(), host.into());
        Some(image::Endpoint { name, host, port, security_protocol: 0 })
    };
    Registration {
        endpoints: own.listeners.iter().filter_map(endpoint).collect(),
        rack: own.config.rack.clone(),
        directories,
        incarnation: Dice::new().id(),
    }
}

/// The shards, all of them asked at once.
struct Shards {
    calls: Rc<Calls>,
    count: usize,
}

impl Shards {
    async fn ask_all(&self, ask: impl Fn() -> Ask) -> Result<Vec<Answer>, String> {
        let asked: Vec<_> = (0..self.count).map(|shard| self.calls.ask(shard, ask())).collect();
        join_all(asked).await.into_iter().collect::<Result<_, _>>().map_err(text)
    }

    /// Returns the partitions whose logs were stopped uncleanly. Directories that some shard could not open have failed.
    async fn open(
        &self,
        image: Arc<image::Image>,
        in_use: &InUse,
        failed: &mut BTreeSet<usize>,
    ) -> Result<Opened, String> {
        // Those that have failed already are not tried.
        let tried = in_use.iter().enumerate().map(|(number, directory)| match directory {
            Ok(directory) if failed.contains(&number) => {
                Err((directory.path.clone(), "it is offline".to_owned()))
            }
            other => other.clone(),
        });
        let tried: InUse = tried.collect();
        let mut all = Opened::default();
        for answer in self.ask_all(|| Ask::Open(Arc::clone(&image), Arc::clone(&tried))).await? {
            let Answer::Opened(opened) = answer else { return Err(OTHER.to_owned()) };
            let opened = opened?;
            all.raise_epochs.extend(opened.raise_epochs);
            all.elsewhere.extend(opened.elsewhere);
            for (number, why) in opened.failed {
                tracing::error!(why, "a log directory is offline, with the partitions in it");
                failed.insert(number);
            }
        }
        Ok(all)
    }

    /// Every shard leaves a directory.
    async fn fail(&self, number: usize, why: &str) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Fail(number, why.to_owned())).await? {
            let Answer::Failed = answer else { return Err(OTHER.to_owned()) };
        }
        Ok(())
    }

    async fn serve(&self) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Serve).await? {
            match answer {
                Answer::Serving(serving) => serving?,
                _ => return Err(OTHER.to_owned()),
            }
        }
        Ok(())
    }

    /// The lines for each directory that every shard has drained.
    async fn stop(&self) -> Result<Vec<Option<Vec<CheckpointLine>>>, String> {
        let mut lines: Option<Vec<Option<Vec<CheckpointLine>>>> = None;
        for answer in self.ask_all(|| Ask::Stop).await? {
            let Answer::Stopped(stopped) = answer else { return Err(OTHER.to_owned()) };
            lines = Some(match lines {
                None => stopped,
                Some(lines) => lines
                    .into_iter()
                    .zip(stopped)
                    .map(|(lines, more)| {
                        lines.zip(more).map(|(lines, more)| [lines, more].concat())
                    })
                    .collect(),
            });
        }
        Ok(lines.unwrap_or_default())
    }

    async fn seal(&self, markers: Vec<Option<Marker>>) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Seal(markers.clone())).await? {
            match answer {
                Answer::Sealed(sealed) => sealed?,
                _ => return Err(OTHER.to_owned()),
            }
        }
        Ok(())
    }
}

const OTHER: &str = "a shard gave another answer than was asked";

impl Followers for Shards {
    async fn follow(&self, image: Arc<image::Image>) {
        if let Err(error) = self.ask_all(|| Ask::Apply(Arc::clone(&image))).await {
            tracing::error!(error, "a shard does not follow the metadata");
        }
    }
}
