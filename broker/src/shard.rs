//! A shard: one executor on one core, with the partitions placed on it, its connections, and one loop that takes what other
//! executors send.
//!
//! Nothing here is shared with another shard but immutable things (the configuration, the metadata image). Work for a partition
//! runs on its owner; [`Shard::owner`] says which that is, and the same functions serve a request that came in here and one that
//! came over the mesh.

mod coordinators;
mod partitions;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use net::Net;
use net::connections::Connections;
use net::mesh::Endpoint;
use ring::Ring;
use storage::units::PartitionId;

use crate::api::init_producer_id::ProducerIds;
use crate::api::metadata::AskedTopics;
use crate::calls::{Calls, Stopped};
use crate::clock;
use crate::config::Config;
use crate::controller::{ControllerAnswer, ControllerRequest};
use crate::coordinator::Hosts;
use crate::deadline::Deadlines;
use crate::directories::LogDirectory;
use crate::doors::Doors;
use crate::group;
use crate::group::parked::Parked;
use crate::guard::Pulse;
use crate::message::{Answer, Ask, Message, ShareStateAsk};
use crate::metadata::image::{Image, Partition as State};
use crate::moves::Move;
use crate::partition::{Partition, ReadRefusal};
use crate::placement::shard_of;
use crate::ports::Port;
use crate::quota::Quotas;
use crate::sessions::Sessions;
use crate::share::leader::Shares;
use crate::share::sessions::Sessions as ShareSessions;
use crate::share::slots::Slots;
use crate::share::state::ShareCoordinator;
use crate::stats::Stats;
use crate::telemetry::Telemetry;
use crate::turnstile::Turnstile;
use crate::waiting::Waits;

pub(crate) use partitions::acknowledge_all;

/// Messages after which the ring has its turn.
const MESSAGES_A_TURN: u32 = 64;

pub(crate) type Runtime = storage::runtime::ring::RingRuntime;
pub(crate) type Store = storage::Store<Runtime>;
pub(crate) type Log = storage::Log<Runtime>;

pub(crate) struct Shard {
    pub number: usize,
    pub shards: u16,
    /// As it was read at the start. What may change at run time is to be taken from `in_force`.
    pub config: Arc<Config>,
    in_force: RefCell<Arc<Config>>,
    pub ring: Ring,
    pub net: Rc<Net>,
    pub deadlines: Rc<Deadlines>,
    pub waits: Rc<Waits>,
    pub sessions: RefCell<Sessions>,
    pub stats: Rc<Stats>,
    /// This shard's part of each log directory, in the order of `log.dirs`; none where the directory was offline at the start.
    pub(crate) places: OnceCell<Vec<Option<Place>>>,
    /// After the stop, until the directories' markers are written.
    pub(crate) closed: RefCell<Vec<Option<storage::Closed<Runtime>>>>,
    /// This shard's blocks of producer ids.
    pub producer_ids: ProducerIds,
    pub asked_topics: AskedTopics,
    pub(crate) quotas: Quotas,
    pub(crate) telemetry: Telemetry,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) moves: RefCell<HashMap<PartitionId, Rc<Move>>>,
    pub(crate) partitions: RefCell<HashMap<PartitionId, Rc<Partition>>>,
    /// The coordinators of groups, by the partition of `__consumer_offsets`.
    pub(crate) hosts: Hosts<group::Coordinator>,
    /// The share coordinators, by the partition of `__share_group_state`.
    pub(crate) state_hosts: Hosts<ShareCoordinator>,
    /// The sessions of the share groups that this shard has.
    pub(crate) share_sessions: RefCell<ShareSessions>,
    /// The share partitions of the partitions here.
    pub(crate) shares: Shares,
    /// Coordinators load in turns.
    loads: Rc<Turnstile>,
    /// Requests from here that wait for a group elsewhere.
    pub(crate) parked: Rc<Parked>,
    image: RefCell<Arc<Image>>,
    calls: Calls,
    pub(crate) stopping: Cell<bool>,
    serving: Cell<bool>,
    /// Everything that must stop with the shard: its listeners and connections.
    pub(crate) doors: RefCell<Doors>,
}

/// A shard's part of a log directory.
pub(crate) struct Place {
    pub directory: LogDirectory,
    pub store: Store,
    /// What the start has found here of partitions that are in other directories.
    pub elsewhere: Vec<PartitionId>,
}

/// What a shard is given at its birth, and no other has.
pub(crate) struct Own {
    pub number: usize,
    pub pulse: Arc<Pulse>,
    pub ports: Vec<Port>,
    /// Of the whole node.
    pub connections: Arc<Connections>,
    pub share_slots: Arc<Slots>,
}

