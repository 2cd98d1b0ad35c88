//! Two log directories of one shard on a simulated machine: partitions that move from one to the other while they are written, kills and
//! power cuts at any step, and one directory that fails while the other goes on. In half of the seeds the commit logs may be on a third
//! device, and go there and back between two lives: what a power cut takes of it, or its failure, has nothing to do with the others'. In one
//! seed of four `syncfs` writes nothing back.
//!
//! The metadata is one fact per partition, durable at one moment inside the step that decides ([`crate::moving`]). What is checked is what
//! [`super`] checks of one directory: every promise was kept and everything that is there is right, wherever the partition is; and that no
//! partition of a directory that is online is refused. `scripts/simulate moves` runs these.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::life::options;
use super::model::{Log as Expected, Model};
use super::reads::read_all;
use super::scope::Scope;
use super::workload::{LogOf, Shared, appended};
use super::{number, topics};
use crate::apart::{COMMIT_NOTE, COMMIT_ROOT, CommitRoot, settle};
use crate::batch::{BatchBuilder, Checked};
use crate::checkpoint::MetaProperties;
use crate::config::{Durability, StoreOptions};
use crate::error::{AppendError, MoveError, OpenError};
use crate::log::Stamp;
use crate::manifest::Marker;
use crate::marker::MARKER_FILE;
use crate::planted::{Bug, is, plant};
use crate::runtime::Runtime;
use crate::runtime::simulated::{Disk, Simulated};
use crate::store::{Placed, Store};
use crate::units::{Epoch, Offset, PartitionId, Timestamp, TopicId};

const DIRECTORIES: [&str; 2] = ["/data", "/more"];
/// The device for commit logs, and its number among those that fail.
const COMMIT: &str = "/log";
const COMMIT_NUMBER: usize = 2;
/// Simulated machines know no `meta.properties`.
const IDS: [TopicId; 2] = [TopicId(Uuid::from_u128(0xd0)), TopicId(Uuid::from_u128(0xd1))];
/// Seeds of the ordinary run, and within which every planted bug is found.
const SEEDS: u64 = 450;
const SEEDS_PLANTED: u64 = 3_000;
const EPOCH: Epoch = Epoch(3);
const STEPS_TO_STOP: u64 = 300_000;

/// What outlives a process.
#[derive(Clone)]
struct World {
    model: Shared,
    /// In which directory each partition is: the metadata.
    homes: Rc<RefCell<BTreeMap<PartitionId, usize>>>,
    counts: Rc<Counts>,
    /// Whether there is a device for commit logs.
    has_commit_device: bool,
}

#[derive(Default)]
struct Counts {
    moves: Cell<u64>,
    logs_moved: Cell<u64>,
    logs_failed: Cell<u64>,
    resumed: Cell<u64>,
    failed: Cell<u64>,
    steps: Cell<u64>,
}

fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}

/// One process.
struct Life {
    runtime: Simulated,
    world: World,
    stores: [Store<Simulated>; 2],
    /// Where each partition is served now.
    served: RefCell<BTreeMap<PartitionId, usize>>,
    /// Partitions into which no append is let.
    shut: RefCell<BTreeSet<PartitionId>>,
    moving: RefCell<BTreeSet<PartitionId>>,
    /// Moves that are being decided.
    ending: Cell<u32>,
    /// A directory whose device has failed.
    dead: Cell<Option<usize>>,
}

impl Life {
    async fn open(
        runtime: Simulated,
        options: [StoreOptions; 2],
        world: World,
    ) -> Result<Rc<Life>, OpenError> {
        let (mut stores, mut found) = (Vec::new(), Vec::new());
        for (number, mut options) in options.into_iter().enumerate() {
            if world.has_commit_device {
                options.commit_apart = place_of_log(&runtime, &world, number).await?;
            }
            let (here, elsewhere) = placed(&world, number);
            let (store, report) =
                Store::open_among(runtime.clone(), options, here, elsewhere).await?;
            world.model.borrow_mut().tell(|| format!("{}: {report}", DIRECTORIES[number]));
            found.push((report.is_clean(), report.elsewhere));
            stores.push(store);
        }
        let Ok(stores) = <[Store<Simulated>; 2]>::try_from(stores) else { unreachable!() };
        let served = RefCell::new(world.homes.borrow().clone());
        let (shut, moving, ending, dead) = Default::default();
        let life = Rc::new(Life { runtime, world, stores, served, shut, moving, ending, dead });
        life.compare(&[found[0].0, found[1].0]).await;
        life.begin(found.into_iter().map(|(_, elsewhere)| elsewhere).collect()).await?;
        Ok(life)
    }

