//! The controller's executor: a loop that takes what arrives, and a task that does what is asked, one thing after another.
//!
//! Start (`Ask::Serve` from the node): open the log, win the election, settle in which directory each partition is, have every shard open
//! the log directories with the image, register the broker and raise the epochs of what was stopped uncleanly, have every shard follow and listen.
//! A failed log directory: every shard leaves it, its partitions lose their leader, the registration names the others. Without the
//! metadata's directory, or without any other, the node ends, as Kafka's does.
//! Stop (`Ask::Stop`): the shards stop and drain; the fence is written; the store is drained; the directories' markers are written;
//! every store seals its manifest under its own.

mod directories;
mod shards;
mod stop;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt;
use futures::channel::mpsc;
use net::mesh::Endpoint;
use ring::Ring;
use storage::Store;
use storage::runtime::ring::RingRuntime;
use uuid::Uuid;

use self::directories::{online, open_store};
use self::shards::Shards;
use super::desk::Desk;
use super::dice::Dice;
use super::kafka_log::KafkaLog;
use super::ledger::{Ledger, Site, SnapshotRules};
use super::registration::{self, Registration};
use super::servable;
use super::store_log::StoreLog;
use super::{ControllerAnswer, ControllerRequest};
use crate::calls::Calls;
use crate::clock;
use crate::config::Config;
use crate::directories::{Directories, InUse};
use crate::guard::Pulse;
use crate::message::{Answer, Ask, Message};
use crate::metadata::directory::MetadataDirectory;
use crate::metadata::image;
use crate::metadata::records::control::VoterEndpoint;
use crate::metrics::Sample;

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