impl Shard {
    /// To be called on the shard's own executor.
    pub(crate) fn new(
        own: Own,
        config: Arc<Config>,
        ring: Ring,
        endpoint: Rc<Endpoint<Message>>,
    ) -> Rc<Shard> {
        let Own { number, pulse, ports, connections, share_slots } = own;
        let net = Net::new(&ring, config.shard_memory().receive_bytes, config.request_bytes_max());
        let shards = config.shards();
        let sessions = Sessions::new(number, shards, config.fetch_session_slots());
        Rc::new(Shard {
            number,
            shards,
            calls: Calls::new(endpoint, usize::from(shards) + 2),
            in_force: RefCell::new(Arc::clone(&config)),
            config,
            ring,
            net,
            deadlines: Rc::default(),
            waits: Rc::default(),
            sessions: RefCell::new(sessions),
            stats: Rc::default(),
            places: OnceCell::new(),
            closed: RefCell::default(),
            producer_ids: ProducerIds::default(),
            asked_topics: AskedTopics::default(),
            quotas: Quotas::default(),
            telemetry: Telemetry::default(),
            pulse,
            moves: RefCell::default(),
            partitions: RefCell::default(),
            hosts: Hosts::default(),
            state_hosts: Hosts::default(),
            share_sessions: RefCell::new(ShareSessions::new(share_slots)),
            shares: Shares::default(),
            loads: Rc::default(),
            parked: Rc::default(),
            image: RefCell::new(Arc::new(Image::empty())),
            stopping: Cell::new(false),
            serving: Cell::new(false),
            doors: RefCell::new(Doors::new(ports, connections)),
        })
    }

