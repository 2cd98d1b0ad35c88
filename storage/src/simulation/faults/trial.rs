//! One trial: a life with its fault, and the lives that judge what came of it.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::life::{DIRECTORY, options};
use super::check::Look;
use super::feed::{Life, Logs, open};
use super::wound::{Wound, wound};
use super::{Kind, Target};
use crate::config::{CleanerOptions, Durability, ScrubOptions, StoreName, StoreOptions};
use crate::error::OpenError;
use crate::recovery::{RecoveryReport, Row};
use crate::runtime::simulated::{Class, Disk, Fault, Injection, Simulated};

/// Far more than any of these lives takes.
pub(super) const STEPS: u64 = 3_000_000;

/// What became of a fault.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There was nothing that it could befall.
    NotInjected,
    /// A start refuses the directory.
    Refused,
    /// The store went offline, or an operation failed, and nothing acknowledged was lost.
    Answered,
    /// A read came across it. With the number of batches that are marked although it did not touch them.
    MarkedByRead(usize),
    MarkedByScrubber(usize),
    IndexRebuilt,
    /// The torn end of the log was cut, and nothing more.
    TornCut,
    /// Everything is as it was appended.
    Harmless,
    Violation(String),
}

impl Outcome {
    /// Its name in the table. None where nothing was injected.
    pub(super) fn told(&self) -> Option<(&'static str, usize)> {
        match self {
            Outcome::NotInjected => None,
            Outcome::Refused => Some(("refused by recovery", 0)),
            Outcome::Answered => Some(("answered with an error", 0)),
            Outcome::MarkedByRead(beside) => Some(("marked by a read", *beside)),
            Outcome::MarkedByScrubber(beside) => Some(("marked by the scrubber", *beside)),
            Outcome::IndexRebuilt => Some(("index built anew", 0)),
            Outcome::TornCut => Some(("torn end cut", 0)),
            Outcome::Harmless => Some(("without consequence", 0)),
            Outcome::Violation(_) => Some(("NOT ACCOUNTED FOR", 0)),
        }
    }
}

pub(super) struct Trial {
    pub(super) kind: Kind,
    pub(super) disk: Disk,
    pub(super) options: StoreOptions,
    pub(super) logs: Logs,
    pub(super) clock: Duration,
    pub(super) random: SmallRng,
    /// A recovery has cut a torn end.
    pub(super) torn: bool,
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Clean,
    Kill,
    PowerCut,
}

pub(super) fn run(kind: Kind, seed: u64) -> Outcome {
    let mut random = SmallRng::seed_from_u64(seed ^ 0xfa17);
    let disk = Disk::new();
    disk.make_directory(Path::new(DIRECTORY));
    let durability = if random.random_ratio(3, 4) { Durability::Sync } else { Durability::Written };
    let is_metadata = [Kind::Flipped, Kind::Zeroed, Kind::Swapped, Kind::Stale]
        .iter()
        .any(|of| of(Target::MetadataLog) == kind);
    let name = if is_metadata { StoreName::Controller } else { StoreName::Shard(0) };
    let options = StoreOptions {
        name,
        cleaner: CleanerOptions { enabled: false, ..CleanerOptions::default() },
        // So that some of what is read comes from files.
        clean_bytes_max: 4 << 10,
        drain_bytes: 8 << 10,
        ..options(seed, durability)
    };
    let (logs, clock) = (Rc::new(RefCell::default()), Duration::ZERO);
    Trial { kind, disk, options, logs, clock, random, torn: false }.run()
}

impl Trial {
    fn run(mut self) -> Outcome {
        match self.first_life() {
            Ok(First::Wounded(wound)) => self.judge(Some(wound), false),
            Ok(First::Befallen { answered }) => self.judge(None, answered),
            Ok(First::NotInjected) => Outcome::NotInjected,
            Err(what) => Outcome::Violation(what),
        }
    }

