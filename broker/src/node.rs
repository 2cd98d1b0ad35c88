//! The process put together: its executors, the queues between them, their guard, and the order in which they begin and end.
//!
//! Begin: the directory is locked and the ports are bound (so that a conflict is found at once), then the controller's executor
//! replays the metadata, has every shard open its log directory, and lets them listen; [`Node::start`] returns when all do.
//! End: [`Node::stop`] asks the controller, which stops the shards, closes what is open and marks the clean stop.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{anyhow, bail};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use net::connections::Connections;
use net::mesh::{self, Port as MeshPort};
use ring::{Ring, RingOptions};

use crate::calls::QUEUE;
use crate::config::Config;
use crate::controller::{self, OnFatal};
use crate::directories::Directories;
use crate::guard::{self, Guarded, Pulse};
use crate::message::{Answer, Ask, Message};
use crate::outside::Outside;
use crate::ports;
use crate::shard::{Own, Shard};
use crate::share::slots::Slots;

/// What each of glommio's own three rings registers, and so locks, of memory: its least. Files and sockets go through our rings; the 2 MiB
/// that it would take otherwise are missing to them under a plain user's limit.
pub const IO_MEMORY: usize = 64 << 10;
/// Operations that a shard's ring takes before it must be entered.
const RING_ENTRIES: u32 = 1024;
/// Threads of the kernel that a ring may use for what cannot be done without blocking.
const WORKERS_MAX: u32 = 8;
/// For want of memory that another process is about to give back.
const RETRIES: u32 = 50;
const RETRY: Duration = Duration::from_millis(100);

/// What is open.
pub struct Ready {
    pub listeners: Vec<(String, SocketAddr)>,
    pub shards: usize,
}

/// A running node.
pub struct Node {
    ready: Ready,
    outside: Arc<Outside>,
    threads: Vec<JoinHandle<()>>,
    guard: Option<JoinHandle<()>>,
    guard_stops: Arc<AtomicBool>,
    controller: usize,
}

/// How an executor shows its guard where it can be woken.
type Born = mpsc::Sender<anyhow::Result<Guarded>>;

impl Node {
    /// Starts everything; returns when connections are accepted.
    pub fn start(config: Arc<Config>) -> anyhow::Result<Node> {
        Node::start_with(config, Arc::new(|why| tracing::error!(why, "the node cannot go on")))
    }

    /// The same; `on_fatal` is told, on any thread, when the node cannot go on: its metadata, or its last log directory, is gone. Nothing
    /// that is acknowledged depends on what it does, but nothing is served any more.
    pub fn start_with(config: Arc<Config>, on_fatal: OnFatal) -> anyhow::Result<Node> {
        let directories = Directories::find(&config)?;
        let count = usize::from(config.shards());
        let bound = ports::bind(config.listeners(), count)?;
        let listeners = bound.addresses.clone();
        let mut ends = mesh::mesh::<Message>(count + 2, QUEUE);
        let (Some(outside), Some(control)) = (ends.pop(), ends.pop()) else {
            bail!("the mesh has too few ends");
        };
        let connections = Connections::new(config.connections.clone());
        let share_slots = Slots::new(config.share_sessions_max());
        let mut threads = Vec::with_capacity(count + 1);
        let (born, births) = mpsc::channel();
        for (number, (end, ports)) in ends.into_iter().zip(bound.by_shard).enumerate() {
            let own = Own {
                number,
                pulse: Arc::default(),
                ports,
                connections: Arc::clone(&connections),
                share_slots: Arc::clone(&share_slots),
            };
            threads.push(spawn_shard(own, Arc::clone(&config), end, born.clone())?);
        }
        threads.push(spawn_controller(
            controller::Own {
                config,
                directories,
                on_fatal,
                listeners: listeners.clone(),
                pulse: Arc::default(),
            },
            control,
            born,
        )?);
        let mut guarded = Vec::with_capacity(threads.len());
        for _ in &threads {
            guarded.push(
                births
                    .recv()
                    .map_err(|_| anyhow!("an executor died at its start: see the log"))??,
            );
        }
        let guard_stops = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&guard_stops);
        let guard = std::thread::Builder::new()
            .name("guard".into())
            .spawn(move || guard::watch(&guarded, &stops))?;
        let mut node = Node {
            ready: Ready { listeners, shards: count },
            outside: Outside::start(outside)?,
            threads,
            guard: Some(guard),
            guard_stops,
            controller: count,
        };
        match node.outside.ask(node.controller, Ask::Serve)? {
            Answer::Serving(Ok(())) => Ok(node),
            Answer::Serving(Err(error)) => {
                // Its locks are free for whoever tries again.
                node.leave()?;
                bail!(error)
            }
            _ => bail!("the controller's executor gave another answer than was asked"),
        }
    }

    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// For the admin server: asks every executor.
    pub fn outside(&self) -> Arc<Outside> {
        Arc::clone(&self.outside)
    }

    /// Ends everything; returns when all that was accepted is in the segments and the clean stop is marked.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let stopped = match self.outside.ask(self.controller, Ask::Stop)? {
            Answer::Sealed(stopped) => stopped,
            _ => bail!("the controller's executor gave another answer than was asked"),
        };
        self.leave()?;
        stopped.map_err(|error| anyhow!(error))
    }

    /// Ends the executors and their guard.
    fn leave(&mut self) -> anyhow::Result<()> {
        for executor in 0..=self.controller {
            self.outside.post(executor, Message::Leave);
        }
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| anyhow!("an executor panicked while it stopped"))?;
        }
        self.guard_stops.store(true, Ordering::Relaxed);
        if let Some(guard) = self.guard.take() {
            guard.join().map_err(|_| anyhow!("the guard panicked"))?;
        }
        Ok(())
    }
}