    async fn begin(self: &Rc<Self>, elsewhere: Vec<Vec<PartitionId>>) -> Result<(), OpenError> {
        for (number, store) in self.stores.iter().enumerate() {
            let (here, _) = placed(&self.world, number);
            let topics = self.world.homes.borrow().keys().map(|id| id.topic).collect();
            let topic_of = |id: &PartitionId| self.world.model.borrow().logs[id].topic.clone();
            let left = elsewhere[number].iter().map(|id| (*id, topic_of(id))).collect::<Vec<_>>();
            let here = here.iter().map(|(id, topic, _)| (*id, topic.as_str()));
            let here = here.chain(left.iter().map(|(id, topic)| (*id, topic.as_str())));
            let directory = Path::new(DIRECTORIES[number]);
            crate::store::begin_serving(&self.runtime, directory, here, &topics).await?;
            let life = Rc::downgrade(self);
            store.on_advance(Rc::new(move |advances| {
                let Some(life) = life.upgrade() else { return };
                let mut model = life.world.model.borrow_mut();
                for advance in advances {
                    let is_served = life.served.borrow().get(&advance.id) == Some(&number);
                    if let Some(log) = model.logs.get_mut(&advance.id).filter(|_| is_served) {
                        log.durable = log.durable.max(advance.durable);
                        log.written = log.written.max(advance.written);
                    }
                }
            }));
        }
        for (number, found) in elsewhere.into_iter().enumerate() {
            for id in found {
                let Some(log) = self.stores[number].log(id) else { continue };
                if log.is_future() {
                    if let Some(home) = self.log(id) {
                        home.keep();
                    }
                    add(&self.world.counts.resumed, 1);
                    self.start_move(id);
                } else {
                    let life = Rc::clone(self);
                    self.runtime.spawn(async move {
                        let _ = life.stores[number].delete_log(&log).await;
                    });
                }
            }
        }
        self.stores.iter().for_each(Store::serve);
        Ok(())
    }

    fn draw(&self, below: u32) -> u32 {
        self.runtime.with_random(|random| random.random_range(0..below))
    }

    fn log(&self, id: PartitionId) -> Option<LogOf> {
        let number = *self.served.borrow().get(&id)?;
        self.stores[number].log(id)
    }

    /// Every promise was kept, and everything that is there is right.
    async fn compare(&self, clean: &[bool; 2]) {
        let homes = self.world.homes.borrow().clone();
        for (id, home) in homes {
            let Some(log) = self.log(id) else {
                return self.world.model.borrow_mut().fail(format!("{id:?} is not there"));
            };
            let (start, end) = (log.log_start(), log.end());
            {
                let mut model = self.world.model.borrow_mut();
                let Some(expected) = model.logs.get_mut(&id) else { continue };
                let (promised, appended) = (expected.written, expected.end);
                let at_boundary = end == Offset(0)
                    || expected.batches.iter().any(|batch| batch.last.next() == end);
                expected.cut(end.min(appended));
                expected.start = start;
                if end < promised || end > appended || !at_boundary || start > end {
                    model.fail(format!(
                        "{id:?} in {home}: {start:?}..{end:?}, promised {promised:?}, appended {appended:?}"
                    ));
                }
                if end < appended && clean[home] {
                    model.fail(format!("{id:?}: a clean stop lost {end:?}..{appended:?}"));
                }
            }
            read_all(&self.runtime, &log, id, &self.world.model).await;
        }
    }

    async fn work(self: &Rc<Self>) {
        while self.world.model.borrow().failure.is_none() {
            if self.world.model.borrow().stopping {
                return self.stop().await;
            }
            match self.draw(1000) {
                0..640 => self.append().await,
                640..780 => {
                    let pause = u64::from(self.draw(3_000));
                    self.runtime.sleep(Duration::from_micros(pause)).await;
                }
                780..880 => {
                    if let Some((id, log)) = self.any() {
                        read_all(&self.runtime, &log, id, &self.world.model).await;
                    }
                }
                880..910 => self.stores.iter().for_each(Store::enforce_retention),
                910..990 => {
                    if let Some((id, _)) = self.any() {
                        self.start_move(id);
                    }
                }
                990..996 => self.lose_a_directory(),
                _ => return self.stop().await,
            }
        }
    }

