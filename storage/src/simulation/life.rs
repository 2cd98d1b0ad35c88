//! One seed: a disk, and the lives of the processes on it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::model::Model;
use super::scope::{Part, Scope};
use super::{lies, opening, topics, workload};
use crate::commit_log::GroupSequence;
use crate::commit_log::group::GroupHeader;
use crate::config::{CleanerOptions, Durability, ScrubOptions, StoreName, StoreOptions};
use crate::error::OpenError;
use crate::manifest::Manifest;
use crate::recovery::Row;
use crate::runtime::BLOCK;
use crate::runtime::simulated::{Disk, Faults, Simulated};

/// Far more than any clean stop takes.
const STEPS_TO_STOP: u64 = 300_000;

pub(crate) const DIRECTORY: &str = "/data";

/// What came of a seed.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) failure: Option<String>,
    pub(super) rows: [u64; Row::ALL.len()],
    pub(super) lives: u64,
    pub(super) steps: u64,
    pub(super) cleanings: u64,
    pub(super) removed: u64,
    /// Calls of the stores', and operations of the disk that were completed.
    pub(super) calls: u64,
    pub(super) completions: u64,
    /// Changes of the number of shards.
    pub(super) changes: u64,
    /// Writes that were lost or misdirected, by [`lies::Fate`].
    pub(super) lies: [u64; 3],
}

impl Verdict {
    pub(super) fn add(&mut self, more: &Verdict) {
        self.lives += more.lives;
        self.steps += more.steps;
        self.cleanings += more.cleanings;
        self.removed += more.removed;
        self.calls += more.calls;
        self.completions += more.completions;
        self.changes += more.changes;
        for (sum, more) in self.lies.iter_mut().zip(more.lies) {
            *sum += more;
        }
        for (sum, more) in self.rows.iter_mut().zip(more.rows) {
            *sum += more;
        }
    }
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    PowerCut,
}

pub(crate) fn options(seed: u64, durability: Durability) -> StoreOptions {
    let mut random = SmallRng::seed_from_u64(seed ^ 0x5eed);
    StoreOptions {
        directory: PathBuf::from(DIRECTORY),
        commit_apart: None,
        name: StoreName::Shard(0),
        shards: 1,
        durability,
        dirty_bytes_max: 256 << 10,
        clean_bytes_max: 32 << 10,
        log_file_bytes: 64 << 10,
        log_files: 3 + random.random_range(0..2),
        extent_bytes_min: if random.random_ratio(1, 5) { usize::MAX } else { 6 << 10 },
        group_bytes_max: 16 << 10,
        removal_bytes: 8 << 10,
        drain_bytes: (random.random_range(1..5) * 8) << 10,
        files_max: random.random_range(8..20),
        sync_every: Duration::from_millis(random.random_range(5..60)),
        idle_after: Duration::from_millis(random.random_range(1..10)),
        retention_every: Duration::from_millis(50),
        producer_expiration_ms: i64::MAX,
        cleaner: CleanerOptions {
            // Room for a few keys, or for all.
            map_bytes: if random.random_ratio(1, 2) {
                24 * random.random_range(2..12)
            } else {
                1 << 12
            },
            io_bytes: 4096 << random.random_range(0..3),
            backoff: Duration::from_millis(random.random_range(1..30)),
            ..CleanerOptions::default()
        },
        scrub: ScrubOptions {
            bytes_per_second: f64::MAX,
            io_bytes: 4096 << random.random_range(0..4),
            every: Duration::from_millis(random.random_range(10..200)),
        },
    }
}