/// Tries again for the same reason as [`ring`] does.
#[expect(clippy::disallowed_methods, reason = "the thread has no executor yet")]
fn new_executor(name: &str, placement: &Placement) -> glommio::Result<LocalExecutor, ()> {
    let make =
        || LocalExecutorBuilder::new(placement.clone()).name(name).io_memory(IO_MEMORY).make();
    for _ in 0..RETRIES {
        match make() {
            Err(glommio::GlommioError::IoError(error))
                if error.raw_os_error() == Some(libc::ENOMEM) =>
            {
                std::thread::sleep(RETRY);
            }
            made => return made,
        }
    }
    make()
}

async fn ring(born: &Born, pulse: &Arc<Pulse>) -> Option<Ring> {
    let options = RingOptions {
        entries: RING_ENTRIES,
        iowq_bounded_max: WORKERS_MAX,
        iowq_unbounded_max: WORKERS_MAX,
    };
    // The rings of a process that was just killed count against the limit of locked memory until they are torn down.
    let mut made = Ring::new(&options);
    for _ in 0..RETRIES {
        match made {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => sleep(RETRY).await,
            _ => break,
        }
        made = Ring::new(&options);
    }
    match made {
        Ok(ring) => {
            // The node waits for this: it cannot be gone.
            let _ = born.send(Ok(Guarded { wake: ring.wake_handle(), pulse: Arc::clone(pulse) }));
            Some(ring)
        }
        Err(error) => {
            let _ = born.send(Err(anyhow!(error).context("io_uring could not be set up")));
            None
        }
    }
}

/// A shard on a core of its own, as far as there are cores.
fn spawn_shard(
    own: Own,
    config: Arc<Config>,
    end: MeshPort<Message>,
    born: Born,
) -> anyhow::Result<JoinHandle<()>> {
    let number = own.number;
    let placement = match cores().get(number % cores().len().max(1)) {
        Some(core) => Placement::Fixed(*core),
        None => Placement::Unbound,
    };
    thread(format!("shard-{number}"), placement, born, move |born| async move {
        let Some(ring) = ring(&born, &own.pulse).await else { return };
        drop(born);
        let endpoint = Rc::new(end.attach(&ring));
        let shard = Shard::new(own, config, ring.clone(), Rc::clone(&endpoint));
        let pump = glommio::spawn_local(Rc::clone(&shard).pump());
        let deadlines = Rc::clone(&shard.deadlines).drive(crate::clock::monotonic, sleep);
        let deadlines = glommio::spawn_local(deadlines);
        Rc::clone(&shard).receive_all(endpoint).await;
        pump.cancel().await;
        deadlines.cancel().await;
        drop(shard);
        ring.close().await;
    })
}

async fn sleep(pause: Duration) {
    glommio::timer::sleep(pause).await;
}

fn spawn_controller(
    own: controller::Own,
    end: MeshPort<Message>,
    born: Born,
) -> anyhow::Result<JoinHandle<()>> {
    thread("controller".into(), Placement::Unbound, born, move |born| async move {
        let Some(ring) = ring(&born, &own.pulse).await else { return };
        drop(born);
        let endpoint = Rc::new(end.attach(&ring));
        controller::run(own, ring.clone(), endpoint).await;
        ring.close().await;
    })
}

/// Runs an executor on a thread of its own. glommio's `spawn` would do, but hides the join handle's kind.
fn thread<G, F>(
    name: String,
    placement: Placement,
    born: Born,
    make: G,
) -> anyhow::Result<JoinHandle<()>>
where
    G: FnOnce(Born) -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let builder = std::thread::Builder::new().name(name.clone());
    let handle = builder.spawn(move || match new_executor(&name, &placement) {
        Ok(executor) => executor.run(make(born)),
        // The node waits for this: it cannot be gone.
        Err(error) => drop(born.send(Err(anyhow!("executor {name} cannot start: {error}")))),
    })?;
    Ok(handle)
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let Ok(set) = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)) else {
        return Vec::new();
    };
    (0..nix::sched::CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect()
}
