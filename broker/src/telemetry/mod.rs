//! Metrics of clients (KIP-714): which are asked for, who has pushed when, and what was pushed last, shown on `/metrics`.
//!
//! - What is asked for stands in the metadata image, as configs of client metrics subscriptions: `config::client_metrics`.
//! - A client's instance is known on one shard, by its id, whichever shards it asks: `instance` has its rules.
//! - What it pushes is OpenTelemetry's protobuf: `otlp` reads it, and of it what is a number.
//!
//! Bounds: instances and points of a shard have a greatest number; those that were silent for longest go first, points that find no
//! room are counted.

mod instance;
mod otlp;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::batch::{Codec, inflate};
use uuid::Uuid;

pub(crate) use instance::Refusal;
use instance::{Instance, Subscribed};

use crate::config::Config;
use crate::config::client_metrics::{self, Subscription, Trait};
use crate::message::{Answer, Ask};
use crate::metadata::image::{ConfigResource, Image};
use crate::metrics::Sample;
use crate::shard::Shard;

/// Instances of one shard, and points of all of them.
const INSTANCES_MAX: usize = 4096;
const POINTS_MAX: usize = 50_000;
/// Bytes of one push, inflated.
const INFLATED_MAX: usize = 16 << 20;
/// An instance is forgotten after so much silence, or three intervals.
const SILENCE_MIN: Duration = Duration::from_secs(60);
/// The interval where nothing asks for another.
const INTERVAL_MS: i32 = 300_000;

/// A client that asks or pushes.
#[derive(Debug, Clone)]
pub struct Asking {
    pub instance: Uuid,
    /// What subscriptions match.
    pub traits: BTreeMap<Trait, String>,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Subscriptions,
    Push { subscription_id: i32, terminating: bool, codec: i8, metrics: Bytes },
}

/// What a client is asked to push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub subscription_id: i32,
    pub interval_ms: i32,
    /// Prefixes; `*` for all.
    pub metrics: Vec<String>,
}

/// A shard's side.
#[derive(Default)]
pub(crate) struct Telemetry {
    subscriptions: RefCell<Vec<Subscription>>,
    /// Counts the changes of what is asked for.
    version: Cell<u64>,
    instances: RefCell<HashMap<Uuid, Known>>,
    dropped_points: Cell<u64>,
}

struct Known {
    instance: Instance,
    traits: BTreeMap<Trait, String>,
    version: u64,
    heard: Instant,
    points: BTreeMap<otlp::Name, f64>,
}

impl Telemetry {
    /// Other subscriptions are in force from now on.
    pub(crate) fn apply(&self, image: &Image) {
        let of_clients =
            image.configs().filter(|(resource, _)| resource.kind == ConfigResource::CLIENT_METRICS);
        let all = of_clients.map(|(_, overrides)| client_metrics::resolve(overrides)).collect();
        *self.subscriptions.borrow_mut() = all;
        self.version.set(self.version.get() + 1);
    }

    /// Answers a client whose instance this shard knows, but for reading what it pushes.
    fn admit(&self, asking: Asking, config: &Config, now: Instant) -> Result<Admitted, Refusal> {
        let bytes_max = usize::try_from(config.telemetry_bytes_max).unwrap_or(0);
        self.forget(now);
        let mut instances = self.instances.borrow_mut();
        let known = instances.entry(asking.instance).or_insert_with(|| Known {
            instance: Instance::new(self.subscribed(asking.instance, &asking.traits)),
            traits: asking.traits,
            version: self.version.get(),
            heard: now,
            points: BTreeMap::new(),
        });
        known.heard = now;
        if known.version < self.version.get() {
            known.instance = Instance::new(self.subscribed(asking.instance, &known.traits));
            known.version = self.version.get();
        }
        match asking.what {
            What::Subscriptions => known.instance.ask(now).cloned().map(Admitted::Told),
            What::Push { subscription_id, terminating, codec, metrics } => {
                let codec = Codec::from_bits(i16::from(codec));
                let size = metrics.len();
                known.instance.push(now, subscription_id, terminating, codec, size, bytes_max)?;
                Ok(Admitted::Push { codec: codec.unwrap_or(Codec::None), metrics })
            }
        }
    }

    /// What a push held: its values are the newest.
    fn took(&self, instance: Uuid, read: Result<Vec<otlp::Point>, Refusal>) -> Result<(), Refusal> {
        // It may have been forgotten meanwhile.
        if let Some(known) = self.instances.borrow_mut().get_mut(&instance) {
            known.instance.took(read.is_ok());
            for otlp::Point { name, value, is_delta } in read.iter().flatten().cloned() {
                let now = known.points.entry(name).or_default();
                *now = if is_delta { *now + value } else { value };
            }
        }
        self.bound();
        read.map(drop)
    }

