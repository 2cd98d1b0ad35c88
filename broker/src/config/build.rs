//! Settings to `Config`: every field from its key, and what the keys must be together.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use storage::batch::Codec;
use storage::units::TopicId;
use storage::{CleanerOptions, Durability, ScrubOptions};

use super::broker::{Config, MetadataLog};
use super::connections;
use super::groups::{ConsumerGroups, Groups, ShareGroups};
use super::key::{InvalidValue, Value};
use super::listeners::{Fault, ListenerKeys, endpoints};
use super::memory::{Memory, SHARD_BYTES_MIN, parse_size};
use super::settings::{Settings, Source};
use super::share::ShareState;
use super::table::BROKER_KEYS;
use super::topic::TopicConfig;
use crate::group::consumer::assign::Assignor;

/// All that is wrong is told, not only the first.
pub(super) fn build(settings: Settings) -> Result<Config, Vec<Fault>> {
    let mut faults: Vec<Fault> = [
        roles,
        quorum,
        times,
        queued_requests,
        directories,
        commit_log_directory,
        offsets_codec,
        share_state_codec,
        session_timeouts,
        connections::check,
        super::share::check,
        super::share_rules::check,
    ]
    .iter()
    .filter_map(|check| check(&settings).err())
    .collect();
    let parts = (listeners(&settings), memory(&settings), commit_log(&settings), admin(&settings));
    match parts {
        (Ok(listeners), Ok(memory), Ok(commit_log), Ok(admin)) if faults.is_empty() => {
            Ok(config(settings, listeners, memory, commit_log, admin))
        }
        (listeners, memory, commit_log, admin) => {
            faults.extend(listeners.err());
            faults.extend(memory.err());
            faults.extend(commit_log.err());
            faults.extend(admin.err());
            Err(faults)
        }
    }
}

fn config(
    settings: Settings,
    endpoints: super::listeners::Endpoints,
    (shards, memory): (u16, Memory),
    (commit_log_bytes, extent_bytes, scrub): (u64, usize, ScrubOptions),
    admin: Option<SocketAddr>,
) -> Config {
    let number = Numbers(&settings);
    let (controller_listeners, listeners) =
        endpoints.listeners.into_iter().partition(|listener| listener.controller);
    Config {
        node_id: number.int("node.id"),
        rack: settings.string("broker.rack"),
        cluster_id: settings.string("odradek.cluster.id"),
        listeners,
        controller_listeners,
        advertised: endpoints.advertised,
        inter_broker_listener: endpoints.inter_broker,
        admin,
        metadata_directory: metadata_directory(&settings),
        log_dirs: log_dirs(&settings),
        client_telemetry: settings.boolean("odradek.client.telemetry").unwrap_or(false),
        telemetry_bytes_max: number.int("telemetry.max.bytes"),
        commit_log_dir: commit_log_dir(&settings),
        durability: match settings.string("odradek.durability").as_deref() {
            Some("written") => Durability::Written,
            _ => Durability::Sync,
        },
        commit_log_bytes,
        extent_bytes,
        shards,
        memory,
        request_bytes_max: number.size("socket.request.max.bytes"),
        socket_send_buffer_bytes: buffer(&settings, "socket.send.buffer.bytes"),
        socket_receive_buffer_bytes: buffer(&settings, "socket.receive.buffer.bytes"),
        connections: connections::rules(&settings),
        connections_max_idle_ms: number.time_unless_negative("connections.max.idle.ms"),
        fetch_bytes_max: number.size("fetch.max.bytes"),
        fetch_session_slots: number.size("max.incremental.fetch.session.cache.slots"),
        partitions_per_answer_max: number.int("max.request.partition.size.limit"),
        num_partitions: number.int("num.partitions"),
        default_replication_factor: number.int("default.replication.factor"),
        auto_create_topics: settings.boolean("auto.create.topics.enable").unwrap_or(true),
        delete_topic_enable: settings.boolean("delete.topic.enable").unwrap_or(true),
        producer_id_expiration_ms: number.long("producer.id.expiration.ms"),
        retention_check_ms: number.time("log.retention.check.interval.ms"),
        cleaner: cleaner(&settings),
        groups: groups(&number),
        share_state: share_state(&number),
        scrub,
        metadata: metadata(&number),
        topic_defaults: Arc::new(TopicConfig::of_broker(&settings)),
        settings,
    }
}

