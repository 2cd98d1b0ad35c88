//! The controller's executor: a loop that takes what arrives, and a task that does what is asked, one thing after another.
//!
//! Start (`Ask::Serve` from the node): open the log, win the election, have every shard open its log directory with the image,
//! register the broker and raise the epochs of what was stopped uncleanly, have every shard follow and listen.
//! Stop (`Ask::Stop`): the shards stop and drain; the fence is written; the store is drained; the directory's marker is written;
//! every store seals its manifest under it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::join_all;
use net::mesh::Endpoint;
use ring::Ring;
use storage::runtime::ring::RingRuntime;
use storage::units::PartitionId;
use storage::{DirectoryLock, Marker, Store};

use super::desk::{Desk, Followers};
use super::dice::Dice;
use super::kafka_log::KafkaLog;
use super::ledger::{Ledger, Site, SnapshotRules};
use super::registration::{self, Registration};
use super::servable;
use super::store_log::{self, StoreLog};
use crate::calls::Calls;
use crate::clock;
use crate::config::Config;
use crate::guard::Pulse;
use crate::message::{Answer, Ask, Message};
use crate::metadata::directory::{MetadataDirectory, TOPIC};
use crate::metadata::image;
use crate::metadata::records::control::VoterEndpoint;
use crate::metrics::Sample;
use crate::placement::shard_of;
use crate::preflight::Identity;

/// What the executor is given by the node.
pub struct Own {
    pub config: Arc<Config>,
    pub lock: DirectoryLock,
    pub identity: Identity,
    /// Names and addresses of the listeners, as bound.
    pub listeners: Vec<(String, SocketAddr)>,
    pub pulse: Arc<Pulse>,
}

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
            Message::Watch { .. } | Message::Unwatch { .. } | Message::Moved { .. } => {
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
            Ask::Control(request) => match &mut self.state {
                State::Serving(served) => {
                    let answer = served.desk.answer(*request, clock::wall()).await;
                    Some(Answer::Control(Box::new(answer)))
                }
                State::Idle | State::Stopped => {
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
            Ask::Stop => Some(Answer::Stopped(self.stop().await.map(|()| Vec::new()))),
            Ask::Samples => Some(Answer::Samples(self.samples())),
            Ask::Append(_)
            | Ask::Read(_)
            | Ask::Offsets(_)
            | Ask::EpochEnds(_)
            | Ask::Open(_)
            | Ask::Apply(_)
            | Ask::Seal(_) => {
                tracing::error!("a question for a shard came to the controller");
                None
            }
        }
    }

    async fn serve(&mut self) -> Result<(), String> {
        let now = clock::wall();
        let site = site(&self.own);
        let runtime = RingRuntime::new(self.ring.clone(), self.own.lock.clone());
        let log_directory = self.own.config.log_directory();
        if let Some((start, bytes)) =
            storage::metadata_of_kafka(&runtime, log_directory).await.map_err(text)?
        {
            // What is refused is left as it is.
            let directory = MetadataDirectory::open(log_directory).map_err(text)?;
            let log = KafkaLog::new(start, bytes);
            let image = Ledger::look(&log, &directory, &site).await.map_err(text)?;
            servable::check(&image, &site, &self.own.config)?;
            self.take_over(&runtime).await?;
        }
        self.prepare(&runtime).await?;
        let (store, log) = open_store(runtime.clone(), &self.own.config).await?;
        let directory = MetadataDirectory::open(log_directory).map_err(text)?;
        let log = StoreLog::new(runtime, log);
        let ledger = Ledger::open(log, directory, &site, now).await.map_err(text)?;
        tracing::info!(
            epoch = %ledger.epoch(), offset = %ledger.image().position().offset, topics = ledger.image().topic_count(),
            partitions = ledger.image().partition_count(), "metadata is open"
        );
        servable::check(ledger.image(), &site, &self.own.config)?;
        let shards =
            Shards { calls: Rc::clone(&self.calls), count: usize::from(self.own.config.shards()) };
        let image = Arc::new(ledger.image().clone());
        let unclean = shards.open(Arc::clone(&image)).await?;
        // Every store of the directory is open: from here on it is not as the clean stop left it.
        store.begin_serving(partitions(&image)).await.map_err(text)?;
        // The metadata log's own epoch was raised by the election. Those of the shards are with the registration, before they serve.
        store.serve();
        let dice = Dice::new();
        let registration = registration(&self.own);
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
        self.state = State::Serving(Box::new(Served { desk, store, site }));
        Ok(())
    }

    async fn take_over(&self, runtime: &RingRuntime) -> Result<(), String> {
        let (directory, shards) = (self.own.config.log_directory(), self.own.config.shards());
        let owner = |id| u16::try_from(shard_of(id, shards)).unwrap_or(0);
        let adopted = storage::adopt(runtime, directory, shards, owner).await.map_err(text)?;
        if let Some(partitions) = adopted {
            tracing::info!(partitions, "what Kafka has written was taken over");
        }
        Ok(())
    }

    /// What was decided of the directory is carried out, and it is made one of as many shards as there are now. No store of it is open yet.
    async fn prepare(&self, runtime: &RingRuntime) -> Result<(), String> {
        let (directory, shards) = (self.own.config.log_directory(), self.own.config.shards());
        let owner = |id| u16::try_from(shard_of(id, shards)).unwrap_or(0);
        let old = storage::reshard(runtime, directory, shards, owner).await.map_err(text)?;
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
        let Served { mut desk, store, site } = *served;
        // The shards have stopped: nobody is left to follow.
        let records = registration::stop(desk.ledger.image(), &site, desk.broker_epoch());
        desk.ledger.commit(&records, clock::wall()).await.map_err(text)?;
        let epoch = desk.broker_epoch();
        drop(desk);
        let closed = store.close().await.map_err(text)?;
        // Where a shard could not drain, the directory is not marked: the next start recovers it.
        let lines = stopped?;
        let directory = self.own.config.log_directory().to_path_buf();
        let marker = glommio::executor()
            .spawn_blocking(move || storage::write_marker(&directory, epoch, &lines))
            .await
            .map_err(text)?;
        shards.seal(&marker).await?;
        closed.seal(marker).await.map_err(text)
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
) -> Result<(Store<RingRuntime>, storage::Log<RingRuntime>), String> {
    let log_config = store_log::log_config(config);
    let placed = vec![(store_log::ID, TOPIC.to_owned(), Arc::clone(&log_config))];
    let opened = Store::open(runtime, store_log::options(config), placed).await;
    let (store, report) = opened.map_err(text)?;
    tracing::debug!(%report, "the metadata log's directory is open");
    let log = match store.log(store_log::ID) {
        Some(log) => log,
        None => store.create(store_log::ID, TOPIC, log_config).await.map_err(text)?,
    };
    Ok((store, log))
}

/// Every partition that there is, with its topic's name.
fn partitions(image: &image::Image) -> impl Iterator<Item = (PartitionId, &str)> {
    image.topics().flat_map(|topic| {
        let numbers = topic.partitions().map(|(partition, _)| partition);
        numbers.map(|partition| (PartitionId { topic: topic.id, partition }, &*topic.name))
    })
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
        cluster_id: own.identity.cluster_id.clone(),
        directory_id: own.identity.directory_id,
        endpoints: config.controller_listeners.iter().map(endpoint).collect(),
        snapshots: SnapshotRules {
            bytes: u64::try_from(config.metadata.snapshot_bytes).unwrap_or(u64::MAX),
            interval_ms: config.metadata.snapshot_ms,
        },
    }
}

