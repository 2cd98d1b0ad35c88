//! Where the replicas of a new topic go: striped over racks and brokers, as Kafka's controllers do.
//!
//! - The first replica (the preferred leader) goes to the next rack's next unfenced broker; the others follow one rack after
//!   another, so that a rack gets a second replica only when every other has one. Fenced brokers of a rack come last.
//! - From partition to partition the racks move on by one, and so do the brokers within each rack: leaders and followers
//!   spread evenly, and the followers of one leader are not always the same.
//! - When every unfenced broker has led once, racks and brokers are shuffled, so that the stripes do not repeat.
//!
//! Where it starts, and how it shuffles, is random; the source of random numbers is an argument.

use std::collections::BTreeMap;

/// A broker that may be given replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableBroker {
    pub id: i32,
    pub rack: Option<String>,
    pub fenced: bool,
}

/// Why replicas cannot be placed. The texts are Kafka's: its tools print them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    #[error("Invalid replication factor {0}: the replication factor must be positive.")]
    NotPositive(i16),
    #[error("All brokers are currently fenced, or have all their log directories cordoned.")]
    AllFenced,
    #[error(
        "The target replication factor of {wanted} cannot be reached because only {brokers} broker(s) are registered or some brokers have all their log directories cordoned."
    )]
    TooFew { wanted: i16, brokers: usize },
}

/// A source of random numbers: one in `0..below`, `below` > 0.
pub type Random<'a> = &'a mut dyn FnMut(usize) -> usize;

/// Replica lists for partitions `0..partitions`, each with its preferred leader first.
pub fn place(
    brokers: &[UsableBroker],
    partitions: usize,
    replication_factor: i16,
    random: Random<'_>,
) -> Result<Vec<Vec<i32>>, PlacementError> {
    let wanted = usize::try_from(replication_factor).ok().filter(|factor| *factor > 0);
    let wanted = wanted.ok_or(PlacementError::NotPositive(replication_factor))?;
    let unfenced = brokers.iter().filter(|broker| !broker.fenced).count();
    if unfenced == 0 {
        return Err(PlacementError::AllFenced);
    }
    if wanted > brokers.len() {
        return Err(PlacementError::TooFew { wanted: replication_factor, brokers: brokers.len() });
    }
    let mut stripes = Stripes::new(brokers, unfenced, random);
    Ok((0..partitions).map(|_| stripes.next(wanted, random)).collect())
}

/// The racks, and where the next stripe begins.
struct Stripes {
    racks: Vec<Rack>,
    /// The rack that the next first replica is looked for in.
    offset: usize,
    /// Stripes since the last shuffle.
    round: usize,
    unfenced: usize,
}

#[derive(Default)]
struct Rack {
    unfenced: Ring,
    fenced: Ring,
}

/// A rack's brokers, and how many of them this stripe has taken.
#[derive(Default)]
struct Ring {
    brokers: Vec<i32>,
    offset: usize,
    taken: usize,
}

impl Stripes {
    fn new(brokers: &[UsableBroker], unfenced: usize, random: Random<'_>) -> Stripes {
        let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        for broker in brokers {
            let rack = racks.entry(broker.rack.as_deref()).or_default();
            let ring = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            ring.brokers.push(broker.id);
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        racks.iter_mut().flat_map(Rack::rings).for_each(|ring| ring.begin(random));
        let offset = random(racks.len());
        Stripes { racks, offset, round: 0, unfenced }
    }

    fn next(&mut self, wanted: usize, random: Random<'_>) -> Vec<i32> {
        if self.round == self.unfenced && self.unfenced > 1 {
            self.shuffle(random);
        }
        let start = self.offset % self.racks.len();
        let mut replicas = Vec::with_capacity(wanted);
        let first = self.first(start, &mut replicas);
        self.rest(start, first, wanted, &mut replicas);
        self.racks.iter_mut().flat_map(Rack::rings).for_each(Ring::turn);
        self.offset = start + 1;
        self.round += 1;
        replicas
    }

    /// The first replica: an unfenced broker, of the first rack from `start` on that has one. Returns the rack.
    fn first(&mut self, start: usize, replicas: &mut Vec<i32>) -> usize {
        let racks = self.racks.len();
        for rack in (0..racks).map(|step| (start + step) % racks) {
            if let Some(broker) = self.racks[rack].unfenced.take() {
                replicas.push(broker);
                return rack;
            }
        }
        unreachable!("some broker is not fenced");
    }

    /// The other replicas: a broker of each rack in turn, passing the first replica's rack by the first time.
    fn rest(&mut self, start: usize, first: usize, wanted: usize, replicas: &mut Vec<i32>) {
        let racks = self.racks.len();
        let mut passed = false;
        let mut rack = start;
        while replicas.len() < wanted {
            if rack == first && !passed {
                passed = true;
            } else if let Some(broker) = self.racks[rack].take() {
                replicas.push(broker);
            }
            rack = (rack + 1) % racks;
        }
    }

    fn shuffle(&mut self, random: Random<'_>) {
        shuffle(&mut self.racks, random);
        for ring in self.racks.iter_mut().flat_map(Rack::rings) {
            shuffle(&mut ring.brokers, random);
        }
        self.round = 0;
    }
}

impl Rack {
    fn rings(&mut self) -> [&mut Ring; 2] {
        [&mut self.unfenced, &mut self.fenced]
    }