    fn any(&self) -> Option<(PartitionId, LogOf)> {
        let ids: Vec<PartitionId> = self.served.borrow().keys().copied().collect();
        let id = ids[self.draw(u32::try_from(ids.len()).expect("few")) as usize];
        let home = self.served.borrow()[&id];
        let is_online = !self.dead.get().is_some_and(|dead| dead == home || dead == COMMIT_NUMBER);
        Some((id, self.log(id).filter(|_| is_online)?))
    }

    async fn append(self: &Rc<Self>) {
        let Some((id, log)) = self.any() else { return };
        if self.shut.borrow().contains(&id) && !is(Bug::AppendsNotStopped) {
            return;
        }
        let size = [self.draw(600), self.draw(5_000), 6_000 + self.draw(12_000)];
        let size = size[self.draw(3) as usize] as usize;
        let key = [u8::try_from(self.draw(12)).expect("a byte")];
        let fill = u8::try_from(self.draw(256)).expect("a byte");
        let now = Timestamp(self.runtime.now());
        let value = vec![fill; size];
        let batch = BatchBuilder::new().record(now, Some(&key), Some(&value)).build();
        let checked = Checked::own(&batch).expect("a batch of ours");
        let stamp = Stamp { leader_epoch: EPOCH, append_time: None };
        let number = self.served.borrow()[&id];
        let done = match log.append(&batch, &checked, stamp) {
            Ok(done) => done,
            Err(AppendError::NoRoom(_)) => return self.stores[number].room().await,
            Err(AppendError::Offline(why)) => return self.went_offline(number, &why.0),
            Err(error) => return self.world.model.borrow_mut().fail(format!("append: {error}")),
        };
        let mut model = self.world.model.borrow_mut();
        model.tell(|| format!("{id:?} in {number}: {:?}, {size} bytes", done.base_offset));
        if let Some(expected) = model.logs.get_mut(&id) {
            expected.push(appended(&batch, &done, self.runtime.now(), EPOCH));
        }
    }

    fn went_offline(&self, number: usize, why: &str) {
        let is_logs = self.dead.get() == Some(COMMIT_NUMBER);
        if self.dead.get() != Some(number) && !is_logs
            || self.stores[number].commit_log_failed() && !is_logs && self.is_apart(number)
        {
            self.world
                .model
                .borrow_mut()
                .fail(format!("{} is offline: {why}", DIRECTORIES[number]));
        }
    }

    /// A device fails. What it had and did not sync is lost, or not.
    fn lose_a_directory(&self) {
        if self.dead.get().is_some() || self.draw(3) > 0 {
            return;
        }
        // Where no log is, there is nothing to fail.
        let is_apart = self.is_apart(0) && self.is_apart(1);
        let number = self.draw(if is_apart { 6 } else { 2 }) as usize;
        let number = number.min(COMMIT_NUMBER);
        let device = [DIRECTORIES[0], DIRECTORIES[1], COMMIT][number];
        self.dead.set(Some(number));
        self.runtime.disk().set_dead(Some(Path::new(device)));
        add(&self.world.counts.failed, 1);
        add(&self.world.counts.logs_failed, u64::from(number == COMMIT_NUMBER));
        self.world.model.borrow_mut().tell(|| format!("{device} fails"));
    }

    /// Whether the commit log of a directory is on the device for that.
    fn is_apart(&self, number: usize) -> bool {
        self.stores[number].core().options.commit_apart.is_some()
    }

    fn start_move(self: &Rc<Self>, id: PartitionId) {
        if !self.moving.borrow_mut().insert(id) {
            return;
        }
        let life = Rc::clone(self);
        self.runtime.spawn(async move {
            let from = life.served.borrow()[&id];
            let moved = life.move_partition(id, from).await;
            life.shut.borrow_mut().remove(&id);
            if let Err(error) = moved {
                let said = error.to_string();
                life.world.model.borrow_mut().tell(|| format!("{id:?} does not move: {said}"));
                if let Some(source) = life.stores[from].log(id)
                    && !life.world.model.borrow().stopping
                {
                    let _ = life.stores[1 - from].give_up(&source).await;
                }
                let is_excused = life.dead.get().is_some()
                    || life.world.model.borrow().stopping
                    || matches!(error, MoveError::Gone | MoveError::Behind);
                if !is_excused {
                    life.world.model.borrow_mut().fail(format!("{id:?} cannot be moved: {said}"));
                }
            }
            life.moving.borrow_mut().remove(&id);
        });
    }

