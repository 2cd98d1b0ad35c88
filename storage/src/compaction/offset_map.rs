//! The latest offset of each key in the dirty part of a log, in bounded memory: keys count by a hash of 128 bits, as Kafka's
//! `SkimpyOffsetMap` counts them by MD5.
//!
//! The hash has a secret of the process: two keys of the same hash, of which the older would be taken for the same key and lost, can
//! neither happen by chance nor be looked for. The table is made once, never grows, and touches only the memory that it fills.

use std::hash::{BuildHasher, RandomState};

use crate::planted::{Bug, is};
use crate::units::Offset;

/// Two words of hash, and the offset + 1 (0: the slot is free).
type Slot = [u64; 3];

const SLOT_BYTES: usize = size_of::<Slot>();

/// See the head of the file.
pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    keys: usize,
    keys_max: usize,
    secrets: (RandomState, RandomState),
    /// Every record below was looked at.
    end: Offset,
}

impl OffsetMap {
    /// A map for at most `keys` keys, if so many fit into `bytes`; at least one fits.
    pub(super) fn new(bytes: usize, load_factor: f64, keys: usize, start: Offset) -> OffsetMap {
        let slots_max = (bytes / SLOT_BYTES).max(2);
        let wanted = keys.saturating_mul(4) / 3 + 2;
        let slots = slots_max.min(wanted);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a fraction of a length"
        )]
        let filled = (slots as f64 * load_factor.clamp(0.01, 0.95)) as usize;
        OffsetMap {
            slots: vec![[0; 3]; slots],
            keys: 0,
            // One slot stays free, or a search would not end.
            keys_max: filled.clamp(1, slots - 1),
            secrets: (RandomState::new(), RandomState::new()),
            end: start,
        }
    }

    /// Takes note of a record, which comes after all others; false if its key is new and there is no room for it.
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let (slot, hash) = self.find(key);
        let is_new = self.slots[slot][2] == 0;
        if is_new && self.keys == self.keys_max {
            return is(Bug::KeyMapForgets);
        }
        self.keys += usize::from(is_new);
        let stored = u64::try_from(offset.0).unwrap_or(0) + 1;
        self.slots[slot] = [hash.0, hash.1, stored];
        true
    }

    /// The latest offset of a key in the part of the log that was looked at.
    pub(super) fn get(&self, key: &[u8]) -> Option<Offset> {
        let (slot, _) = self.find(key);
        let stored = self.slots[slot][2].checked_sub(1)?;
        Some(Offset(i64::try_from(stored).unwrap_or(i64::MAX)))
    }

    /// The slot of a key, or the free one that it would get.
    fn find(&self, key: &[u8]) -> (usize, (u64, u64)) {
        let hash = (self.secrets.0.hash_one(key), self.secrets.1.hash_one(key));
        let slots = self.slots.len();
        let scaled = (u128::from(hash.0) * slots as u128) >> 64;
        let mut slot = usize::try_from(scaled).unwrap_or(0);
        loop {
            let [first, second, stored] = self.slots[slot];
            if stored == 0 || (first, second) == hash {
                return (slot, hash);
            }
            slot = (slot + 1) % slots;
        }
    }

    /// Every record below `end` was looked at.
    pub(super) fn looked_at(&mut self, end: Offset) {
        self.end = end;
    }

    pub(super) fn end(&self) -> Offset {
        self.end
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_offset_counts_and_a_full_map_says_so() {
        let mut map = OffsetMap::new(10 * SLOT_BYTES, 0.5, 100, Offset(0));
        for (index, key) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            assert!(map.put(key.as_bytes(), Offset(i64::try_from(index).unwrap())));
        }
        assert!(map.put(b"a", Offset(7)));
        assert!(!map.put(b"f", Offset(8)));
        assert_eq!((map.get(b"a"), map.get(b"e")), (Some(Offset(7)), Some(Offset(4))));
        assert_eq!((map.get(b"f"), map.len()), (None, 5));
    }

    #[test]
    fn the_smallest_map_holds_a_key() {
        let mut map = OffsetMap::new(0, 0.9, 0, Offset(5));
        assert!(map.put(b"", Offset(5)));
        assert!(!map.put(b"x", Offset(6)));
        assert_eq!((map.get(b""), map.get(b"x")), (Some(Offset(5)), None));
    }

    #[test]
    fn many_keys() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 20_000, Offset(0));
        for n in 0..20_000i64 {
            assert!(map.put(&n.to_le_bytes(), Offset(n)));
        }
        assert!((0..20_000i64).all(|n| map.get(&n.to_le_bytes()) == Some(Offset(n))));
    }
}
