//! How many connections a process has, over all its shards and listeners, and how many it may have: in all (`max.connections`), from
//! one address (`max.connections.per.ip`), and new ones each second (`max.connection.creation.rate`).
//!
//! The one state that shards share: a limit of the broker's that each shard held for its own part would refuse clients while
//! others have room, since the kernel spreads connections by chance. It is touched when a connection comes and when it goes.

#![expect(clippy::disallowed_types, reason = "not on the path of data: once for each connection")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long to wait where nobody knows when another connection will end.
const ROOM: Duration = Duration::from_millis(20);

/// What there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Connections in all.
    pub max: usize,
    /// New ones in a second; as many may come at once.
    pub per_second: usize,
    /// From one address.
    pub per_address: usize,
    /// For these addresses another number.
    pub overrides: HashMap<IpAddr, usize>,
}

impl Rules {
    pub fn unlimited() -> Rules {
        Rules {
            max: usize::MAX,
            per_second: usize::MAX,
            per_address: usize::MAX,
            overrides: HashMap::new(),
        }
    }

    fn for_address(&self, address: IpAddr) -> usize {
        self.overrides.get(&address).copied().unwrap_or(self.per_address)
    }
}

/// The count, and its rules, which may change at any time.
#[derive(Debug)]
pub struct Connections(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    rules: Rules,
    open: usize,
    from: HashMap<IpAddr, usize>,
    /// How many may come at once as of `since`, in billionths.
    allowed: u128,
    since: Option<Instant>,
}

/// One connection's part of the count, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
}

impl Connections {
    pub fn new(rules: Rules) -> Arc<Connections> {
        let (from, allowed, since) = Default::default();
        Arc::new(Connections(Mutex::new(Counts { rules, open: 0, from, allowed, since })))
    }

    /// From now on these; the connections that are open stay.
    pub fn set(&self, rules: Rules) {
        self.counts().rules = rules;
    }

    /// One more, or for how long to wait before asking again.
    pub(crate) fn try_count(self: &Arc<Connections>, now: Instant) -> Result<Counted, Duration> {
        let mut counts = self.counts();
        if counts.open >= counts.rules.max {
            return Err(ROOM);
        }
        counts.take_turn(now)?;
        counts.open += 1;
        Ok(Counted { connections: Arc::clone(self), address: None })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Whether the rate allows for one more.
    fn take_turn(&mut self, now: Instant) -> Result<(), Duration> {
        const ONE: u128 = 1_000_000_000;
        let rate = self.rules.per_second as u128;
        let passed = self.since.map(|since| now.saturating_duration_since(since));
        let full = rate.saturating_mul(ONE);
        let more = passed.map_or(full, |passed| rate.saturating_mul(passed.as_nanos()));
        self.allowed = self.allowed.saturating_add(more).min(full);
        self.since = Some(now);
        if self.allowed >= ONE {
            self.allowed -= ONE;
            return Ok(());
        }
        let nanos = (ONE - self.allowed).checked_div(rate).unwrap_or(u128::MAX);
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // The rules may change meanwhile.
        Err(wait.clamp(Duration::from_millis(1), Duration::from_millis(100)))
    }
}

impl Counted {
    /// Counts it among those of its address; false where there are as many as there may be.
    pub(crate) fn is_from(&mut self, address: IpAddr) -> bool {
        // IPv4 over a socket of both families is the same address.
        let address = address.to_canonical();
        let mut counts = self.connections.counts();
        let open = counts.from.get(&address).copied().unwrap_or(0);
        if open >= counts.rules.for_address(address) {
            return false;
        }
        counts.from.insert(address, open + 1);
        drop(counts);
        self.address = Some(address);
        true
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        counts.open -= 1;
        let Some(address) = self.address else { return };
        if let Some(open) = counts.from.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                counts.from.remove(&address);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn limited(change: impl FnOnce(&mut Rules)) -> Rules {
        let mut rules = Rules::unlimited();
        change(&mut rules);
        rules
    }

    #[test]
    fn no_more_than_may_be() {
        let now = Instant::now();
        let connections = Connections::new(limited(|rules| rules.max = 2));
        let first = connections.try_count(now);
        let second = connections.try_count(now);
        assert!(first.is_ok() && second.is_ok());
        assert!(connections.try_count(now).is_err());
        drop(first);
        let third = connections.try_count(now);
        assert!(third.is_ok());
        connections.set(limited(|rules| rules.max = 1));
        drop(second);
        assert!(connections.try_count(now).is_err(), "those that are open stay, and count");
        drop(third);
        assert!(connections.try_count(now).is_ok());
    }

    #[test]
    fn no_more_from_one_address_than_may_be() {
        let now = Instant::now();
        let connections = Connections::new(limited(|rules| {
            rules.per_address = 1;
            rules.overrides.insert(THERE, 2);
        }));
        let one = || connections.try_count(now).unwrap();
        let mut all = [one(), one(), one(), one(), one()];
        let taken = all.each_mut().map(|it| it.is_from(HERE));
        assert_eq!(taken, [true, false, false, false, false]);
        assert!(all[1].is_from(THERE) && all[2].is_from(THERE) && !all[3].is_from(THERE));
        let mapped = IpAddr::V6(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert!(!all[3].is_from(mapped), "the same address in another family");
        drop(all);
        assert!(one().is_from(HERE), "those that have ended do not count");
    }

    #[test]
    fn no_more_in_a_second_than_may_be() {
        let began = Instant::now();
        let connections = Connections::new(limited(|rules| rules.per_second = 10));
        let at = |millis| began + Duration::from_millis(millis);
        let come = |from: u64, until: u64| {
            (from..until).filter(|millis| connections.try_count(at(*millis)).is_ok()).count()
        };
        assert_eq!(come(0, 1_000), 19, "ten at once, and then one each tenth of a second");
        assert_eq!(come(1_000, 11_000), 100);
        assert!(connections.try_count(at(11_000)).is_ok());
        assert_eq!(connections.try_count(at(11_000)).err(), Some(Duration::from_millis(100)));
        connections.set(limited(|rules| rules.per_second = 0));
        assert_eq!(come(12_000, 20_000), 0);
    }
}