    /// The options of a life; scrubbing all the time, or not at all.
    pub(super) fn options(&self, scrub: bool) -> StoreOptions {
        let scrub = ScrubOptions {
            bytes_per_second: if scrub { f64::MAX } else { 0.0 },
            io_bytes: 8 << 10,
            every: Duration::from_millis(20),
        };
        StoreOptions { scrub, ..self.options.clone() }
    }

    pub(super) fn process(&mut self) -> Simulated {
        Simulated::new(self.random.random(), self.disk.clone(), self.clock)
    }

    pub(super) fn end(&mut self, runtime: Simulated, end: End) {
        self.clock = runtime.clock();
        match end {
            End::Clean | End::Kill => runtime.kill(),
            End::PowerCut => runtime.power_cut(),
        }
    }

    fn injection(&mut self) -> Option<Injection> {
        let (class, fault, times) = match self.kind {
            Kind::WritesFail => (Class::Write, Fault::Error, u64::MAX),
            Kind::SyncsFail => (Class::Sync, Fault::Error, u64::MAX),
            Kind::ReadsFail => (Class::Read, Fault::Error, 3),
            Kind::SyncFailsOnce => (Class::Sync, Fault::Error, 1),
            Kind::Full => (Class::Allocation, Fault::Full, u64::MAX),
            Kind::Stalls => {
                let time = Duration::from_millis(self.random.random_range(10..5_000));
                let class =
                    [Class::Read, Class::Write, Class::Sync][self.random.random_range(0..3)];
                (class, Fault::Stall(time), self.random.random_range(1..5))
            }
            Kind::WriteLost => (Class::Write, Fault::Lost, 1),
            Kind::WriteMisdirected => (Class::Write, Fault::Misdirected, 1),
            _ => return None,
        };
        let after = self.random.random_range(0..30);
        Some(Injection { class, fault, after, times })
    }

    fn first_life(&mut self) -> Result<First, String> {
        let injection = self.injection();
        // Some of the errors fall on a recovery.
        if let Some(injection) = injection
            && matches!(self.kind, Kind::WritesFail | Kind::SyncsFail | Kind::ReadsFail)
            && self.random.random_ratio(1, 4)
        {
            self.work(None, End::Kill)?;
            let after = injection.after % 8;
            let worked = self.work(Some(Injection { after, ..injection }), End::PowerCut)?;
            return Ok(worked);
        }
        // Not every death tears something.
        for _ in 0..if self.kind == Kind::TornTail { 30 } else { 0 } {
            if self.torn {
                return Ok(First::Befallen { answered: false });
            }
            let end = [End::Kill, End::PowerCut][self.random.random_range(0..2)];
            self.work(None, end)?;
        }
        let end = match self.kind {
            Kind::TornTail => [End::Kill, End::PowerCut][self.random.random_range(0..2)],
            Kind::WritesFail | Kind::SyncsFail | Kind::SyncFailsOnce => End::PowerCut,
            _ => [End::Clean, End::Kill, End::PowerCut][self.random.random_range(0..3)],
        };
        self.work(injection, end)
    }

