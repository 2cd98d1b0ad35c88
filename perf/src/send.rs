//! One sender of prebuilt frames: what they cost the broker, not the client.
//!
//! One thread drives all connections by `poll`. Every Produce request carries the same batch to one partition, or to several of a topic with
//! `--together`; with `--groups` each request is an OffsetCommit instead, of one group in all partitions. Connections take the requests in
//! turn. With `--rate` it is an open loop: a request that could not leave on time counts
//! from when it was due.
//! It reports latencies, the longest time in which no answer came at all (`gap_ms`), and how many answers were errors.

use std::{
    collections::VecDeque,
    io::{ErrorKind, IoSlice, Read as _, Write as _},
    net::TcpStream,
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use hdrhistogram::Histogram;
use net::wire::{
    ErrorCode, decode_response, offset_commit::OffsetCommitRequest, produce::ProduceRequest,
    request,
};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use rand::{RngCore as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;

use crate::{
    args::{Args, report},
    batch::{self, Producer},
    client::{self, Client, OFFSET_COMMIT, PRODUCE},
};

/// What a run is: see the usage in `main`.
struct Plan {
    in_flight: usize,
    acks: i16,
    bytes: u64,
    until: Option<Duration>,
    /// Time between two requests; none is as fast as it goes.
    interval: Option<Duration>,
}

#[derive(Serialize)]
struct Answer {
    requests: u64,
    records: u64,
    bytes: u64,
    seconds: f64,
    mb_per_second: f64,
    records_per_second: f64,
    errors: u64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
    gap_ms: f64,
}

/// What the requests are.
#[derive(Clone, Copy)]
enum Asked {
    Produce,
    Commit,
}

impl Asked {
    /// Whether the answer says that something was refused.
    fn is_refused(self, answer: Bytes) -> Result<bool> {
        Ok(match self {
            Asked::Produce => {
                let (_, answer) = decode_response::<ProduceRequest>(answer, PRODUCE)?;
                let mut parts = answer.responses.iter().flat_map(|t| &t.partition_responses);
                parts.any(|part| part.error_code != ErrorCode::NONE)
            }
            Asked::Commit => {
                let (_, answer) = decode_response::<OffsetCommitRequest>(answer, OFFSET_COMMIT)?;
                let mut parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
                parts.any(|part| part.error_code != ErrorCode::NONE)
            }
        })
    }
}

/// The frame of one request: the head is copied for each, for it holds the correlation id; what follows is shared, the batch of a
/// request to one partition by all of them.
struct Frame {
    head: Bytes,
    rest: Bytes,
}

/// Length of the frame, key, version and correlation id.
const HEAD_BYTES: usize = 12;
const KEY_BYTES: usize = 8;

pub fn run(args: &Args) -> Result<()> {
    let address: String = args.required("address")?;
    let topics: String = args.required("topic")?;
    let partitions: i32 = args.or("partitions", 1)?;
    let together: usize = args.or("together", 1)?;
    ensure!(partitions > 0 && together > 0, "no partition to send to");
    let connections: usize = args.or("connections", 1)?;
    let record_bytes: usize = args.or("record-bytes", 1000)?;
    let batch_bytes: usize = args.or("batch-bytes", 16384)?;
    let acks = args.or("acks", 1)?;
    let (batch, records) = shared_batch(batch_bytes, record_bytes, args.or("keyed", false)?)?;
    let rate: f64 = args.or("rate", 0.0)?;
    let seconds: Option<f64> = args.optional("seconds")?;
    let plan = Plan {
        in_flight: args.or("in-flight", 5)?,
        acks,
        bytes: args.or("bytes", if seconds.is_some() { u64::MAX } else { 1 << 30 })?,
        until: seconds.map(Duration::from_secs_f64),
        interval: (rate > 0.0)
            .then(|| Duration::from_secs_f64(float(u64::from(records) * together as u64) / rate)),
    };
    let partitions: Vec<i32> = (0..partitions).collect();
    ensure!(partitions.len().is_multiple_of(together), "--together does not divide --partitions");
    let groups: usize = args.or("groups", 0)?;
    let (asked, frames, each) = if groups == 0 {
        let requests =
            topics.split(',').flat_map(|t| partitions.chunks(together).map(move |p| (t, p)));
        let frames =
            requests.map(|(t, p)| frame(t, p, acks, &batch)).collect::<Result<Vec<_>>>()?;
        let each = Each {
            records: u64::from(records) * together as u64,
            bytes: (batch.len() * together) as u64,
        };
        (Asked::Produce, frames, each)
    } else {
        let mut client = Client::connect(&address)?;
        let frames = (0..groups).map(|n| {
            let asked = client::commit(&format!("group-{n}"), &topics, &partitions);
            client.first_commit(&asked)?;
            commit(&asked)
        });
        let frames = frames.collect::<Result<_>>()?;
        (Asked::Commit, frames, Each { records: partitions.len() as u64, bytes: 0 })
    };
    ensure!(matches!(asked, Asked::Produce) || seconds.is_some(), "--groups needs --seconds");
    let lanes = (0..connections).map(|n| Lane::connect(&address, n)).collect::<Result<Vec<_>>>()?;
    let mut sender = Sender { plan, asked, frames, lanes, each, tally: Tally::new()? };
    report(&sender.run()?)
}

/// A batch of about `batch_bytes` (no more, unless one record is larger) of random values; keyed, each record of it has a key of its own.
fn shared_batch(batch_bytes: usize, record_bytes: usize, keyed: bool) -> Result<(Bytes, u32)> {
    let each = record_bytes + if keyed { 9 + KEY_BYTES } else { 9 };
    let count = (batch_bytes.saturating_sub(batch::HEADER_BYTES) / each).max(1);
    let mut random = SmallRng::seed_from_u64(7);
    let mut values = vec![0; count * record_bytes];
    random.fill_bytes(&mut values);
    let keys: Vec<[u8; KEY_BYTES]> = (0..count as u64).map(u64::to_be_bytes).collect();
    let keys = keys.iter().map(|key| keyed.then_some(&key[..]));
    let records: Vec<_> = keys.zip(values.chunks(record_bytes.max(1))).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let built = batch::build_records(&records, Producer::NONE, i64::try_from(now.as_millis())?)?;
    Ok((built.into(), u32::try_from(count)?))
}

fn frame(topic: &str, partitions: &[i32], acks: i16, batch: &Bytes) -> Result<Frame> {
    let batches = partitions.iter().map(|partition| (*partition, batch.clone())).collect();
    let parts = client::memory(request(0, None, PRODUCE, &client::produce(topic, acks, batches))?)?;
    let [whole] = &parts[..] else { bail!("a Produce request of {} parts", parts.len()) };
    ensure!(whole.ends_with(batch), "a Produce request that does not end with its batch");
    Ok(match partitions {
        [_] => Frame { head: whole.slice(..whole.len() - batch.len()), rest: batch.clone() },
        _ => Frame { head: whole.slice(..HEAD_BYTES), rest: whole.slice(HEAD_BYTES..) },
    })
}

/// A commit by who is no member, as of a consumer that assigns itself.
fn commit(asked: &OffsetCommitRequest) -> Result<Frame> {
    let parts = client::memory(request(0, None, OFFSET_COMMIT, asked)?)?;
    let [whole] = &parts[..] else { bail!("an OffsetCommit request of {} parts", parts.len()) };
    Ok(Frame { head: whole.slice(..HEAD_BYTES), rest: whole.slice(HEAD_BYTES..) })
}

/// What one request carries.
struct Each {
    records: u64,
    bytes: u64,
}

struct Sender {
    plan: Plan,
    asked: Asked,
    frames: Vec<Frame>,
    lanes: Vec<Lane>,
    each: Each,
    tally: Tally,
}

impl Sender {
    fn run(&mut self) -> Result<Answer> {
        let began = Instant::now();
        let mut due = began;
        let mut begun = 0u64;
        let mut turn = 0;
        self.tally.last = began;
        loop {
            let over = begun * self.each.bytes >= self.plan.bytes
                || self.plan.until.is_some_and(|u| began.elapsed() >= u);
            if !over {
                begun += self.begin(&mut due, &mut turn)?;
            } else if self.lanes.iter().all(Lane::is_quiet) {
                break;
            }
            self.wait(due, over)?;
            for lane in &mut self.lanes {
                lane.write(&self.frames)?;
                lane.read(self.asked, &mut self.tally)?;
            }
        }
        Ok(self.answer(begun, began.elapsed()))
    }

    /// Begins every request that may begin now; how many.
    fn begin(&mut self, due: &mut Instant, turn: &mut usize) -> Result<u64> {
        let mut begun = 0;
        let lanes = self.lanes.len();
        let mut full = 0;
        while full < lanes {
            let now = Instant::now();
            if self.plan.interval.is_some() && *due > now {
                break;
            }
            let lane = &mut self.lanes[*turn % lanes];
            *turn += 1;
            if lane.in_flight() >= self.plan.in_flight {
                full += 1;
                continue;
            }
            full = 0;
            let since = if let Some(interval) = self.plan.interval {
                std::mem::replace(due, *due + interval)
            } else {
                now
            };
            lane.begin(&self.frames, since, self.plan.acks != 0);
            lane.write(&self.frames)?;
            begun += 1;
            // Fairness in an unlimited run comes from the window; in a timed one answers must be read in between.
            if begun >= 64 {
                break;
            }
        }
        Ok(begun)
    }

    fn wait(&self, due: Instant, over: bool) -> Result<()> {
        let mut polled: Vec<PollFd<'_>> = self
            .lanes
            .iter()
            .map(|lane| {
                let write =
                    if lane.writing.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
                PollFd::new(lane.socket.as_fd(), PollFlags::POLLIN | write)
            })
            .collect();
        let room = !over && self.lanes.iter().any(|l| l.in_flight() < self.plan.in_flight);
        let left = match self.plan.interval {
            Some(_) if room => due.saturating_duration_since(Instant::now()),
            None if room => Duration::ZERO,
            _ => Duration::from_millis(100),
        };
        ppoll(&mut polled, Some(TimeSpec::from_duration(left)), None)?;
        Ok(())
    }

    fn answer(&self, requests: u64, took: Duration) -> Answer {
        let (seconds, bytes) = (took.as_secs_f64(), requests * self.each.bytes);
        let records = requests * self.each.records;
        let at = |quantile: f64| millis(self.tally.latency.value_at_quantile(quantile));
        Answer {
            requests,
            records,
            bytes,
            seconds,
            mb_per_second: float(bytes) / seconds / 1e6,
            records_per_second: float(records) / seconds,
            errors: self.tally.errors,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(self.tally.latency.max()),
            gap_ms: self.tally.gap.as_secs_f64() * 1e3,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn float(count: u64) -> f64 {
    count as f64
}

fn millis(nanos: u64) -> f64 {
    float(nanos) / 1e6
}

struct Tally {
    latency: Histogram<u64>,
    errors: u64,
    last: Instant,
    gap: Duration,
}

impl Tally {
    fn new() -> Result<Tally> {
        let latency = Histogram::new_with_bounds(1000, 120_000_000_000, 3)?;
        Ok(Tally { latency, errors: 0, last: Instant::now(), gap: Duration::ZERO })
    }

    fn answered(&mut self, since: Instant, error: bool) {
        let now = Instant::now();
        self.gap = self.gap.max(now - self.last);
        self.last = now;
        self.errors += u64::from(error);
        self.latency.saturating_record(u64::try_from((now - since).as_nanos()).unwrap_or(u64::MAX));
    }
}

/// One connection: what is being written, and the requests that wait for their answers, in order.
struct Lane {
    socket: TcpStream,
    /// (frame, bytes of it written, its head with the correlation id in it)
    writing: VecDeque<(usize, usize, BytesMut)>,
    waiting: VecDeque<Instant>,
    /// The next frame, of all of them in turn.
    turn: usize,
    correlation: i32,
    read: BytesMut,
}

impl Lane {
    fn connect(address: &str, number: usize) -> Result<Lane> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Lane {
            socket,
            writing: VecDeque::new(),
            waiting: VecDeque::new(),
            turn: number,
            correlation: 0,
            read: BytesMut::with_capacity(64 << 10),
        })
    }

    fn in_flight(&self) -> usize {
        self.waiting.len().max(self.writing.len())
    }

    fn is_quiet(&self) -> bool {
        self.in_flight() == 0
    }

    fn begin(&mut self, frames: &[Frame], since: Instant, answered: bool) {
        let frame = self.turn % frames.len();
        self.turn += 1;
        self.correlation = self.correlation.wrapping_add(1);
        let mut head = BytesMut::from(frames[frame].head.as_ref());
        head[8..12].copy_from_slice(&self.correlation.to_be_bytes());
        self.writing.push_back((frame, 0, head));
        if answered {
            self.waiting.push_back(since);
        }
    }

    fn write(&mut self, frames: &[Frame]) -> Result<()> {
        while let Some((frame, written, head)) = self.writing.front_mut() {
            let rest = &frames[*frame].rest;
            let mut slices = [IoSlice::new(head), IoSlice::new(rest)];
            let mut left = &mut slices[..];
            IoSlice::advance_slices(&mut left, *written);
            match self.socket.write_vectored(left) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(sent) => *written += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if *written == head.len() + rest.len() {
                self.writing.pop_front();
            }
        }
        Ok(())
    }

    fn read(&mut self, asked: Asked, tally: &mut Tally) -> Result<()> {
        let mut chunk = [0; 16 << 10];
        match self.socket.read(&mut chunk) {
            Ok(0) => bail!("the broker closed the connection"),
            Ok(got) => self.read.extend_from_slice(&chunk[..got]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        while let Some(length) = self.read.first_chunk::<4>() {
            let end = 4 + usize::try_from(i32::from_be_bytes(*length))?;
            if self.read.len() < end {
                break;
            }
            let frame = self.read.split_to(end).freeze().slice(4..);
            let refused = asked.is_refused(frame)?;
            let Some(since) = self.waiting.pop_front() else {
                bail!("an answer that nobody waits for")
            };
            tally.answered(since, refused);
        }
        Ok(())
    }
}