/// Runs one seed: about ten lives.
pub(super) fn run_seed(scope: &Scope, tell: bool) -> Verdict {
    let seed = scope.seed;
    let mut random = SmallRng::seed_from_u64(scope.random_seed());
    let disk = Disk::new();
    disk.set_syncfs(seed % 4 != 1);
    disk.make_directory(Path::new(DIRECTORY));
    let durability = if random.random_ratio(1, 2) { Durability::Sync } else { Durability::Written };
    let options = options(seed, durability);
    let model = Model::new(scope.clone(), tell.then(Vec::new));
    let model = Rc::new(RefCell::new(model));
    topics::first_topics(&mut model.borrow_mut(), &mut random);
    let mut shards = if scope.has(Part::Shards) { random.random_range(1..4) } else { 1 };
    model.borrow_mut().shards = shards;
    let mut verdict = Verdict::default();
    let mut clock = Duration::ZERO;
    let lying =
        (random.random_ratio(1, 5) && scope.has(Part::Lies)).then(|| random.random_range(0..8));
    for life in 0..random.random_range(4..14).min(scope.lives) {
        let runtime = Simulated::new(random.random(), disk.clone(), clock);
        // Between two lives the size of log files may be changed.
        let log_file_bytes = [64 << 10, 64 << 10, 48 << 10, 96 << 10][random.random_range(0..4)];
        if random.random_ratio(1, 4) && scope.has(Part::Shards) {
            shards = random.random_range(1..4);
        }
        let options = StoreOptions { log_file_bytes, shards, ..options.clone() };
        model.borrow_mut().tell(|| format!("life {life}: {durability:?}"));
        let before = model.borrow().shards;
        model.borrow_mut().logs.values_mut().for_each(|log| log.restarted = false);
        if Some(life) == lying {
            model.borrow_mut().lie = Some(lies::lie(&mut random));
        }
        let end = one_life(&runtime, &options, &model, &mut verdict, &mut random);
        clock = runtime.clock();
        verdict.changes += u64::from(model.borrow().shards != before);
        verdict.steps += runtime.steps();
        verdict.lives += 1;
        let (cleanings, removed) = std::mem::take(&mut model.borrow_mut().cleaned);
        (verdict.cleanings, verdict.removed) =
            (verdict.cleanings + cleanings, verdict.removed + removed);
        let has_lied = disk.injected() > 0;
        disk.inject_no_more();
        if has_lied {
            // It has seen what it should not; now it is judged.
            model.borrow_mut().failure = None;
        }
        finish_life(runtime, end, &model);
        if has_lied {
            let options = StoreOptions { shards: model.borrow().shards, ..options };
            let runtime = Simulated::new(random.random(), disk.clone(), clock);
            match lies::judge(&runtime, &options, &model) {
                Ok(fate) => verdict.lies[fate as usize] += 1,
                Err(what) => model.borrow_mut().fail(format!("after a lie: {what}")),
            }
            runtime.kill();
            break;
        }
        shards = model.borrow().shards;
        if model.borrow().failure.is_some() {
            break;
        }
        if random.random_ratio(1, 3) && scope.has(Part::Rot) {
            rot(&disk, &options, seed, clock, &model, &mut random);
        }
    }
    verdict.calls = model.borrow().calls;
    verdict.completions = disk.operations();
    verdict.failure = model.borrow_mut().failure.take();
    verdict
}

/// Runs a life up to the moment at which it ends, and says how.
fn one_life(
    runtime: &Simulated,
    options: &StoreOptions,
    model: &Rc<RefCell<Model>>,
    verdict: &mut Verdict,
    random: &mut SmallRng,
) -> End {
    let scope = model.borrow().scope.clone();
    let faults = match random.random_range(0..24) {
        _ if !scope.has(Part::Errors) => Faults::default(),
        0 | 1 => Faults { error_one_in: 400, ..Faults::default() },
        2 => Faults { error_one_in: 40, full_syncs: true, ..Faults::default() },
        _ => Faults::default(),
    };
    runtime.disk().set_faults(faults);
    runtime.disk().set_room(None);
    if random.random_ratio(1, 3) && scope.has(Part::SlowWrites) {
        runtime.slow_writes();
    }
    // A crash inside recovery now and then, else somewhere in the work.
    let steps = if random.random_ratio(1, 4) {
        random.random_range(1..150)
    } else {
        random.random_range(100..4000)
    };
    let steps = steps.min(scope.steps);
    let mut end = if random.random_ratio(1, 2) || faults.error_one_in > 0 {
        End::PowerCut
    } else {
        End::Kill
    };
    model.borrow_mut().tell(|| format!("{steps} steps, then {end:?}, {faults:?}"));
    let rows = Rc::new(RefCell::new([0; Row::ALL.len()]));
    let life = workload::live(runtime.clone(), options.clone(), Rc::clone(model), Rc::clone(&rows));
    match runtime.run(steps, life) {
        Some(Err(error)) if faults.error_one_in == 0 => {
            model.borrow_mut().fail(format!("it cannot be opened: {error}"));
        }
        Some(_) => {}
        None => match random.random_range(0..7) {
            // A crash in the middle of a group and its extents leaves the most.
            0 | 1 => runtime.run_on_to_writes(500),
            2 => {
                runtime.run_on_into_syncs(500);
                end = End::PowerCut;
            }
            // After a lie it ends in a kill or a power cut.
            3 if faults.error_one_in == 0
                && scope.has(Part::Stops)
                && runtime.disk().injected() == 0 =>
            {
                stop_now(runtime, model);
            }
            _ => {}
        },
    }
    for (sum, more) in verdict.rows.iter_mut().zip(*rows.borrow()) {
        *sum += more;
    }
    end
}