/// The same under other dynamic settings: only what a running broker changes is computed anew.
pub(super) fn changed(config: &Config, settings: Settings) -> Config {
    let number = Numbers(&settings);
    Config {
        connections: connections::changed(&settings, &config.connections),
        producer_id_expiration_ms: number.long("producer.id.expiration.ms"),
        cleaner: cleaner(&settings),
        groups: groups(&number),
        topic_defaults: Arc::new(TopicConfig::of_broker(&settings)),
        settings,
        ..config.clone()
    }
}

/// A socket buffer, only where one was asked for: Kafka's default of 100 KiB ends the kernel's own sizing, and costs half as much
/// processor time again at 16 KiB batches.
fn buffer(settings: &Settings, name: &str) -> Option<usize> {
    let (_, source) = settings.text(name)?;
    let bytes = settings.int(name).filter(|_| source != Source::Default)?;
    usize::try_from(bytes).ok()
}

fn cleaner(settings: &Settings) -> CleanerOptions {
    let number = Numbers(settings);
    let real = |name: &str, default: f64| match BROKER_KEYS
        .get(name)
        .and_then(|key| settings.value(key))
    {
        Some(Value::Real(value)) => value,
        _ => default,
    };
    let defaults = CleanerOptions::default();
    CleanerOptions {
        enabled: settings.boolean("log.cleaner.enable").unwrap_or(true),
        map_bytes: number.size("log.cleaner.dedupe.buffer.size"),
        map_load_factor: real("log.cleaner.io.buffer.load.factor", defaults.map_load_factor),
        bytes_per_second: real("log.cleaner.io.max.bytes.per.second", defaults.bytes_per_second),
        io_bytes: number.size("log.cleaner.io.buffer.size"),
        backoff: Duration::from_millis(number.time("log.cleaner.backoff.ms")),
    }
}

fn groups(number: &Numbers<'_>) -> Groups {
    Groups {
        session_min_ms: number.int("group.min.session.timeout.ms"),
        session_max_ms: number.int("group.max.session.timeout.ms"),
        size_max: number.size("group.max.size"),
        initial_delay_ms: number.int("group.initial.rebalance.delay.ms"),
        metadata_max: number.size("offset.metadata.max.bytes"),
        retention_ms: number.long("offsets.retention.minutes").saturating_mul(60_000),
        expiry_every_ms: number.time("offsets.retention.check.interval.ms"),
        commit_timeout_ms: number.time("offsets.commit.timeout.ms"),
        load_bytes: number.size("offsets.load.buffer.size"),
        codec: number.codec("offsets.topic.compression.codec"),
        partitions: number.int("offsets.topic.num.partitions"),
        replication_factor: number.short("offsets.topic.replication.factor"),
        segment_bytes: number.int("offsets.topic.segment.bytes"),
        consumer: consumer_groups(number),
        share: share_groups(number),
    }
}