    /// What subscriptions ask of a client together.
    fn subscribed(&self, instance: Uuid, traits: &BTreeMap<Trait, String>) -> Subscribed {
        let mut metrics = BTreeSet::new();
        let mut interval_ms = INTERVAL_MS;
        for subscription in self.subscriptions.borrow().iter() {
            let matches = subscription
                .matches
                .iter()
                .all(|(which, regex)| traits.get(which).is_some_and(|value| regex.is_match(value)));
            if matches {
                metrics.extend(subscription.metrics.iter().cloned());
                interval_ms = interval_ms.min(subscription.interval_ms);
            }
        }
        if metrics.contains("*") {
            metrics = BTreeSet::from(["*".to_owned()]);
        }
        let mut hasher = DefaultHasher::new();
        (&metrics, interval_ms, instance).hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "some bits of a hash")]
        let subscription_id = hasher.finish() as i32;
        let metrics = metrics.into_iter().collect();
        Subscribed(Told { subscription_id, interval_ms, metrics })
    }

    fn forget(&self, now: Instant) {
        let mut instances = self.instances.borrow_mut();
        if instances.len() < INSTANCES_MAX {
            return;
        }
        instances.retain(|_, known| {
            let patience = SILENCE_MIN.max(known.instance.interval() * 3);
            now.saturating_duration_since(known.heard) < patience
        });
        if instances.len() >= INSTANCES_MAX
            && let Some(silent) =
                instances.iter().min_by_key(|(_, known)| known.heard).map(|(id, _)| *id)
        {
            instances.remove(&silent);
        }
    }

    fn bound(&self) {
        let mut instances = self.instances.borrow_mut();
        let points: usize = instances.values().map(|known| known.points.len()).sum();
        if points > POINTS_MAX
            && let Some(most) = instances.values_mut().max_by_key(|known| known.points.len())
        {
            self.dropped_points.set(self.dropped_points.get() + most.points.len() as u64);
            most.points.clear();
        }
    }

    /// What was pushed, of those who are not silent.
    pub(crate) fn samples(&self, shard: usize, now: Instant) -> Vec<Sample> {
        let dropped = "Points of clients' metrics that found no room";
        let mut samples = vec![
            Sample::counter(
                "odradek_client_metric_points_dropped_total",
                dropped,
                self.dropped_points.get(),
            )
            .with("shard", shard),
        ];
        for (id, known) in self.instances.borrow().iter() {
            let patience = SILENCE_MIN.max(known.instance.interval() * 3);
            if now.saturating_duration_since(known.heard) >= patience {
                continue;
            }
            let client_id = known.traits.get(&Trait::ClientId).cloned().unwrap_or_default();
            for (otlp::Name { name, attributes }, value) in &known.points {
                let sample = Sample::gauge("odradek_client_metric", "What a client pushed", *value);
                let sample = sample.with("name", name).with("attributes", attributes);
                samples.push(sample.with("client_id", &client_id).with("instance", id));
            }
        }
        samples
    }
}

/// What an admitted client gets, or what has to be read of it.
enum Admitted {
    Told(Told),
    Push { codec: Codec, metrics: Bytes },
}

/// Reads a push. Kafka, where nothing takes the metrics, inflates them and looks at nothing; `keep` says whether something does.
fn read(codec: Codec, metrics: Bytes, keep: bool) -> Result<Vec<otlp::Point>, Refusal> {
    let plain = inflate(codec, metrics, INFLATED_MAX).map_err(|_| Refusal::Unreadable)?;
    if !keep {
        return Ok(Vec::new());
    }
    otlp::read(&plain).map_err(|_| Refusal::Unreadable)
}

impl Shard {
    /// Asks the shard that knows the instance.
    pub(crate) async fn telemetry(&self, asking: Asking) -> Result<Option<Told>, Refusal> {
        let mut hasher = DefaultHasher::new();
        asking.instance.hash(&mut hasher);
        let owner = usize::try_from(hasher.finish() % u64::from(self.shards)).unwrap_or(0);
        if owner == self.number {
            return self.answer_telemetry(asking).await;
        }
        match self.ask(owner, Ask::Telemetry(Box::new(asking))).await {
            Ok(Answer::Telemetry(told)) => told,
            // The shard stops: the client asks again, elsewhere.
            _ => Err(Refusal::TooEarly),
        }
    }