/// Wherever the life stands, it comes to a clean stop: nothing waits for ever.
fn stop_now(runtime: &Simulated, model: &Rc<RefCell<Model>>) {
    runtime.disk().set_faults(Faults::default());
    runtime.disk().set_room(None);
    model.borrow_mut().stopping = true;
    let is_done = || {
        let model = model.borrow();
        model.clean || model.offline || model.failure.is_some()
    };
    if !runtime.run_on_until(STEPS_TO_STOP, is_done) {
        model.borrow_mut().fail(format!("no clean stop within {STEPS_TO_STOP} steps"));
    }
}

/// Ends the process; what the model may ask of the next life depends on how.
fn finish_life(runtime: Simulated, end: End, model: &Rc<RefCell<Model>>) {
    let mut model = model.borrow_mut();
    let end = if model.offline { End::PowerCut } else { end };
    for log in model.logs.values_mut() {
        log.compaction.missing.clear();
        if end == End::PowerCut {
            log.written = log.durable;
        }
    }
    model.was_clean = model.clean;
    (model.offline, model.clean) = (false, false);
    (model.stopping, model.was_full) = (false, false);
    drop(model);
    match end {
        End::Kill => runtime.kill(),
        End::PowerCut => runtime.power_cut(),
    }
}

/// Flips a bit where every mark says that the bytes were durable: the directory must be refused, or serve everything.
fn rot(
    disk: &Disk,
    options: &StoreOptions,
    seed: u64,
    clock: Duration,
    model: &Rc<RefCell<Model>>,
    random: &mut SmallRng,
) {
    let shards = model.borrow().shards;
    let name = StoreName::Shard(random.random_range(0..shards));
    let options = &StoreOptions { name, shards, ..options.clone() };
    let Some((path, position)) = durable_byte(disk, options, random) else { return };
    disk.flip(&path, position);
    model.borrow_mut().tell(|| format!("rot: {} at {position}", path.display()));
    let copy = disk.copy();
    copy.set_faults(Faults::default());
    copy.set_room(None);
    let runtime = Simulated::new(seed, copy, clock);
    let rows = Rc::default();
    let opened = runtime
        .run(100_000, opening::open_only(runtime.clone(), options.clone(), Rc::clone(model), rows));
    runtime.kill();
    match opened {
        Some(Err(OpenError::Rot { .. } | OpenError::Manifest { .. })) => {}
        Some(Ok(None)) => {}
        other => {
            model.borrow_mut().fail(format!("rot at {} {position}: {other:?}", path.display()))
        }
    }
    disk.flip(&path, position);
}

/// A byte of a group that the log still needs and that some mark covers.
pub(super) fn durable_byte(
    disk: &Disk,
    options: &StoreOptions,
    random: &mut SmallRng,
) -> Option<(PathBuf, usize)> {
    let manifest =
        disk.content(&options.directory.join(format!("odradek-{}.manifest", options.name)))?;
    let manifest = Manifest::decode(&manifest.into())?;
    if manifest.clean.is_some() {
        return None;
    }
    let names = disk.names(&options.directory);
    let mut groups = Vec::new();
    let mut mark = manifest.mark;
    for name in names.iter().filter(|name| name.ends_with(".commit")) {
        let path = options.directory.join(name);
        let content = disk.content(&path)?;
        for position in (0..content.len()).step_by(BLOCK) {
            if let Some((header, _)) = GroupHeader::decode(&content[position..])
                && header.id == manifest.id
            {
                mark = mark.max(header.mark);
                groups.push((path.clone(), position, header));
            }
        }
    }
    let needed =
        |header: &GroupHeader| header.sequence >= manifest.first && header.sequence <= mark;
    let groups: Vec<_> = groups.into_iter().filter(|(_, _, header)| needed(header)).collect();
    if groups.is_empty() || mark == GroupSequence(0) {
        return None;
    }
    // The newest ones are what only the last mark speaks for.
    let last = groups.iter().max_by_key(|(_, _, header)| header.sequence)?;
    let any = &groups[random.random_range(0..groups.len())];
    let (path, position, header) =
        if random.random_ratio(1, 2) { last.clone() } else { any.clone() };
    Some((path, position + random.random_range(0..header.length as usize)))
}
