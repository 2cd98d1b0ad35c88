//! Client quotas (KIP-13, KIP-55, KIP-124, KIP-546): how many bytes a second clients may produce and fetch, and which share of a shard's
//! thread their requests may take. Who goes beyond is answered at once, with how long it will wait, and its connection is not read
//! for that long (KIP-219).
//!
//! - What is allowed stands in the metadata image: `table` finds what applies to a user and a client id, by Kafka's order.
//! - What was spent is counted by a `meter`, on one shard for each user or client, whichever shards its connections are on.
//! - Without quotas nothing of this costs more than a look at a flag.
//!
//! It differs from Kafka in the meter: Kafka takes the rate over eleven sampled seconds, in which a burst of ten seconds' worth passes at
//! once; here at most a quarter of a second's worth is spent ahead of time, so that over ten seconds a quota holds within a tenth.

mod meter;
mod table;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytestring::ByteString;

pub(crate) use meter::Meter;
pub(crate) use table::{Allowed, CLIENT_ID, IP, Table, USER};

use crate::message::{Answer, Ask};
use crate::metadata::image::Image;
use crate::shard::Shard;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limited {
    /// Bytes of Produce requests.
    Produce,
    /// Bytes of records in answers to Fetch.
    Fetch,
    /// Nanoseconds of a shard's thread.
    Request,
}

/// Whose spending is counted together: all clients of a user, one client id of a user, or a client id whatever its user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spender {
    pub limited: Limited,
    pub user: Option<ByteString>,
    pub client_id: Option<ByteString>,
}

/// Meters of one shard, beyond which those that owe nothing are forgotten.
const METERS_MAX: usize = 10_000;

/// A shard's side of the quotas.
#[derive(Default)]
pub(crate) struct Quotas {
    table: RefCell<Table>,
    any: Cell<bool>,
    meters: RefCell<HashMap<Spender, Meter>>,
}

impl Quotas {
    /// Whether anything is limited at all.
    pub(crate) fn any(&self) -> bool {
        self.any.get()
    }

    /// The image's quotas are in force from now on. What was spent stays spent.
    pub(crate) fn apply(&self, image: &Image) {
        let table = Table::of(image);
        self.any.set(!table.is_empty());
        *self.table.borrow_mut() = table;
    }

    pub(crate) fn allowed(&self, limited: Limited, user: &str, client_id: &str) -> Option<Allowed> {
        self.table.borrow().find(limited, user, client_id)
    }

    /// Counts what was spent; how long until it is paid for.
    pub(crate) fn spend(
        &self,
        spender: &Spender,
        per_second: f64,
        amount: f64,
        now: Instant,
    ) -> Duration {
        let mut meters = self.meters.borrow_mut();
        if let Some(meter) = meters.get_mut(spender) {
            return meter.spend(per_second, amount, now);
        }
        if meters.len() >= METERS_MAX {
            meters.retain(|_, meter| meter.owes(now));
        }
        let mut meter = Meter::new(now);
        let wait = meter.spend(per_second, amount, now);
        meters.insert(spender.clone(), meter);
        wait
    }
}

impl Shard {
    /// Counts what was spent where the spender's meter is; how long until it is paid for.
    pub(crate) async fn spend(&self, allowed: Allowed, amount: f64, now: Instant) -> Duration {
        let Allowed { spender, per_second } = allowed;
        let mut hasher = DefaultHasher::new();
        spender.hash(&mut hasher);
        let shards = u64::from(self.shards);
        let owner = usize::try_from(hasher.finish() % shards).unwrap_or(0);
        if owner == self.number {
            return self.quotas.spend(&spender, per_second, amount, now);
        }
        match self.ask(owner, Ask::Spend { spender, per_second, amount }).await {
            Ok(Answer::Spent(wait)) => wait,
            _ => Duration::ZERO,
        }
    }
}
