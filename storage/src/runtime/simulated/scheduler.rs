//! One life of a simulated process: its tasks, what it has asked of the disk, its timers and its clock.
//!
//! Each step does one thing, chosen by the seed: polls a woken task, or completes one operation in flight. Time moves a
//! little with each step, and to the next timer when nothing else can move (now and then also earlier, which is a slow
//! disk).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::disk::{Begun, Disk, Inode, Operation, Output};
use super::{Pending, Slot};

/// A process on a simulated machine. Clones are the same process.
#[derive(Clone)]
pub struct Simulated(Rc<World>);

struct World {
    random: RefCell<SmallRng>,
    disk: Disk,
    clock: Cell<Duration>,
    steps: Cell<u64>,
    tasks: RefCell<Vec<Task>>,
    /// Of these, those that are woken: found in each step.
    runnable: RefCell<Vec<usize>>,
    in_flight: RefCell<Vec<(Begun, Slot)>>,
    timers: RefCell<Vec<(Duration, Slot)>>,
    opened: RefCell<BTreeMap<Inode, Rc<()>>>,
    /// Operations that the disk takes its time for.
    stalled: RefCell<Vec<(Duration, Begun, Slot)>>,
    dead: Cell<bool>,
    /// Plain writes take long: they are passed over most of the time.
    has_slow_writes: Cell<bool>,
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Simulated {
    /// A new process on `disk`. `clock` goes on from the life before.
    #[must_use]
    pub fn new(seed: u64, disk: Disk, clock: Duration) -> Self {
        Simulated(Rc::new(World {
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            disk,
            clock: Cell::new(clock),
            steps: Cell::new(0),
            tasks: RefCell::default(),
            runnable: RefCell::default(),
            in_flight: RefCell::default(),
            timers: RefCell::default(),
            opened: RefCell::default(),
            stalled: RefCell::default(),
            dead: Cell::new(false),
            has_slow_writes: Cell::new(false),
        }))
    }

    /// From now on plain writes (those without DSYNC) take much longer than anything else.
    pub fn slow_writes(&self) {
        self.0.has_slow_writes.set(true);
    }

    /// What all who have this file open share.
    pub(super) fn opened(&self, inode: Inode) -> Rc<()> {
        Rc::clone(self.0.opened.borrow_mut().entry(inode).or_default())
    }

    #[must_use]
    pub fn clock(&self) -> Duration {
        self.0.clock.get()
    }

    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.0.disk
    }

    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.steps.get()
    }

    pub fn with_random<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        draw(&mut self.0.random.borrow_mut())
    }

    /// Runs until `main` ends, or for `steps` steps: then `None`, and the process stands still in the middle of whatever
    /// it was doing.
    pub fn run<T: 'static>(
        &self,
        steps: u64,
        main: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&result);
        self.add_task(Box::pin(async move {
            let value = main.await;
            *slot.borrow_mut() = Some(value);
        }));
        for _ in 0..steps {
            if let Some(value) = result.borrow_mut().take() {
                return Some(value);
            }
            assert!(self.step(), "every task waits and nothing is in flight: a lost wake");
        }
        result.borrow_mut().take()
    }

    /// Goes on until this is so, for at most `steps` steps and as long as anything moves; false if it is not so then.
    pub fn run_on_until(&self, steps: u64, is_so: impl Fn() -> bool) -> bool {
        for _ in 0..steps {
            if is_so() {
                return true;
            }
            if !self.step() {
                break;
            }
        }
        is_so()
    }

    /// Goes on for at most `steps` steps, until several writes are in flight at once.
    pub fn run_on_to_writes(&self, steps: u64) {
        self.run_on_until(steps, || self.in_flight(Begun::is_write) > 1);
    }

    /// Goes on for at most `steps` steps, until some of several syncs that were in flight at once have returned, and others not.
    pub fn run_on_into_syncs(&self, steps: u64) {
        let syncs = || self.in_flight(Begun::is_sync);
        if self.run_on_until(steps, || syncs() > 1) {
            let begun = syncs();
            self.run_on_until(steps, || syncs() < begun);
            // Whoever waits for the first may act on it.
            let few = self.with_random(|random| random.random_range(1..12));
            self.run_on_until(few, || syncs() == 0);
        }
    }

    fn in_flight(&self, is_one: impl Fn(&Begun) -> bool) -> usize {
        self.0.in_flight.borrow().iter().filter(|(begun, _)| is_one(begun)).count()
    }

    /// Does one thing; false if there is nothing to do, now or later.
    fn step(&self) -> bool {
        let world = &self.0;
        world.steps.set(world.steps.get() + 1);
        world.clock.set(
            world.clock.get() + Duration::from_micros(self.with_random(|r| r.random_range(1..40))),
        );
        world.disk.land_one_late(&mut world.random.borrow_mut());
        self.fire_due_timers();
        let mut runnable = world.runnable.borrow_mut();
        runnable.clear();
        runnable.extend(
            world
                .tasks
                .borrow()
                .iter()
                .enumerate()
                .filter(|(_, task)| task.future.is_some() && task.woken.0.load(Ordering::Relaxed))
                .map(|(index, _)| index),
        );
        let in_flight = world.in_flight.borrow().len();
        let choices = runnable.len() + in_flight;
        if choices == 0 || self.with_random(|r| r.random_ratio(1, 400)) {
            return self.jump_to_next_timer() || choices > 0;
        }
        let choice = self.with_random(|r| r.random_range(0..choices));
        let (chosen, count) = (runnable.get(choice).copied(), runnable.len());
        drop(runnable);
        match chosen {
            Some(index) => self.poll(index),
            None if self.is_passed_over(choice - count) => {}
            None => self.complete(choice - count),
        }
        true
    }

    fn is_passed_over(&self, index: usize) -> bool {
        self.0.has_slow_writes.get()
            && self.0.in_flight.borrow()[index].0.is_plain_write()
            && self.with_random(|random| random.random_ratio(49, 50))
    }

    fn poll(&self, index: usize) {
        let (mut future, woken) = {
            let mut tasks = self.0.tasks.borrow_mut();
            let task = &mut tasks[index];
            task.woken.0.store(false, Ordering::Relaxed);
            let Some(future) = task.future.take() else { return };
            (future, Arc::clone(&task.woken))
        };
        let waker = Waker::from(woken);
        if future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
            self.0.tasks.borrow_mut()[index].future = Some(future);
        }
    }

    fn complete(&self, index: usize) {
        let (begun, slot) = self.0.in_flight.borrow_mut().swap_remove(index);
        let result = self.0.disk.complete(begun, &mut self.0.random.borrow_mut());
        slot.complete(result);
    }

    fn fire_due_timers(&self) {
        let now = self.0.clock.get();
        let is_any = self.0.timers.borrow().iter().any(|(at, _)| *at <= now);
        if !is_any && self.0.stalled.borrow().is_empty() {
            return;
        }
        let due: Vec<Slot> = {
            let mut timers = self.0.timers.borrow_mut();
            let due =
                timers.iter().filter(|(at, _)| *at <= now).map(|(_, slot)| slot.clone()).collect();
            timers.retain(|(at, _)| *at > now);
            due
        };
        for slot in due {
            slot.complete(Ok(Output::Unit));
        }
        let is_due = |stalled: &mut (Duration, Begun, Slot)| stalled.0 <= now;
        let due = self.0.stalled.borrow_mut().extract_if(.., is_due).collect::<Vec<_>>();
        self.0.in_flight.borrow_mut().extend(due.into_iter().map(|(_, begun, slot)| (begun, slot)));
    }

    fn jump_to_next_timer(&self) -> bool {
        let next = {
            let (timers, stalled) = (self.0.timers.borrow(), self.0.stalled.borrow());
            let stalled = stalled.iter().map(|(at, ..)| *at);
            timers.iter().map(|(at, _)| *at).chain(stalled).min()
        };
        match next {
            Some(at) => {
                self.0.clock.set(self.0.clock.get().max(at));
                self.fire_due_timers();
                true
            }
            None => false,
        }
    }

    pub(super) fn begin(&self, operation: Operation) -> Pending {
        let slot = Slot::default();
        if self.0.dead.get() {
            return Pending(slot);
        }
        let (begun, stall) = self.0.disk.begin(operation);
        match stall {
            None => self.0.in_flight.borrow_mut().push((begun, slot.clone())),
            Some(time) => {
                let due = self.0.clock.get() + time;
                self.0.stalled.borrow_mut().push((due, begun, slot.clone()));
            }
        }
        Pending(slot)
    }

    pub(super) fn begin_timer(&self, time: Duration) -> Pending {
        let slot = Slot::default();
        self.0.timers.borrow_mut().push((self.0.clock.get() + time, slot.clone()));
        Pending(slot)
    }

    /// What the lock in the ring gives: it is free once the last write of the process before has landed.
    pub(super) async fn wait_for_late_writes(&self) {
        self.0.disk.land_all_late(&mut self.0.random.borrow_mut());
    }

    pub(super) fn add_task(&self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let task = Task { future: Some(future), woken: Arc::new(Woken(AtomicBool::new(true))) };
        let mut tasks = self.0.tasks.borrow_mut();
        match tasks
            .iter_mut()
            .find(|task| task.future.is_none() && Arc::strong_count(&task.woken) == 1)
        {
            Some(free) => *free = task,
            None => tasks.push(task),
        }
    }

    /// The process ends here, as by `kill -9`: its writes in flight land now, later, in part or never.
    pub fn kill(self) {
        let in_flight = self.end();
        self.0.disk.kill(in_flight, &mut self.0.random.borrow_mut());
    }

    /// The machine loses power here: of what no sync covers, each sector is kept or lost, names likewise.
    pub fn power_cut(self) {
        let in_flight = self.end();
        self.0.disk.power_cut(in_flight, &mut self.0.random.borrow_mut());
    }

    fn end(&self) -> Vec<Begun> {
        self.0.dead.set(true);
        let stalled = self.0.stalled.borrow_mut().drain(..).map(|(_, begun, _)| begun).collect();
        let mut in_flight: Vec<Begun> = stalled;
        in_flight.extend(self.0.in_flight.borrow_mut().drain(..).map(|(begun, _)| begun));
        let tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
        drop(tasks);
        self.0.timers.borrow_mut().clear();
        self.0.in_flight.borrow_mut().clear();
        in_flight
    }
}