    /// As a shard does it.
    async fn move_partition(
        self: &Rc<Self>,
        id: PartitionId,
        from: usize,
    ) -> Result<(), MoveError> {
        let (to, from) = (&self.stores[1 - from], &self.stores[from]);
        let number = usize::from(std::ptr::eq(to, &raw const self.stores[1]));
        let source = from.log(id).ok_or(MoveError::Gone)?;
        self.world.model.borrow_mut().tell(|| format!("{id:?} moves to {number}"));
        let future = to.receive(&source).await?;
        to.catch_up(&source, &future, 4, || true).await?;
        if self.world.model.borrow().stopping {
            return Err(MoveError::Gone);
        }
        self.ending.set(self.ending.get() + 1);
        let ended = self.end_move(id, (to, number), from, (&source, &future)).await;
        self.ending.set(self.ending.get() - 1);
        ended
    }

    /// Nothing comes in between: a stop waits for it.
    async fn end_move(
        &self,
        id: PartitionId,
        (to, number): (&Store<Simulated>, usize),
        from: &Store<Simulated>,
        (source, future): (&LogOf, &LogOf),
    ) -> Result<(), MoveError> {
        self.shut.borrow_mut().insert(id);
        if is(Bug::SourceDeletedEarly) {
            from.delete_log(source).await?;
        }
        let decide = async || -> Result<(), ()> {
            let pause = |most| Duration::from_micros(u64::from(self.draw(most)));
            self.runtime.sleep(pause(300)).await;
            self.world.homes.borrow_mut().insert(id, number);
            self.world.model.borrow_mut().tell(|| format!("{id:?} is in {number}"));
            self.runtime.sleep(pause(300)).await;
            Ok(())
        };
        let _ = to.take_place(source, future, decide).await?;
        self.served.borrow_mut().insert(id, number);
        self.shut.borrow_mut().remove(&id);
        add(&self.world.counts.moves, 1);
        from.delete_log(source).await?;
        Ok(())
    }

    /// A clean stop of what is online.
    async fn stop(self: &Rc<Self>) {
        self.world.model.borrow_mut().stopping = true;
        self.world.model.borrow_mut().tell(|| "stop".to_owned());
        while self.ending.get() > 0 {
            self.runtime.sleep(Duration::from_micros(200)).await;
        }
        let mut all = true;
        for (number, store) in self.stores.iter().enumerate() {
            let closed = match store.close().await {
                Ok(closed) => closed,
                Err(error) => {
                    self.went_offline(number, &error.to_string());
                    all = false;
                    continue;
                }
            };
            let path = PathBuf::from(DIRECTORIES[number]).join(MARKER_FILE);
            let content = b"{\"version\":0,\"brokerEpoch\":-1}";
            let put = self.runtime.disk().put(&path, content);
            let stat = match (put, self.runtime.stat(&path).await) {
                (Ok(()), Ok(stat)) => stat,
                other => {
                    return self.world.model.borrow_mut().fail(format!("the marker: {other:?}"));
                }
            };
            let (inode, changed) = (stat.inode, stat.changed);
            let sealed = closed.seal(Marker { inode, changed, content: content.to_vec() }).await;
            if let Err(error) = sealed {
                self.went_offline(number, &error.to_string());
                all = false;
                continue;
            }
            let mut model = self.world.model.borrow_mut();
            for (id, home) in &*self.world.homes.borrow() {
                if let Some(log) = model.logs.get_mut(id).filter(|_| *home == number) {
                    (log.written, log.durable) = (log.end, log.end);
                }
            }
        }
        if all {
            self.only_one_has_the_name();
        }
        self.world.model.borrow_mut().clean = true;
    }

    /// Kafka would take two directories of a partition's name for two replicas.
    fn only_one_has_the_name(&self) {
        for (id, home) in &*self.world.homes.borrow() {
            let name = format!("{}-0", self.world.model.borrow().logs[id].topic);
            let others = self.runtime.disk().names(Path::new(DIRECTORIES[1 - home]));
            let is_left = self.stores[1 - home].log(*id).is_some();
            if others.contains(&name) && !is_left {
                self.world.model.borrow_mut().fail(format!("{name} is left in {}", 1 - home));
            }
        }
    }
}