fn consumer_groups(number: &Numbers<'_>) -> ConsumerGroups {
    let list = |name: &str| number.0.list(name).unwrap_or_default();
    let policy = number.0.string("group.consumer.migration.policy").unwrap_or_default();
    let policy = policy.to_ascii_lowercase();
    ConsumerGroups {
        served: list("group.coordinator.rebalance.protocols").iter().any(|p| p == "consumer"),
        session_ms: number.int("group.consumer.session.timeout.ms"),
        heartbeat_ms: number.int("group.consumer.heartbeat.interval.ms"),
        assignment_interval_ms: number.int("group.consumer.assignment.interval.ms"),
        limits: number.limits([
            "consumer.session.timeout.ms",
            "consumer.heartbeat.interval.ms",
            "consumer.assignment.interval.ms",
        ]),
        size_max: number.size("group.consumer.max.size"),
        assignors: list("group.consumer.assignors")
            .iter()
            .filter_map(|name| Assignor::named(name))
            .collect(),
        upgrade: matches!(policy.as_str(), "upgrade" | "bidirectional"),
        downgrade: matches!(policy.as_str(), "downgrade" | "bidirectional"),
        regex_refresh_ms: number.long("group.consumer.regex.refresh.interval.ms"),
    }
}

fn share_groups(number: &Numbers<'_>) -> ShareGroups {
    ShareGroups {
        session_ms: number.int("group.share.session.timeout.ms"),
        heartbeat_ms: number.int("group.share.heartbeat.interval.ms"),
        assignment_interval_ms: number.int("group.share.assignment.interval.ms"),
        limits: number.limits([
            "share.session.timeout.ms",
            "share.heartbeat.interval.ms",
            "share.assignment.interval.ms",
        ]),
        size_max: number.size("group.share.max.size"),
        // As in Kafka no sooner than a write has timed out.
        initialize_retry_ms: number
            .long("group.share.initialize.retry.interval.ms")
            .max(number.long("offsets.commit.timeout.ms")),
    }
}

fn share_state(number: &Numbers<'_>) -> ShareState {
    ShareState {
        updates_per_snapshot: number.int("share.coordinator.snapshot.update.records.per.snapshot"),
        prune_every_ms: number.time("share.coordinator.state.topic.prune.interval.ms"),
        cold_after_ms: number.time("share.coordinator.cold.partition.snapshot.interval.ms"),
        write_timeout_ms: number.time("share.coordinator.write.timeout.ms"),
        load_bytes: number.size("share.coordinator.load.buffer.size"),
        codec: number.codec("share.coordinator.state.topic.compression.codec"),
        partitions: number.int("share.coordinator.state.topic.num.partitions"),
        replication_factor: number.short("share.coordinator.state.topic.replication.factor"),
        min_insync_replicas: number.short("share.coordinator.state.topic.min.isr"),
        segment_bytes: number.int("share.coordinator.state.topic.segment.bytes"),
    }
}

fn metadata(number: &Numbers<'_>) -> MetadataLog {
    let internal = number
        .0
        .int("internal.metadata.log.segment.bytes")
        .and_then(|bytes| i32::try_from(bytes).ok());
    let some = |ms: u64| (ms > 0).then_some(ms);
    MetadataLog {
        segment_bytes: internal.unwrap_or_else(|| number.int("metadata.log.segment.bytes")),
        segment_ms: number.long("metadata.log.segment.ms"),
        retention_bytes: number.long("metadata.max.retention.bytes"),
        retention_ms: number.long("metadata.max.retention.ms"),
        file_delete_delay_ms: number.long("internal.metadata.delete.delay.millis"),
        snapshot_bytes: number.long("metadata.log.max.record.bytes.between.snapshots"),
        snapshot_ms: some(number.time("metadata.log.max.snapshot.interval.ms")),
    }
}

/// Whole numbers by key; each key read here has a default.
struct Numbers<'a>(&'a Settings);