    pub(crate) fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.borrow())
    }

    /// The configuration with what the metadata log sets for brokers at run time.
    pub(crate) fn in_force(&self) -> Arc<Config> {
        Arc::clone(&self.in_force.borrow())
    }

    pub(crate) fn owner(&self, id: PartitionId) -> usize {
        shard_of(id, self.shards)
    }

    pub(crate) fn partition(&self, id: PartitionId) -> Option<Rc<Partition>> {
        self.partitions.borrow().get(&id).map(Rc::clone)
    }

    /// This shard's part of a log directory.
    pub(crate) fn place(&self, directory: usize) -> Option<&Place> {
        self.places.get()?.get(directory)?.as_ref()
    }

    /// The place of a partition, if its directory is online.
    pub(crate) fn place_of(&self, state: &State) -> Option<(usize, &Place)> {
        let id = state.directory(self.config.node_id())?;
        let places = self.places.get()?.iter().enumerate();
        let mut places = places.filter_map(|(number, place)| Some((number, place.as_ref()?)));
        places.find(|(_, place)| place.directory.id == id && place.store.offline().is_none())
    }

    /// Whether this node has a replica of a partition that it does not serve, for the want of its directory (KIP-112).
    pub(crate) fn is_offline(&self, id: PartitionId) -> bool {
        let image = self.image();
        let state = image.topic(id.topic).and_then(|topic| topic.partition(id.partition));
        state.is_some_and(|state| {
            state.replicas.contains(&self.config.node_id()) && self.place_of(state).is_none()
        })
    }

    pub(crate) fn read_refusal(&self, id: PartitionId) -> ReadRefusal {
        if self.is_offline(id) { ReadRefusal::Offline } else { ReadRefusal::NotHere }
    }

    /// Asks the controller's executor.
    pub(crate) async fn controller(
        &self,
        request: ControllerRequest,
    ) -> Result<ControllerAnswer, Stopped> {
        match self.calls.ask(usize::from(self.shards), Ask::Control(Box::new(request))).await? {
            Answer::Control(answer) => Ok(*answer),
            _ => Err(Stopped),
        }
    }

    pub(crate) fn ask(
        &self,
        owner: usize,
        ask: Ask,
    ) -> impl Future<Output = Result<Answer, Stopped>> + use<> {
        self.calls.ask(owner, ask)
    }

    pub(crate) fn post(&self, owner: usize, message: Message) {
        self.calls.post(owner, message);
    }

    /// The loop over what other executors send; it never waits for anything else.
    pub(crate) async fn receive_all(self: Rc<Self>, endpoint: Rc<Endpoint<Message>>) {
        let mut received = 0_u32;
        loop {
            let (from, message) = endpoint.recv().await;
            self.stats.messages.bump();
            received = received.wrapping_add(1);
            if received.is_multiple_of(MESSAGES_A_TURN) {
                // While messages never end, the sockets must have their turn.
                self.ring.yield_now().await;
            }
            if matches!(message, Message::Leave) {
                return;
            }
            self.receive(from, message);
        }
    }

    /// A full queue is looked at again although its reader sends nothing.
    pub(crate) async fn pump(self: Rc<Self>) {
        self.calls.drive(glommio::timer::sleep).await;
    }

    fn receive(self: &Rc<Self>, from: usize, message: Message) {
        match message {
            Message::Ask { id, ask } => self.serve(from, id, ask),
            Message::Answer { id, answer } => self.calls.answered(from, id, answer),
            Message::Watch { watch, seen } => {
                if !self.watch(from, watch, &seen) {
                    self.post(from, Message::Moved { watches: vec![watch] });
                }
            }
            Message::Unwatch { watch, partitions } => self.unwatch(from, watch, &partitions),
            Message::Moved { watches } => {
                watches.into_iter().for_each(|watch| self.waits.moved(watch))
            }
            Message::Group { wait, answer } => self.parked.answered(wait, *answer),
            Message::Share(note) => self.note_share(from, *note),
            Message::Leave => {}
        }
        self.calls.pump(from);
    }

    fn serve(self: &Rc<Self>, from: usize, id: u32, ask: Ask) {
        let shard = Rc::clone(self);
        let answer = move |answer| shard.post(from, Message::Answer { id, answer });
        let shard = Rc::clone(self);
        match ask {
            Ask::Append(parts) => {
                let begun = self.begin_append(parts);
                self.spawn(
                    async move { answer(Answer::Append(acknowledge_all(begun.await).await)) },
                );
            }
            Ask::Read(ask) => {
                self.spawn(async move { answer(Answer::Read(shard.read(&ask).await)) })
            }
            Ask::Offsets(parts) => {
                self.spawn(async move { answer(Answer::Offsets(shard.find_offsets(&parts).await)) })
            }
            Ask::EpochEnds(parts) => answer(Answer::EpochEnds(self.epoch_ends(&parts))),
            Ask::Group(ask) => self.serve_group(from, id, *ask),
            Ask::ShareState(ask) => {
                let ShareStateAsk { partition, request } = *ask;
                let answered = self.own_share_state(partition, request);
                self.spawn(async move {
                    answer(Answer::ShareState(Box::new(answered.await)));
                });
            }
            Ask::Share(ask) => {
                self.serve_share(*ask, move |share| answer(Answer::Share(Box::new(share))));
            }
            Ask::DeleteRecords(parts) => self.spawn(async move {
                answer(Answer::DeleteRecords(shard.delete_records(&parts).await));
            }),
            Ask::Producers(partitions) => answer(Answer::Producers(self.producers(&partitions))),
            Ask::Telemetry(asking) => self.spawn(async move {
                answer(Answer::Telemetry(shard.answer_telemetry(*asking).await));
            }),
            Ask::Spend { spender, per_second, amount } => {
                let now = clock::monotonic();
                let wait = self.quotas.spend(&spender, per_second, amount, now);
                answer(Answer::Spent(wait));
            }
            Ask::Open(image, directories) => self.spawn(async move {
                answer(Answer::Opened(shard.open(image, &directories).await));
            }),
            Ask::Move(parts) => answer(Answer::Moving(self.begin_moves(&parts))),
            Ask::Directories => answer(Answer::Directories(self.in_directories())),
            Ask::Fail(number, why) => {
                if let Some(place) = self.place(number) {
                    place.store.fail(&why);
                }
                self.leave(number);
                answer(Answer::Failed);
            }
            Ask::Apply(image) => self.spawn(async move {
                shard.apply(image).await;
                answer(Answer::Applied);
            }),
            Ask::Serve => answer(Answer::Serving(self.begin())),
            Ask::Samples => answer(Answer::Samples(self.stats.samples(self))),
            Ask::Stop => self.spawn(async move { answer(Answer::Stopped(shard.stop().await)) }),
            Ask::Seal(markers) => {
                self.spawn(async move { answer(Answer::Sealed(shard.seal(markers).await)) })
            }
            Ask::Control(_) => tracing::error!("a question for the controller came to a shard"),
        }
    }

    pub(crate) fn spawn(self: &Rc<Self>, future: impl Future<Output = ()> + 'static) {
        glommio::spawn_local(crate::stats::Turns::new(Rc::clone(&self.stats), future)).detach();
    }

    pub(crate) fn set_image(&self, image: Arc<Image>) {
        *self.image.borrow_mut() = image;
    }

    pub(crate) fn set_in_force(&self, config: Arc<Config>) {
        *self.in_force.borrow_mut() = config;
    }
}
