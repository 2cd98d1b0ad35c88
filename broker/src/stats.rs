//! What a shard counts: plain cells on its own thread, read by a message when `/metrics` asks.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock;
use crate::metrics::Sample;
use crate::shard::Shard;

/// A turn longer than this held up everything else on the shard.
const LONG_TURN: Duration = Duration::from_millis(5);

#[derive(Default)]
pub struct Stats {
    pub messages: Counter,
    pub requests: Requests,
    pub long_turns: Counter,
    pub connections: Rc<net::connection::NetStats>,
}

#[derive(Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    pub fn bump(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Requests by API key.
#[derive(Default)]
pub struct Requests(RefCell<Vec<u64>>);

impl Requests {
    /// `key` is one of ours: the header was decoded.
    pub fn bump(&self, key: i16) {
        let at = usize::try_from(key).unwrap_or(0);
        let mut counts = self.0.borrow_mut();
        if counts.len() <= at {
            counts.resize(at + 1, 0);
        }
        counts[at] += 1;
    }
}

/// A task of the shard whose turns are timed.
pub struct Turns<F> {
    stats: Rc<Stats>,
    future: Pin<Box<F>>,
}

impl<F: Future> Turns<F> {
    pub fn new(stats: Rc<Stats>, future: F) -> Turns<F> {
        Turns { stats, future: Box::pin(future) }
    }
}

impl<F: Future> Future for Turns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let begun = clock::monotonic();
        let poll = self.future.as_mut().poll(cx);
        if clock::monotonic().duration_since(begun) > LONG_TURN {
            self.stats.long_turns.bump();
        }
        poll
    }
}

impl Stats {
    pub fn samples(&self, shard: &Shard) -> Vec<Sample> {
        let number = shard.number;
        let counter = |name, help, value: u64| Sample::counter(name, help, value).with("shard", number);
        let gauge = |name, help, value: usize| Sample::gauge(name, help, value as f64).with("shard", number);
        let mut samples = vec![
            counter("odradek_mesh_messages_total", "Messages from other executors", self.messages.get()),
            counter("odradek_long_turns_total", "Turns of the shard's tasks over 5 ms", self.long_turns.get()),
            counter("odradek_guard_rescues_total", "Wakes that found a stalled executor", shard.pulse.rescues()),
            gauge("odradek_partitions", "Partitions that this shard owns", shard.partitions.borrow().len()),
            gauge("odradek_parked_fetches", "Fetches that wait for records", shard.waits.len()),
            gauge("odradek_fetch_sessions", "Incremental fetch sessions", shard.sessions.borrow().len()),
        ];
        for (key, count) in self.requests.0.borrow().iter().enumerate().filter(|(_, count)| **count > 0) {
            let name = i16::try_from(key).ok().and_then(net::wire::api).map_or("unknown", |api| api.name);
            samples.push(counter("odradek_requests_total", "Requests by API", *count).with("api", name));
        }
        samples
    }
}