impl Numbers<'_> {
    /// What the broker allows of groups' keys.
    fn limits<const N: usize>(
        &self,
        keys: [&'static str; N],
    ) -> std::collections::BTreeMap<&'static str, (i32, i32)> {
        let limit = |key: &'static str| {
            let (least, most) = super::group::bounds(key);
            (key, (self.int(&least), self.int(&most)))
        };
        keys.map(limit).into()
    }

    fn short(&self, name: &str) -> i16 {
        i16::try_from(self.long(name)).unwrap_or(i16::MAX)
    }

    /// A codec by its number; `codec_exists` has refused what is none.
    fn codec(&self, name: &str) -> Codec {
        let number = i16::try_from(self.long(name)).ok();
        number.and_then(Codec::from_bits).unwrap_or(Codec::None)
    }

    fn long(&self, name: &str) -> i64 {
        let value = self.0.int(name);
        debug_assert!(value.is_some(), "{name} has no default");
        value.unwrap_or_default()
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    fn size(&self, name: &str) -> usize {
        usize::try_from(self.long(name)).unwrap_or_default()
    }

    fn time(&self, name: &str) -> u64 {
        u64::try_from(self.long(name)).unwrap_or_default()
    }

    fn time_unless_negative(&self, name: &str) -> Option<u64> {
        u64::try_from(self.long(name)).ok()
    }
}

fn log_dirs(settings: &Settings) -> Vec<PathBuf> {
    let texts = settings.list("log.dirs").or_else(|| settings.list("log.dir")).unwrap_or_default();
    texts.into_iter().map(PathBuf::from).collect()
}

/// `metadata.log.dir`, or the first of `log.dirs`.
fn metadata_directory(settings: &Settings) -> PathBuf {
    let named = settings.string("metadata.log.dir").filter(|text| !text.is_empty());
    let first = || log_dirs(settings).into_iter().next().unwrap_or_default();
    named.map_or_else(first, PathBuf::from)
}

fn commit_log_dir(settings: &Settings) -> Option<PathBuf> {
    let named = settings.string("odradek.commit.log.dir").filter(|text| !text.is_empty());
    named.map(PathBuf::from)
}

/// It is no log directory, and in none: Kafka would not start on a directory that holds one that it does not know.
fn commit_log_directory(settings: &Settings) -> Result<(), Fault> {
    let Some(commit) = commit_log_dir(settings) else { return Ok(()) };
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let mut all = log_dirs(settings).into_iter().chain([metadata_directory(settings)]);
    match all.find(|directory| absolute(&commit).starts_with(absolute(directory))) {
        Some(directory) => Err((
            "odradek.commit.log.dir",
            format!("{} is in log directory {}", commit.display(), directory.display()),
        )),
        None => Ok(()),
    }
}

/// More are refused: an executor's ring holds the lock of each, and has 64 places.
const LOG_DIRS_MAX: usize = 48;

fn directories(settings: &Settings) -> Result<(), Fault> {
    // One that is named twice counts once.
    match log_dirs(settings).len() {
        0 => Err(("log.dirs", "at least one directory must be named".into())),
        1..=LOG_DIRS_MAX => Ok(()),
        more => Err((
            "log.dirs",
            format!("{more} directories are more than the {LOG_DIRS_MAX} that can be served"),
        )),
    }
}

fn roles(settings: &Settings) -> Result<(), Fault> {
    let (node, broker) = (settings.int("node.id"), settings.int("broker.id"));
    if node != broker {
        return Err((
            "broker.id",
            "You must set `node.id` to the same value as `broker.id`.".into(),
        ));
    }
    if let Some(id) = settings.string("odradek.cluster.id")
        && TopicId::parse(&id).is_none()
    {
        return Err(("odradek.cluster.id", format!("{id:?} is not 22 characters of base64url")));
    }
    let roles = settings.list("process.roles").unwrap_or_default();
    match roles.len() {
        2 => Ok(()),
        _ => Err((
            "process.roles",
            "this release runs broker and controller in one process: set process.roles=broker,controller".into(),
        )),
    }
}