/// Where the commit log is in this life. Now and then it is to go to the other place, which it does after a clean stop.
async fn place_of_log(
    runtime: &Simulated,
    world: &World,
    number: usize,
) -> Result<Option<PathBuf>, OpenError> {
    let directory = Path::new(DIRECTORIES[number]);
    runtime.lock(directory).await.map_err(OpenError::io(directory))?;
    let root = CommitRoot { path: COMMIT.into(), id: TopicId(Uuid::from_u128(0xc0)) };
    let is_apart = runtime.disk().content(&directory.join(COMMIT_NOTE)).is_some();
    let goes = runtime.with_random(|random| random.random_ratio(1, 3));
    let wanted = Some(&root).filter(|_| is_apart != goes);
    let place = match settle(runtime, directory, IDS[number], wanted).await {
        Err(OpenError::Foreign(_)) if goes => {
            settle(runtime, directory, IDS[number], Some(&root).filter(|_| is_apart)).await?
        }
        Ok(place) => {
            add(&world.counts.logs_moved, u64::from(goes));
            place
        }
        Err(error) => return Err(error),
    };
    Ok(Some(place).filter(|place| place != directory))
}

/// The partitions that are in this directory, and those that are in the other.
fn placed(world: &World, number: usize) -> (Vec<Placed>, Vec<Placed>) {
    let (model, homes) = (world.model.borrow(), world.homes.borrow());
    let all = model
        .logs
        .iter()
        .map(|(id, log)| (homes[id] == number, (*id, log.topic.clone(), Arc::clone(&log.config))));
    let (here, elsewhere): (Vec<_>, Vec<_>) = all.partition(|(is_here, _)| *is_here);
    let only = |all: Vec<(bool, Placed)>| all.into_iter().map(|(_, placed)| placed).collect();
    (only(here), only(elsewhere))
}

/// Runs one seed: some lives. Returns what failed.
fn run_seed(seed: u64, tell: bool, counts: &Rc<Counts>) -> Option<String> {
    let mut random = SmallRng::seed_from_u64(seed ^ 0x6d6f_7665);
    let disk = Disk::new();
    disk.set_syncfs(seed % 4 != 1);
    DIRECTORIES.iter().for_each(|directory| disk.make_device(Path::new(directory)));
    let has_commit_device = random.random_ratio(1, 2);
    if has_commit_device {
        disk.make_device(Path::new(COMMIT));
        let directory_id = Some(TopicId(Uuid::from_u128(0xc0)));
        let whose = MetaProperties { cluster_id: "c".into(), node_id: 1, directory_id };
        disk.put(&Path::new(COMMIT).join(COMMIT_ROOT), whose.print().as_bytes()).expect("written");
    }
    let durability = if random.random_ratio(2, 3) { Durability::Sync } else { Durability::Written };
    let story = tell.then(Vec::new);
    let mut model = Model::new(Scope::all(seed), story);
    let mut homes = BTreeMap::new();
    for number in 0..random.random_range(1..5) {
        let topic = TopicId(Uuid::from_u128(random.random()));
        let id = PartitionId { topic, partition: 0 };
        let mut log = Expected::new(&format!("t{number}"), topics::config(&mut random), number);
        log.retains = log.config.retention_ms >= 0 || log.config.retention_bytes >= 0;
        model.logs.insert(id, log);
        homes.insert(id, random.random_range(0..2));
    }
    let world = World {
        model: Rc::new(RefCell::new(model)),
        homes: Rc::new(RefCell::new(homes)),
        counts: Rc::clone(counts),
        has_commit_device,
    };
    let mut clock = Duration::ZERO;
    for _ in 0..random.random_range(4..12) {
        let runtime = Simulated::new(random.random(), disk.clone(), clock);
        one_life(&runtime, seed, durability, &world, &mut random);
        clock = runtime.clock();
        add(&counts.steps, runtime.steps());
        let is_power_cut = random.random_ratio(1, 2);
        finish_life(runtime, is_power_cut, &world);
        if world.model.borrow().failure.is_some() {
            break;
        }
    }
    world.model.borrow_mut().failure.take()
}