    /// A life of work, and what is done to the disk at its end.
    fn work(&mut self, injection: Option<Injection>, end: End) -> Result<First, String> {
        let runtime = self.process();
        let (options, logs) = (self.options(false), Rc::clone(&self.logs));
        let is_new = self.logs.borrow().is_empty();
        let older = Rc::new(RefCell::new(self.disk.copy()));
        let (disk, kind, copy) = (self.disk.clone(), self.kind, Rc::clone(&older));
        let batches = self.random.random_range(20..70);
        let was_torn = Rc::new(Cell::new(false));
        let torn = Rc::clone(&was_torn);
        let main = {
            let runtime = runtime.clone();
            async move {
                if !is_new {
                    disk.inject(injection);
                }
                let life = match open(&runtime, options.clone(), &logs).await {
                    Ok((life, report)) => {
                        torn.set(is_torn(&report));
                        life
                    }
                    Err(OpenError::Io { .. }) => return Ok(true),
                    Err(error) => return Err(format!("it cannot be opened: {error}")),
                };
                cut(&life)?;
                life.feed(batches / 2).await;
                *copy.borrow_mut() = disk.copy();
                if is_new {
                    disk.inject(injection);
                }
                life.feed(batches).await;
                if kind == Kind::TornTail {
                    return Ok(false);
                }
                finish(&life, &options, end, injection).await
            }
        };
        let answered = if self.kind == Kind::TornTail {
            runtime.run(self.random.random_range(200..1_500), main).transpose()?;
            runtime.run_on_to_writes(500);
            false
        } else {
            runtime.run(STEPS, main).ok_or("it does not come to an end")??
        };
        self.torn |= was_torn.get();
        let injected = self.disk.injected();
        self.disk.inject(None);
        self.end(runtime, if answered { End::PowerCut } else { end });
        if self.kind == Kind::TornTail {
            return Ok(First::Befallen { answered });
        }
        if injection.is_some() {
            let befallen = First::Befallen { answered };
            return Ok(if injected > 0 { befallen } else { First::NotInjected });
        }
        if [Kind::Flipped, Kind::Zeroed].iter().any(|of| of(Target::Marks) == self.kind) {
            self.mark_something(&older.borrow())?;
        }
        let older = older.borrow();
        let found = wound(self.kind, &self.disk, &older, &self.options, &mut self.random);
        Ok(found.map_or(First::NotInjected, First::Wounded))
    }

    /// Damages a log, and lets the scrubber mark it.
    fn mark_something(&mut self, older: &Disk) -> Result<(), String> {
        let kind = Kind::Flipped(Target::Log);
        wound(kind, &self.disk, older, &self.options, &mut self.random);
        self.life(true, Look::First, End::Kill).map(|_| ())
    }
}

pub(super) fn is_torn(report: &RecoveryReport) -> bool {
    report.rows[Row::TornGroup as usize] + report.rows[Row::TornExtent as usize] > 0
}

/// What came of the first life.
enum First {
    NotInjected,
    Wounded(Wound),
    Befallen { answered: bool },
}

/// What was never durable may be gone, and what was found is.
pub(super) fn cut(life: &Life) -> Result<(), String> {
    for (id, expected) in &mut *life.logs.borrow_mut() {
        let Some(log) = life.store.log(*id) else { continue };
        if log.end() < expected.durable {
            let durable = expected.durable;
            return Err(format!("{durable:?} was durable, the log ends at {:?}", log.end()));
        }
        expected.batches.retain(|batch| batch.last < log.end());
        expected.durable = expected.durable.max(log.durable());
    }
    Ok(())
}

/// Lets everything come to rest, then stops. True if the store is offline, or reads failed.
pub(super) async fn finish(
    life: &Life,
    options: &StoreOptions,
    end: End,
    injection: Option<Injection>,
) -> Result<bool, String> {
    let fault = injection.map(|injection| injection.fault);
    if fault == Some(Fault::Full) {
        life.pause(100).await;
        life.runtime.disk().inject_no_more();
        life.feed(5).await;
    }
    if matches!(fault, Some(Fault::Stall(_))) {
        life.pause(30_000).await;
    }
    // The last group's mark is carried by an empty one.
    life.pause(2_000).await;
    let offline = life.offline.get() || life.store.offline().is_some();
    if offline || life.read_errors.get() > 0 {
        return match fault {
            Some(Fault::Error) => Ok(true),
            _ => Err(format!("offline: {:?}", life.store.offline())),
        };
    }
    let waiting = life.logs.borrow().iter().any(|(_, expected)| {
        expected.batches.last().is_some_and(|last| expected.durable <= last.last)
    });
    if waiting {
        return Err("batches never become durable".to_owned());
    }
    if end == End::Clean && !life.stop(options).await {
        return match fault {
            Some(Fault::Error) => Ok(true),
            _ => Err("no clean stop".to_owned()),
        };
    }
    Ok(false)
}
