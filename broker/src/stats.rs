//! What a shard counts: plain cells on its own thread, read by a message when `/metrics` asks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use net::connection::CloseReason;
use net::stats::{Count, NetStats};
use net::wire::ErrorCode;
use ring::RingStats;
use storage::StoreStats;

use crate::clock;
use crate::metrics::Sample;
use crate::shard::Shard;

/// A turn longer than this held up everything else on the shard.
const LONG_TURN: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(crate) struct Stats {
    pub messages: Counter,
    pub requests: Requests,
    pub long_turns: Counter,
    pub room_waits: Counter,
    pub produce: Served,
    pub fetch: Served,
}

/// How requests of one API went: how long each took, from its frame to its answer, and what their partitions were refused with.
pub(crate) struct Served {
    micros: RefCell<Histogram<u64>>,
    errors: RefCell<BTreeMap<i16, u64>>,
}

/// Longer ones count as this long.
const MICROS_MAX: u64 = 600_000_000;

impl Default for Served {
    fn default() -> Served {
        let micros = Histogram::new_with_bounds(1, MICROS_MAX, 2);
        // The bounds are constants that it takes.
        let micros = micros.unwrap_or_else(|error| unreachable!("{error}"));
        Served { micros: RefCell::new(micros), errors: RefCell::default() }
    }
}

impl Served {
    /// A request that came at `came` is answered with these codes, one for each partition.
    pub(crate) fn answered(&self, came: Instant, codes: impl Iterator<Item = ErrorCode>) {
        let micros = clock::monotonic().duration_since(came).as_micros();
        self.micros.borrow_mut().saturating_record(u64::try_from(micros).unwrap_or(MICROS_MAX));
        for code in codes.filter(|code| code.is_error()) {
            *self.errors.borrow_mut().entry(code.0).or_default() += 1;
        }
    }

    fn samples(&self, api: &str, shard: usize) -> Vec<Sample> {
        let help = "From a request's frame to its answer";
        let latency = Sample::latency("odradek_request_seconds", help, &self.micros.borrow());
        let mut samples = vec![latency.with("shard", shard).with("api", api)];
        for (code, count) in self.errors.borrow().iter() {
            let help = "Partitions that were refused, by error";
            let sample = Sample::counter("odradek_partition_errors_total", help, *count);
            samples
                .push(sample.with("shard", shard).with("api", api).with("error", ErrorCode(*code)));
        }
        samples
    }
}

