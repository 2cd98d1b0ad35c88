//! The controller's random numbers: where stripes of replicas begin, and the ids of topics.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// Ids below this mean something of their own (not placed yet, lost, ..; 1 is the metadata log's topic).
const RESERVED_BELOW: u128 = 100;
/// The first six bits of an id whose text would begin with '-', which command lines take for a flag.
const DASH: u8 = 62;

/// A source of random numbers; seeded in tests.
#[derive(Debug, Clone)]
pub struct Dice(StdRng);

impl Dice {
    /// Numbers that nobody can foresee.
    pub fn new() -> Dice {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        seed[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Dice(StdRng::from_seed(seed))
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Dice {
        Dice(StdRng::seed_from_u64(seed))
    }

    /// One of `0..below`; `below` > 0.
    pub fn below(&mut self, below: usize) -> usize {
        self.0.random_range(0..below)
    }

    /// An id that nothing else has.
    pub fn id(&mut self) -> Uuid {
        loop {
            let id = uuid::Builder::from_random_bytes(self.0.random()).into_uuid();
            if id.as_u128() >= RESERVED_BELOW && id.as_bytes()[0] >> 2 != DASH {
                return id;
            }
        }
    }
}

impl Default for Dice {
    fn default() -> Dice {
        Dice::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::units::TopicId;

    #[test]
    fn ids_do_not_look_like_flags() {
        let mut dice = Dice::seeded(1);
        for _ in 0..1000 {
            assert!(!TopicId(dice.id()).to_string().starts_with('-'));
        }
    }
}