fn one_life(
    runtime: &Simulated,
    seed: u64,
    durability: Durability,
    world: &World,
    random: &mut SmallRng,
) {
    let options = DIRECTORIES.map(|directory| StoreOptions {
        directory: PathBuf::from(directory),
        ..options(seed, durability)
    });
    let steps = match random.random_ratio(1, 4) {
        true => random.random_range(1..300),
        false => random.random_range(100..6000),
    };
    let (process, own) = (runtime.clone(), world.clone());
    let life = async move {
        let life = Life::open(process, options, own).await?;
        life.work().await;
        Ok::<(), OpenError>(())
    };
    match runtime.run(steps, life) {
        Some(Err(error)) => {
            world.model.borrow_mut().fail(format!("it cannot be opened: {error}"));
        }
        Some(Ok(())) => {}
        None => match random.random_range(0..7) {
            0 | 1 => runtime.run_on_to_writes(500),
            2 => runtime.run_on_into_syncs(500),
            3 => {
                world.model.borrow_mut().stopping = true;
                let is_done = || {
                    let model = world.model.borrow();
                    model.clean || model.failure.is_some()
                };
                if !runtime.run_on_until(STEPS_TO_STOP, is_done) {
                    let what = format!("no clean stop within {STEPS_TO_STOP} steps");
                    world.model.borrow_mut().fail(what);
                }
            }
            _ => {}
        },
    }
}

fn finish_life(runtime: Simulated, is_power_cut: bool, world: &World) {
    let mut model = world.model.borrow_mut();
    // What a device that failed has not synced may be read for a while, and is lost all the same: as after any failed sync.
    let is_power_cut = is_power_cut || runtime.disk().is_dead();
    for log in model.logs.values_mut() {
        log.compaction.missing.clear();
        if is_power_cut {
            log.written = log.durable;
        }
    }
    (model.clean, model.stopping) = (false, false);
    drop(model);
    runtime.disk().set_dead(None);
    if is_power_cut { runtime.power_cut() } else { runtime.kill() }
}

/// A broken assertion of ours is a failure like any other.
fn judge(seed: u64, counts: &Rc<Counts>) -> Option<String> {
    let counts = std::panic::AssertUnwindSafe(counts);
    std::panic::catch_unwind(|| run_seed(seed, false, &counts)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Some(format!("panicked: {what:?}"))
    })
}

#[test]
fn a_move_loses_nothing() {
    let first = number("ODRADEK_FIRST_SEED").unwrap_or(0);
    let seeds = number("ODRADEK_SEEDS").unwrap_or(SEEDS);
    let counts = Rc::new(Counts::default());
    let mut failures = 0;
    for seed in first..first + seeds {
        if let Some(failure) = judge(seed, &counts) {
            println!("seed {seed}: {failure}\n  scripts/simulate move {seed}");
            failures += 1;
        }
    }
    let Counts { moves, logs_moved, logs_failed, resumed, failed, steps } = &*counts;
    println!(
        "{seeds} seeds, {} steps: {} moves, {} resumed after a stop, {} devices failed, {} of them that of the commit logs, {} times a commit \
         log went to another device",
        steps.get(),
        moves.get(),
        resumed.get(),
        failed.get(),
        logs_failed.get(),
        logs_moved.get()
    );
    assert_eq!(failures, 0, "seeds that failed");
    assert!(seeds < SEEDS || logs_failed.get() > 10);
    assert!(
        seeds < SEEDS || [moves, resumed, failed, logs_moved].iter().all(|count| count.get() > 100)
    );
}

#[test]
fn one_move() {
    let Some(seed) = number("ODRADEK_SEED") else { return };
    plant(super::named_among(PLANTED.iter().map(|(bug, _)| *bug)));
    let failure = super::telling::tell(|| run_seed(seed, true, &Rc::default()));
    plant(None);
    println!("seed {seed}: {failure:?}");
    assert!(failure.is_none());
}

/// The bugs, and whether the ordinary run must catch them (the others take the long form).
const PLANTED: &[(Bug, bool)] = &[
    (Bug::UndurableMoved, false),
    (Bug::MovedBeforeDurable, true),
    (Bug::FutureUnsynced, true),
    (Bug::FutureUnrecorded, true),
    (Bug::FutureForgotten, true),
    (Bug::PromotedUnsynced, false),
    (Bug::SourceDeletedEarly, true),
    (Bug::AppendsNotStopped, true),
    (Bug::HeldNotKept, true),
];

#[test]
fn planted_bugs_of_moves_are_caught() {
    let named = super::named_among(PLANTED.iter().map(|(bug, _)| *bug));
    let mut missed = Vec::new();
    for (bug, ordinary) in PLANTED {
        if !super::is_asked_for(*bug, *ordinary, named) {
            continue;
        }
        plant(Some(*bug));
        let caught = (0..SEEDS_PLANTED).find(|seed| judge(*seed, &Rc::default()).is_some());
        plant(None);
        match caught {
            Some(seed) => println!("{:>7} seeds catch {bug:?}", seed + 1),
            None => missed.push(*bug),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