    /// Answers a client whose instance this shard knows; a push tells nothing. What was pushed is read on a thread of its own.
    pub(crate) async fn answer_telemetry(&self, asking: Asking) -> Result<Option<Told>, Refusal> {
        let instance = asking.instance;
        match self.telemetry.admit(asking, &self.config, crate::clock::monotonic())? {
            Admitted::Told(told) => Ok(Some(told)),
            Admitted::Push { metrics, .. } if metrics.is_empty() => {
                self.telemetry.took(instance, Ok(Vec::new())).map(|()| None)
            }
            Admitted::Push { codec, metrics } => {
                let keep = self.config.client_telemetry;
                let read = move || read(codec, metrics, keep);
                let read = glommio::executor().spawn_blocking(read).await;
                self.telemetry.took(instance, read).map(|()| None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Invocation, load};
    use crate::metadata::records::ConfigRecord;

    fn config() -> Config {
        let overrides = vec![("odradek.client.telemetry".to_owned(), "true".to_owned())];
        load(&Invocation { file: None, overrides }).unwrap().config
    }

    fn telemetry(subscriptions: &[(&str, &str, &str)]) -> Telemetry {
        let telemetry = Telemetry::default();
        telemetry.apply(&image(subscriptions));
        telemetry
    }

    fn image(subscriptions: &[(&str, &str, &str)]) -> Image {
        let mut image = Image::empty();
        for (subscription, key, value) in subscriptions {
            let record = ConfigRecord {
                resource_type: ConfigResource::CLIENT_METRICS,
                resource_name: (*subscription).into(),
                name: (*key).into(),
                value: Some((*value).into()),
            };
            image.apply(&record.into()).unwrap();
        }
        image
    }

    fn asking(instance: u128, version: &str, what: What) -> Asking {
        let traits = [(Trait::SoftwareVersion, version.to_owned())].into();
        Asking { instance: Uuid::from_u128(instance), traits, what }
    }

    fn told(telemetry: &Telemetry, asking: Asking) -> Told {
        match telemetry.admit(asking, &config(), crate::clock::monotonic()) {
            Ok(Admitted::Told(told)) => told,
            _ => panic!("it is told"),
        }
    }

    #[test]
    fn a_client_is_asked_for_what_matches_it() {
        let telemetry = telemetry(&[
            ("a", "metrics", "org.a,org.b"),
            ("a", "match", "client_software_version=4.*"),
            ("b", "metrics", "org.c"),
            ("b", "interval.ms", "1000"),
        ]);
        let ask = |id, version: &str| told(&telemetry, asking(id, version, What::Subscriptions));
        let new = ask(1, "4.3");
        assert_eq!(
            (new.interval_ms, &new.metrics[..]),
            (1000, &["org.a".to_owned(), "org.b".into(), "org.c".into()][..])
        );
        assert_eq!(ask(2, "3.9").metrics, ["org.c"]);
        assert_ne!(ask(3, "4.3").subscription_id, new.subscription_id);
        // Other subscriptions are told at once.
        telemetry.apply(&image(&[("a", "metrics", "*"), ("b", "metrics", "org.c")]));
        assert_eq!(ask(1, "4.3").metrics, ["*"]);
    }

    #[test]
    fn what_is_pushed_is_shown() {
        let telemetry = telemetry(&[("a", "metrics", "*")]);
        let now = crate::clock::monotonic();
        let push = |id, subscription_id| {
            let metrics = Bytes::from_static(otlp::tests::EXAMPLE);
            let push = What::Push { subscription_id, terminating: false, codec: 0, metrics };
            match telemetry.admit(asking(id, "4", push), &config(), now)? {
                Admitted::Told(_) => panic!("a push tells nothing"),
                Admitted::Push { codec, metrics } => {
                    telemetry.took(Uuid::from_u128(id), read(codec, metrics, true))
                }
            }
        };
        let subscription =
            |id| told(&telemetry, asking(id, "4", What::Subscriptions)).subscription_id;
        assert_eq!(push(1, subscription(1) + 1), Err(Refusal::UnknownSubscription));
        assert_eq!(push(2, subscription(2)), Ok(()));
        let shown = telemetry.samples(0, now);
        assert!(shown.iter().any(|sample| sample.name == "odradek_client_metric"
            && sample.labels.contains(&("name", "m".to_owned()))));
        let later = now + Duration::from_secs(3600);
        assert_eq!(telemetry.samples(0, later).len(), 1);
    }

    #[test]
    fn what_is_not_kept_is_inflated_all_the_same() {
        let torn = |codec, keep| read(codec, Bytes::from_static(&[1, 2, 3]), keep);
        assert_eq!(torn(Codec::None, false), Ok(Vec::new()));
        assert_eq!(torn(Codec::None, true), Err(Refusal::Unreadable));
        assert_eq!(torn(Codec::Zstd, false), Err(Refusal::Unreadable));
    }
}