    fn take(&mut self) -> Option<i32> {
        self.unfenced.take().or_else(|| self.fenced.take())
    }
}

impl Ring {
    fn begin(&mut self, random: Random<'_>) {
        self.brokers.sort_unstable();
        if !self.brokers.is_empty() {
            self.offset = random(self.brokers.len());
        }
    }

    /// The next broker that this stripe has not taken.
    fn take(&mut self) -> Option<i32> {
        if self.taken == self.brokers.len() {
            return None;
        }
        let broker = self.brokers[(self.offset + self.taken) % self.brokers.len()];
        self.taken += 1;
        Some(broker)
    }

    /// The next stripe begins one broker later.
    fn turn(&mut self) {
        self.taken = 0;
        if !self.brokers.is_empty() {
            self.offset = (self.offset + 1) % self.brokers.len();
        }
    }
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], random: Random<'_>) {
    for last in (1..items.len()).rev() {
        items.swap(last, random(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(id: i32, rack: &str, fenced: bool) -> UsableBroker {
        UsableBroker { id, rack: (!rack.is_empty()).then(|| rack.to_owned()), fenced }
    }

    fn seeded(seed: u64) -> impl FnMut(usize) -> usize {
        use rand::{Rng as _, SeedableRng};
        let mut source = rand::rngs::SmallRng::seed_from_u64(seed);
        move |below| source.random_range(0..below)
    }

    #[test]
    fn one_broker_takes_everything() {
        let brokers = [broker(1, "", false)];
        assert_eq!(place(&brokers, 3, 1, &mut seeded(1)), Ok(vec![vec![1]; 3]));
    }

    #[test]
    fn the_stripe_moves_on() {
        let brokers: Vec<_> = (0..4).map(|id| broker(id, "", false)).collect();
        let placed = place(&brokers, 4, 3, &mut |_| 0).unwrap();
        assert_eq!(placed, [[0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1]]);
    }

    #[test]
    fn racks_take_turns() {
        let brokers = [
            broker(10, "a", false),
            broker(11, "a", false),
            broker(20, "b", false),
            broker(21, "b", false),
        ];
        let placed = place(&brokers, 4, 2, &mut |_| 0).unwrap();
        assert_eq!(placed, [[10, 20], [21, 11], [10, 20], [21, 11]]);
    }

    #[test]
    fn refusals_read_as_kafkas() {
        let check = |brokers: &[UsableBroker], factor: i16, expected: &str| {
            let error = place(brokers, 1, factor, &mut |_| 0).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        let one = [broker(1, "", false)];
        check(&one, 0, "Invalid replication factor 0: the replication factor must be positive.");
        check(
            &one,
            2,
            "The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
        );
        check(
            &[broker(1, "", true)],
            1,
            "All brokers are currently fenced, or have all their log directories cordoned.",
        );
    }

    /// Random clusters: no broker twice, an unfenced leader, racks used evenly, leaders spread evenly without racks.
    #[test]
    fn random_clusters_are_spread() {
        for seed in 0..500 {
            let mut random = seeded(seed);
            let racks = 1 + random(4);
            let count = 1 + random(9);
            let mut brokers: Vec<UsableBroker> = (0..count)
                .map(|id| {
                    broker(
                        i32::try_from(id).unwrap(),
                        ["a", "b", "c", "d"][random(racks)],
                        random(4) == 0,
                    )
                })
                .collect();
            brokers[0].fenced = false;
            let factor = 1 + random(count);
            let placed = place(&brokers, 20, i16::try_from(factor).unwrap(), &mut random).unwrap();
            assert_eq!(placed.len(), 20, "seed {seed}");
            for replicas in &placed {
                check_one(&brokers, replicas, factor, seed);
            }
        }
    }

    fn check_one(brokers: &[UsableBroker], replicas: &[i32], factor: usize, seed: u64) {
        let of = |id: i32| brokers.iter().find(|broker| broker.id == id).unwrap();
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), factor, "seed {seed}: {replicas:?}");
        assert!(!of(replicas[0]).fenced, "seed {seed}: {replicas:?}");
        let mut used: BTreeMap<&Option<String>, usize> = BTreeMap::new();
        for id in replicas {
            *used.entry(&of(*id).rack).or_default() += 1;
        }
        for rack in brokers.iter().map(|broker| &broker.rack) {
            let size = brokers.iter().filter(|broker| broker.rack == *rack).count();
            let most = used.values().max().copied().unwrap_or(0);
            let mine = used.get(rack).copied().unwrap_or(0);
            // A rack may be two behind: its turn may be about to come, and the first replica's rack was passed by once.
            assert!(mine == size || mine + 2 >= most, "seed {seed}: {replicas:?} of {brokers:?}");
        }
    }
}
