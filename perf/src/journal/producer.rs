//! One producer of the journal: its window, its reconnects, its sequences.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use net::wire::{ErrorCode, produce::ProduceRequest};
use serde::Serialize;

use super::{Entry, Mode, content};
use crate::{
    batch::{self, Producer},
    client::{self, Client, PRODUCE},
};

/// Kafka keeps the last five batches of a producer on a partition to recognise what is sent again.
const WINDOW: usize = 5;
/// A broker that is away this long does not come back.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Producing {
    pub address: String,
    pub mode: Mode,
    pub partitions: i32,
    pub bytes_per_second: f64,
    pub seed: u64,
    /// Where the counters of partitions go on, if not at 0.
    pub first_counters: HashMap<i32, u64>,
    pub stop: Arc<AtomicBool>,
    pub acknowledged: SyncSender<Entry>,
}

#[derive(Serialize)]
pub(super) struct Counts {
    topic: String,
    acknowledged: u64,
    bytes: u64,
    reconnects: u64,
    sent_again: u64,
}

/// A batch that is not acknowledged yet.
struct Pending {
    partition: i32,
    counter: u64,
    records: i32,
    hash: u32,
    batch: Bytes,
}

#[derive(Clone, Copy)]
struct Next {
    counter: u64,
    sequence: i32,
}

/// What became of the oldest request in flight.
enum Outcome {
    Acknowledged {
        base_offset: i64,
    },
    /// Everything in flight is to be sent again on a new connection.
    Again,
}

impl Producing {
    pub(super) fn run(self) -> Result<Counts> {
        let topic = self.mode.topic.clone();
        Run {
            counts: Counts {
                topic: topic.clone(),
                acknowledged: 0,
                bytes: 0,
                reconnects: 0,
                sent_again: 0,
            },
            next: (0..self.partitions)
                .map(|p| Next {
                    counter: self.first_counters.get(&p).copied().unwrap_or(0),
                    sequence: 0,
                })
                .collect(),
            pending: VecDeque::new(),
            producer: None,
            turn: 0,
            began: Instant::now(),
            this: self,
        }
        .run()
        .with_context(|| format!("producing to {topic}"))
    }
}

struct Run {
    this: Producing,
    counts: Counts,
    next: Vec<Next>,
    pending: VecDeque<Pending>,
    producer: Option<(i64, i16)>,
    turn: u64,
    began: Instant,
}

impl Run {
    fn run(mut self) -> Result<Counts> {
        let mut last = Instant::now();
        loop {
            let before = self.counts.acknowledged;
            match self.connected() {
                Ok(true) => return Ok(self.counts),
                Ok(false) => {}
                // A death of the broker shows as an error of the socket; what the broker says wrong does not.
                Err(error)
                    if error.downcast_ref::<std::io::Error>().is_some() || broken(&error) => {}
                Err(error) => return Err(error),
            }
            if self.counts.acknowledged > before {
                last = Instant::now();
            }
            ensure!(
                last.elapsed() < PATIENCE,
                "nothing was acknowledged for {PATIENCE:?}; {} batches wait",
                self.pending.len()
            );
            self.counts.reconnects += 1;
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Produces on one connection until it ends (false) or all is done (true).
    fn connected(&mut self) -> Result<bool> {
        let mut client = Client::connect(&self.this.address)?;
        if self.this.mode.idempotent && self.producer.is_none() {
            self.producer = Some(client.init_producer_id()?);
        }
        self.counts.sent_again += self.pending.len() as u64;
        for pending in &self.pending {
            client.send(PRODUCE, &self.request(pending))?;
        }
        loop {
            while self.pending.len() < WINDOW
                && !self.this.stop.load(Ordering::Relaxed)
                && self.may_send()
            {
                let pending = self.create()?;
                let request = self.request(&pending);
                self.pending.push_back(pending);
                client.send(PRODUCE, &request)?;
            }
            if self.pending.is_empty() {
                if self.this.stop.load(Ordering::Relaxed) {
                    return Ok(true);
                }
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            match self.receive(&mut client)? {
                Outcome::Acknowledged { base_offset } => self.acknowledge(base_offset)?,
                Outcome::Again => return Ok(false),
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    fn may_send(&self) -> bool {
        (self.counts.bytes as f64) < self.began.elapsed().as_secs_f64() * self.this.bytes_per_second
    }

    fn create(&mut self) -> Result<Pending> {
        self.turn = self
            .turn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let slot = usize::try_from((self.turn >> 33) % self.next.len() as u64)?;
        let partition = i32::try_from(slot)?;
        let Next { counter, sequence } = self.next[slot];
        let values = content::values(self.this.seed, &self.this.mode.topic, partition, counter);
        let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let records = i32::try_from(values.len())?;
        let producer =
            self.producer.map_or(Producer::NONE, |(id, epoch)| Producer { id, epoch, sequence });
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let batch = Bytes::from(batch::build(&slices, producer, i64::try_from(now.as_millis())?)?);
        self.next[slot] = Next { counter: counter + 1, sequence: sequence + records };
        self.counts.bytes += batch.len() as u64;
        Ok(Pending { partition, counter, records, hash: content::hash(&values), batch })
    }

    fn request(&self, pending: &Pending) -> ProduceRequest {
        client::produce(
            &self.this.mode.topic,
            self.this.mode.acks,
            vec![(pending.partition, pending.batch.clone())],
        )
    }

    fn receive(&self, client: &mut Client) -> Result<Outcome> {
        let (_, answer) = client.receive::<ProduceRequest>(PRODUCE)?;
        let Some(found) = answer.responses.first().and_then(|t| t.partition_responses.first())
        else {
            bail!("Produce answered nothing")
        };
        let Some(oldest) = self.pending.front() else { bail!("an answer that nobody waits for") };
        ensure!(
            found.index == oldest.partition,
            "an answer for partition {} where {} is due",
            found.index,
            oldest.partition
        );
        Ok(match found.error_code {
            ErrorCode::NONE => Outcome::Acknowledged { base_offset: found.base_offset },
            ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Outcome::Acknowledged { base_offset: -1 },
            ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::NOT_ENOUGH_REPLICAS
            | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | ErrorCode::KAFKA_STORAGE_ERROR => Outcome::Again,
            // The oldest in flight follows what was acknowledged: out of order means that an acknowledged one is gone.
            error => bail!(
                "partition {} answered {error:?} to batch {}",
                oldest.partition,
                oldest.counter
            ),
        })
    }

    fn acknowledge(&mut self, base_offset: i64) -> Result<()> {
        let Some(Pending { partition, counter, records, hash, .. }) = self.pending.pop_front()
        else {
            bail!("nothing was in flight")
        };
        self.counts.acknowledged += 1;
        let topic = self.this.mode.topic.clone();
        self.this.acknowledged.send(Entry {
            topic,
            partition,
            counter,
            base_offset,
            records,
            hash,
        })?;
        Ok(())
    }
}

fn broken(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<std::io::Error>())
        || error.to_string().contains("closed the connection")
}