/// The quorum is this node alone.
fn quorum(settings: &Settings) -> Result<(), Fault> {
    let node = settings.int("node.id").unwrap_or_default();
    let alone = "a quorum of more controllers than this node is not served yet";
    let voters = settings.list("controller.quorum.voters").unwrap_or_default();
    for voter in &voters {
        let (id, address) = voter.split_once('@').unwrap_or((voter, ""));
        if id.trim().parse() != Ok(node) {
            return Err((
                "controller.quorum.voters",
                format!("{voter:?} is not node {node}: {alone}"),
            ));
        }
        host_port("controller.quorum.voters", address)?;
    }
    let servers = settings.list("controller.quorum.bootstrap.servers").unwrap_or_default();
    for server in &servers {
        host_port("controller.quorum.bootstrap.servers", server)?;
    }
    match servers.len() {
        0 | 1 => Ok(()),
        _ => Err(("controller.quorum.bootstrap.servers", alone.to_owned())),
    }
}

fn host_port(key: &'static str, text: &str) -> Result<(), Fault> {
    match text.trim().rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
        _ => Err((key, format!("{text:?} is not host:port"))),
    }
}

/// Times that Kafka checks beyond their keys' ranges.
fn times(settings: &Settings) -> Result<(), Fault> {
    let defaults = TopicConfig::of_broker(settings);
    if defaults.segment_ms < 1 {
        return Err(("log.roll.ms", "log.roll.ms must be greater than or equal to 1".into()));
    }
    if defaults.segment_jitter_ms < 0 {
        return Err((
            "log.roll.jitter.ms",
            "log.roll.jitter.ms must be greater than or equal to 0".into(),
        ));
    }
    if defaults.retention_ms == 0 {
        let text = "log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
        return Err(("log.retention.ms", text.into()));
    }
    let (min, max) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
    if settings.int(min) > settings.int(max) {
        return Err((min, format!("{min} must not be more than {max}")));
    }
    Ok(())
}

fn offsets_codec(settings: &Settings) -> Result<(), Fault> {
    codec_exists(settings, "offsets.topic.compression.codec")
}

fn share_state_codec(settings: &Settings) -> Result<(), Fault> {
    codec_exists(settings, "share.coordinator.state.topic.compression.codec")
}

fn codec_exists(settings: &Settings, key: &'static str) -> Result<(), Fault> {
    match Numbers(settings).long(key) {
        0..=4 => Ok(()),
        other => Err((
            key,
            format!(
                "Unknown compression type id: {other}; 0 is none, 1 gzip, 2 snappy, 3 lz4, 4 zstd"
            ),
        )),
    }
}

fn session_timeouts(settings: &Settings) -> Result<(), Fault> {
    let (min, max) = ("group.min.session.timeout.ms", "group.max.session.timeout.ms");
    let number = Numbers(settings);
    match number.int(min) <= number.int(max) {
        true => Ok(()),
        false => Err((max, format!("{max} must be greater than or equal to {min}"))),
    }
}

fn queued_requests(settings: &Settings) -> Result<(), Fault> {
    let int = |name: &str| settings.int(name).unwrap_or_default();
    let queued = int("queued.max.request.bytes");
    if queued > 0 && queued < int("socket.request.max.bytes") {
        let text = "queued.max.request.bytes must be larger or equal to socket.request.max.bytes";
        return Err(("queued.max.request.bytes", text.into()));
    }
    Ok(())
}