/// What the broker tells clients of itself.
fn registration(own: &Own) -> Registration {
    let endpoint = |(name, bound): &(String, SocketAddr)| {
        let (host, port) = own.config.advertised(name, bound.port())?;
        let (name, host) = (name.as_str().into(), host.into());
        Some(image::Endpoint { name, host, port, security_protocol: 0 })
    };
    Registration {
        endpoints: own.listeners.iter().filter_map(endpoint).collect(),
        rack: own.config.rack.clone(),
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

    /// Returns the partitions whose logs were stopped uncleanly.
    async fn open(&self, image: Arc<image::Image>) -> Result<Vec<PartitionId>, String> {
        let mut unclean = Vec::new();
        for answer in self.ask_all(|| Ask::Open(Arc::clone(&image))).await? {
            match answer {
                Answer::Opened(opened) => unclean.extend(opened?),
                _ => return Err(OTHER.to_owned()),
            }
        }
        Ok(unclean)
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

    async fn stop(&self) -> Result<Vec<storage::CheckpointLine>, String> {
        let mut lines = Vec::new();
        for answer in self.ask_all(|| Ask::Stop).await? {
            match answer {
                Answer::Stopped(stopped) => lines.extend(stopped?),
                _ => return Err(OTHER.to_owned()),
            }
        }
        Ok(lines)
    }

    async fn seal(&self, marker: &Marker) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Seal(marker.clone())).await? {
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
