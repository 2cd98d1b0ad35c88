//! A shard on a thread of its own, with a service whose requests say what to do; and a client.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]

pub(crate) mod transfer;

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use bytes::Bytes;
use glommio::{LocalExecutorBuilder, Placement};
use net::{
    Net,
    connection::{CloseReason, Limits, Outcome, Peer, Service},
    connections::{Connections, Rules},
    listener::{self, Listener},
    send::{FilePath, FileRange, Part, Parts},
};
use ring::{Ring, RingOptions, WakeHandle};

#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) connections_max: usize,
    pub(crate) receive_bytes: usize,
    pub(crate) path: FilePath,
    pub(crate) file: Option<PathBuf>,
    pub(crate) drain: Duration,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            limits: Limits::default(),
            connections_max: usize::MAX,
            receive_bytes: 32 << 20,
            path: FilePath::Auto,
            file: None,
            drain: Duration::from_secs(5),
        }
    }
}

/// What the shard did, when it has ended.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) closed: Vec<(CloseReason, u64)>,
    pub(crate) requests: u64,
    pub(crate) receives: u64,
    pub(crate) sends: u64,
    pub(crate) enters: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) sendfile_bytes: u64,
    pub(crate) read_bytes: u64,
    pub(crate) splice_bytes: u64,
    pub(crate) read_ahead_bytes: u64,
    pub(crate) budget_left: usize,
    pub(crate) cpu: Duration,
}

impl Report {
    pub(crate) fn closed(&self, reason: CloseReason) -> u64 {
        self.closed.iter().find(|(other, _)| *other == reason).unwrap().1
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) budget: usize,
    used: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    wake: WakeHandle,
    thread: thread::JoinHandle<Report>,
}

impl Server {
    pub(crate) fn start(setup: Setup) -> Server {
        let socket = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener::local_address(&socket).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let used = Arc::new(AtomicUsize::new(0));
        let (send, receive) = mpsc::channel();
        let thread = thread::Builder::new().spawn({
            let (stop, used) = (Arc::clone(&stop), Arc::clone(&used));
            move || {
                let executor = LocalExecutorBuilder::new(Placement::Unbound)
                    .io_memory(1 << 20)
                    .make()
                    .unwrap();
                executor.run(async move {
                    let ring = Ring::new(&RingOptions::default()).unwrap();
                    let net = Net::new(&ring, setup.receive_bytes, setup.limits.frame_bytes_max);
                    net.set_file_path(setup.path);
                    let ready = || send.send((ring.wake_handle(), net.budget.total())).unwrap();
                    shard(&ring, &net, socket, setup, ready, &stop, &used).await
                })
            }
        });
        let (wake, budget) = receive.recv().unwrap();
        Server { address, budget, used, stop, wake, thread: thread.unwrap() }
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Client { stream }
    }

    /// The receive budget's use, up to a few milliseconds ago.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(self) -> Report {
        self.stop.store(true, Ordering::SeqCst);
        self.wake.wake();
        self.thread.join().unwrap()
    }
}