#[derive(Default)]
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    pub(crate) fn bump(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Requests by API key.
#[derive(Default)]
pub(crate) struct Requests(RefCell<Vec<u64>>);

impl Requests {
    /// `key` is one of ours: the header was decoded.
    pub(crate) fn bump(&self, key: i16) {
        let at = usize::try_from(key).unwrap_or(0);
        let mut counts = self.0.borrow_mut();
        if counts.len() <= at {
            counts.resize(at + 1, 0);
        }
        counts[at] += 1;
    }
}

/// A task of the shard whose turns are timed.
pub(crate) struct Turns<F> {
    stats: Rc<Stats>,
    future: Pin<Box<F>>,
}

impl<F: Future> Turns<F> {
    pub(crate) fn new(stats: Rc<Stats>, future: F) -> Turns<F> {
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
    pub(crate) fn samples(&self, shard: &Shard) -> Vec<Sample> {
        let number = shard.number;
        let counter =
            |name, help, value: u64| Sample::counter(name, help, value).with("shard", number);
        let gauge = |name, help, value: usize| {
            Sample::gauge(name, help, value as f64).with("shard", number)
        };
        let (groups, offsets, waiting) = shard.group_counts();
        let mut samples = vec![
            gauge("odradek_groups", "Groups that the shard coordinates", groups),
            gauge("odradek_group_offsets", "Offsets that groups have committed", offsets),
            gauge("odradek_group_waits", "Requests that wait for a group", waiting),
            gauge(
                "odradek_share_partitions",
                "Share partitions whose state the shard keeps",
                shard.share_partition_count(),
            ),
            counter(
                "odradek_mesh_messages_total",
                "Messages from other executors",
                self.messages.get(),
            ),
            counter(
                "odradek_long_turns_total",
                "Turns of the shard's tasks over 5 ms",
                self.long_turns.get(),
            ),
            counter(
                "odradek_room_waits_total",
                "Appends that waited for memory",
                self.room_waits.get(),
            ),
            counter(
                "odradek_guard_rescues_total",
                "Wakes that found a stalled executor",
                shard.pulse.rescues(),
            ),
            gauge(
                "odradek_partitions",
                "Partitions that this shard owns",
                shard.partitions.borrow().len(),
            ),
            gauge("odradek_parked_fetches", "Fetches that wait for records", shard.waits.len()),
            gauge(
                "odradek_fetch_sessions",
                "Incremental fetch sessions",
                shard.sessions.borrow().len(),
            ),
            gauge(
                "odradek_share_sessions",
                "Sessions of members of share groups",
                shard.share_sessions.borrow().len(),
            ),
            gauge(
                "odradek_led_share_partitions",
                "Share partitions of which records are delivered here",
                shard.shares.len(),
            ),
        ];
        samples.extend(net_samples(&shard.net.stats, shard.number));
        for place in shard.places.get().into_iter().flatten().flatten() {
            let directory = place.directory.path.display();
            let own = store_samples(&place.store.stats(), shard.number);
            samples.extend(own.into_iter().map(|sample| sample.with("directory", &directory)));
        }
        samples.extend(self.produce.samples("Produce", number));
        samples.extend(self.fetch.samples("Fetch", number));
        samples.extend(ring_samples(&shard.ring.stats(), shard.number));
        if shard.config.client_telemetry {
            samples.extend(shard.telemetry.samples(number, crate::clock::monotonic()));
        }
        for (key, count) in
            self.requests.0.borrow().iter().enumerate().filter(|(_, count)| **count > 0)
        {
            let name =
                i16::try_from(key).ok().and_then(net::wire::api).map_or("unknown", |api| api.name);
            samples.push(
                counter("odradek_requests_total", "Requests by API", *count).with("api", name),
            );
        }
        samples
    }
}

fn net_samples(net: &NetStats, shard: usize) -> Vec<Sample> {
    let counter =
        |name, help, count: &Count| Sample::counter(name, help, count.get()).with("shard", shard);
    let sent = |path, count: &Count| {
        counter("odradek_sent_bytes_total", "Bytes of answers, by the path that they took", count)
            .with("path", path)
    };
    let open =
        Sample::gauge("odradek_connections", "Open connections", net.connections.get() as f64);
    let mut samples = vec![
        open.with("shard", shard),
        counter(
            "odradek_connections_opened_total",
            "Connections accepted",
            &net.connections_opened,
        ),
        counter(
            "odradek_connections_delayed_total",
            "Connections served only when another had ended, or later than they came too fast",
            &net.connections_delayed,
        ),
        counter(
            "odradek_connections_refused_total",
            "Connections closed at once, since their address had as many as it may have",
            &net.connections_refused,
        ),
        counter("odradek_accept_errors_total", "Errors of accepting", &net.accept_errors),
        counter("odradek_received_bytes_total", "Bytes of requests", &net.received_bytes),
        counter("odradek_receives_total", "Times that a socket was asked for bytes", &net.receives),
        counter("odradek_sends_total", "Times that answers were handed to the kernel", &net.sends),
        sent("memory", &net.memory_bytes),
        sent("sendfile", &net.sendfile_bytes),
        sent("read", &net.read_bytes),
        sent("splice", &net.splice_bytes),
        counter(
            "odradek_read_ahead_bytes_total",
            "Bytes of cold files read in pieces into the page cache before they were sent, since something was written meanwhile",
            &net.read_ahead_bytes,
        ),
    ];
    samples.extend(CloseReason::ALL.into_iter().map(|reason| {
        Sample::counter(
            "odradek_connections_closed_total",
            "Connections closed, by reason",
            net.closed(reason),
        )
        .with("shard", shard)
        .with("reason", reason.name())
    }));
    samples
}

fn ring_samples(ring: &RingStats, shard: usize) -> Vec<Sample> {
    let counter = |name, help, value| Sample::counter(name, help, value).with("shard", shard);
    vec![
        counter("odradek_ring_enters_total", "System calls that submitted or reaped", ring.enters),
        counter("odradek_ring_submissions_total", "Operations submitted", ring.submissions),
        counter(
            "odradek_ring_notifications_total",
            "Times that completions woke the executor",
            ring.notifications,
        ),
        Sample::gauge("odradek_ring_in_flight", "Operations in flight", ring.in_flight as f64)
            .with("shard", shard),
    ]
}

fn store_samples(store: &StoreStats, shard: usize) -> Vec<Sample> {
    let counter = |name, help, value| Sample::counter(name, help, value).with("shard", shard);
    let gauge =
        |name, help, value: usize| Sample::gauge(name, help, value as f64).with("shard", shard);
    vec![
        counter(
            "odradek_log_groups_total",
            "Writes of the commit log that carried batches",
            store.groups,
        ),
        counter(
            "odradek_log_empty_groups_total",
            "Writes of the commit log that carried only the mark",
            store.empty_groups,
        ),
        counter("odradek_log_bytes_total", "Bytes written to the commit log", store.group_bytes),
        counter("odradek_log_syncs_total", "Syncs of files written without DSYNC", store.syncs),
        counter("odradek_log_recycled_total", "Commit log files used again", store.recycled),
        counter(
            "odradek_log_relogged_total",
            "Remainders logged again so that a file could be used again",
            store.relogged,
        ),
        counter("odradek_appended_batches_total", "Batches appended", store.batches),
        counter("odradek_appended_bytes_total", "Bytes of batches appended", store.batch_bytes),
        counter("odradek_extents_total", "Writes straight to a segment", store.extents),
        counter(
            "odradek_extent_bytes_total",
            "Bytes written straight to a segment",
            store.extent_bytes,
        ),
        counter(
            "odradek_drains_total",
            "Writes that moved what the log holds into segments",
            store.drains,
        ),
        counter("odradek_drain_bytes_total", "Bytes moved into segments", store.drain_bytes),
        counter("odradek_refused_appends_total", "Appends refused for want of room", store.refused),
        counter(
            "odradek_cleaned_bytes_total",
            "Bytes of segments that compaction went through",
            store.cleaned_bytes,
        ),
        counter(
            "odradek_cleaned_records_removed_total",
            "Records that compaction removed",
            store.removed_records,
        ),
        counter("odradek_cleanings_total", "Rounds of compaction", store.cleanings),
        gauge(
            "odradek_uncleanable_partitions",
            "Partitions that are not compacted because of damage",
            store.uncleanable,
        ),
        gauge(
            "odradek_damaged_ranges",
            "Ranges of records that are marked as damaged, and not served",
            store.damaged_ranges,
        ),
        counter(
            "odradek_damage_found_total",
            "Ranges of records that were found damaged",
            store.damage_found,
        ),
        counter(
            "odradek_indexes_rebuilt_total",
            "Indexes that did not agree with their log, and were built anew",
            store.indexes_rebuilt,
        ),
        counter("odradek_scrubs_total", "Whole passes of the scrubber", store.scrubs),
        counter(
            "odradek_scrubbed_bytes_total",
            "Bytes that were read to find damage",
            store.examined_bytes,
        ),
        counter(
            "odradek_scrub_errors_total",
            "Reads of the scrubber that the disk answered with an error",
            store.scrub_errors,
        ),
        gauge(
            "odradek_tail_dirty_bytes",
            "Bytes in memory that no segment has yet",
            store.dirty_bytes,
        ),
        gauge("odradek_tail_bytes", "Bytes of the tail in memory", store.kept_bytes),
        gauge("odradek_log_files", "Files of the commit log", store.log_files),
        gauge(
            "odradek_offline",
            "1 after an error that took the log directory offline",
            usize::from(store.offline),
        ),
    ]
}