fn listeners(settings: &Settings) -> Result<super::listeners::Endpoints, Fault> {
    let list = |name: &str| settings.list(name);
    let (texts, advertised) = (list("listeners").unwrap_or_default(), list("advertised.listeners"));
    let controller_names = list("controller.listener.names").unwrap_or_default();
    let inter_broker = settings.string("inter.broker.listener.name");
    if inter_broker.is_some() && settings.fixed.contains_key("security.inter.broker.protocol") {
        let text = "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.";
        return Err(("inter.broker.listener.name", text.into()));
    }
    let by_protocol = match settings.text("security.inter.broker.protocol") {
        Some((protocol, Source::Static)) => Some(protocol.to_owned()),
        _ => None,
    };
    let protocols = settings.string("listener.security.protocol.map").unwrap_or_default();
    let endpoints = endpoints(&ListenerKeys {
        listeners: &texts,
        advertised: advertised.as_deref(),
        controller_names: &controller_names,
        protocols: &protocols,
        protocols_set: settings.fixed.contains_key("listener.security.protocol.map"),
        inter_broker: inter_broker.or(by_protocol).as_deref(),
    })?;
    let missing = controller_names
        .iter()
        .find(|name| !endpoints.listeners.iter().any(|l| l.name.eq_ignore_ascii_case(name)));
    match missing {
        Some(name) => Err((
            "controller.listener.names",
            format!(
                "{name} is not one of listeners: controller.listener.names must only contain values appearing in the 'listeners' \
                 configuration when running the KRaft controller role"
            ),
        )),
        None => Ok(endpoints),
    }
}

fn memory(settings: &Settings) -> Result<(u16, Memory), Fault> {
    const KEY: &str = "odradek.memory";
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shards = settings
        .int("odradek.shards")
        .map_or(u16::try_from(cores), u16::try_from)
        .unwrap_or(u16::MAX);
    let least = SHARD_BYTES_MIN * u64::from(shards);
    let memory = match settings.string(KEY) {
        None => Memory { bytes: Memory::default_of_machine().bytes.max(least) },
        Some(text) => Memory { bytes: size(KEY, &text)? },
    };
    match memory.bytes >= least {
        true => Ok((shards, memory)),
        false => Err((
            KEY,
            format!(
                "{} bytes are too few: each of {shards} shards needs {SHARD_BYTES_MIN}",
                memory.bytes
            ),
        )),
    }
}

fn size(key: &'static str, text: &str) -> Result<u64, Fault> {
    let why = "bytes, or a number with KiB, MiB, GiB or TiB, such as 64MiB";
    parse_size(text).ok_or_else(|| (key, InvalidValue::new(key, text, why).to_string()))
}

/// How fast, and how often, everything is read again.
fn scrub(settings: &Settings) -> Result<ScrubOptions, Fault> {
    const RATE: &str = "odradek.scrub.bytes.per.second";
    let rate = size(RATE, &settings.string(RATE).unwrap_or_default())?;
    let every = Duration::from_millis(Numbers(settings).time("odradek.scrub.interval.ms"));
    Ok(ScrubOptions { bytes_per_second: rate as f64, every, ..ScrubOptions::default() })
}

/// The commit log's file size, the extent threshold, and the scrubber.
fn commit_log(settings: &Settings) -> Result<(u64, usize, ScrubOptions), Fault> {
    const BYTES: &str = "odradek.commit.log.bytes";
    const EXTENT: &str = "odradek.extent.bytes";
    let text = |key: &str| settings.string(key).unwrap_or_default();
    let bytes = size(BYTES, &text(BYTES))?;
    if bytes < 1 << 20 || bytes % 4096 != 0 {
        return Err((BYTES, format!("{bytes} is not a multiple of 4096 of at least 1MiB")));
    }
    let extent = usize::try_from(size(EXTENT, &text(EXTENT))?).unwrap_or(usize::MAX);
    match extent {
        0..4096 => Err((EXTENT, format!("{extent} is less than 4096"))),
        _ => Ok((bytes, extent, scrub(settings)?)),
    }
}

fn admin(settings: &Settings) -> Result<Option<SocketAddr>, Fault> {
    const KEY: &str = "odradek.admin.listener";
    let Some(text) = settings.string(KEY).filter(|text| !text.is_empty()) else { return Ok(None) };
    let (host, port) =
        text.rsplit_once(':').ok_or_else(|| (KEY, format!("{text:?} is not host:port")))?;
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let whole = format!("{host}:{port}");
    let mut found = whole
        .to_socket_addrs()
        .map_err(|error| (KEY, format!("{text:?} is not host:port: {error}")))?;
    Ok(found.next())
}