async fn shard(
    ring: &Ring,
    net: &Rc<Net>,
    socket: OwnedFd,
    setup: Setup,
    ready: impl FnOnce(),
    stop: &AtomicBool,
    used: &Arc<AtomicUsize>,
) -> Report {
    let file = setup.file.map(|path| Arc::new(OwnedFd::from(File::open(path).unwrap())));
    let service = Rc::new(Told { file });
    let connections = Connections::new(Rules { max: setup.connections_max, ..Rules::unlimited() });
    let listener =
        Listener::new(net, socket, "test".into(), setup.limits, connections, service).unwrap();
    ready();
    glommio::spawn_local({
        let (net, used) = (Rc::downgrade(net), Arc::clone(used));
        async move {
            while let Some(net) = net.upgrade() {
                used.store(net.budget.used(), Ordering::Relaxed);
                drop(net);
                glommio::timer::sleep(Duration::from_millis(5)).await;
            }
        }
    })
    .detach();
    std::future::poll_fn(|cx| {
        ring.on_wake(cx.waker());
        if stop.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    listener.close().await;
    listener.drain(setup.drain).await;
    let stats = &net.stats;
    assert_eq!(stats.connections.get(), 0);
    let report = Report {
        closed: CloseReason::ALL.map(|reason| (reason, stats.closed(reason))).to_vec(),
        requests: stats.requests.get(),
        receives: stats.receives.get(),
        sends: stats.sends.get(),
        enters: ring.stats().enters,
        memory_bytes: stats.memory_bytes.get(),
        sendfile_bytes: stats.sendfile_bytes.get(),
        read_bytes: stats.read_bytes.get(),
        splice_bytes: stats.splice_bytes.get(),
        read_ahead_bytes: stats.read_ahead_bytes.get(),
        budget_left: net.budget.used(),
        cpu: thread_cpu(),
    };
    ring.clone().close().await;
    report
}

pub(crate) fn thread_cpu() -> Duration {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    Duration::new(time.tv_sec().try_into().unwrap(), time.tv_nsec().try_into().unwrap())
}

/// Does what the first byte of a request says.
struct Told {
    file: Option<Arc<OwnedFd>>,
}

impl Service for Told {
    async fn call(self: Rc<Told>, _peer: Rc<Peer>, frame: Bytes) -> Outcome {
        match frame.first() {
            // Answered after so many milliseconds.
            Some(b'L') => Outcome::Later(Box::pin(async move {
                glommio::timer::sleep(Duration::from_millis(u64::from(frame[1]))).await;
                Some(answer([frame.into()]))
            })),
            // Keeps the shard busy for so many milliseconds.
            Some(b'B') => {
                let began = thread_cpu();
                while thread_cpu() - began < Duration::from_millis(u64::from(frame[1])) {}
                Outcome::Answer(answer([frame.into()]))
            }
            Some(b'S') => Outcome::Silent,
            Some(b'C') => Outcome::Close(CloseReason::Refused),
            Some(b'N') => Outcome::Later(Box::pin(async { None })),
            // A sum, in place of the bytes.
            Some(b'#') => {
                Outcome::Answer(answer([Bytes::from(sum(&frame).to_be_bytes().to_vec()).into()]))
            }
            // So many bytes of zero.
            Some(b'Z') => {
                let bytes =
                    usize::try_from(u64::from_be_bytes(frame[1..9].try_into().unwrap())).unwrap();
                let piece = Bytes::from_static(&[0; 1 << 16]);
                let pieces = (0..bytes.div_ceil(1 << 16))
                    .map(|n| piece.slice(..(bytes - (n << 16)).min(1 << 16)));
                Outcome::Answer(answer(pieces.map(Part::from)))
            }
            // Ranges of the file, with the request around each.
            Some(b'F') => {
                let number = |at: usize| u64::from_be_bytes(frame[at..at + 8].try_into().unwrap());
                let range = FileRange {
                    file: Arc::clone(self.file.as_ref().unwrap()),
                    position: number(1),
                    length: number(9),
                };
                let around = frame.slice(..1);
                Outcome::Answer(answer([around.clone().into(), range.into(), around.into()]))
            }
            _ => Outcome::Answer(answer([frame.into()])),
        }
    }
}

pub(crate) fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

/// The parts, their length in front.
fn answer(parts: impl IntoIterator<Item = Part>) -> Parts {
    let body: Parts = parts.into_iter().collect();
    let mut answer =
        Parts::from(Bytes::from(u32::try_from(body.len()).unwrap().to_be_bytes().to_vec()));
    answer.append(body);
    answer
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    pub(crate) fn send(&mut self, request: &[u8]) {
        self.stream.write_all(&frame(request)).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).unwrap();
        answer
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.send(request);
        self.receive()
    }

    /// Whether the other side ends the connection, after whatever it sends before.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

pub(crate) fn frame(request: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(request);
    frame
}

/// Bytes that differ everywhere.
pub(crate) fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
