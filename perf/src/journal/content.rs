//! What is in a batch: a function of seed, topic, partition and counter.
//!
//! ```text
//! value   topic hash u32 | partition i32 | counter u64 | record index u32 | random bytes
//! ```
//! Most batches are small, a few of a thousand small records, some fill blocks, a few are as large as Kafka allows by default, so that they
//! take every path of the log.

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::SmallRng};

const HEAD_BYTES: usize = 20;

/// The values of one batch.
pub fn values(seed: u64, topic: &str, partition: i32, counter: u64) -> Vec<Vec<u8>> {
    let place = crc32c::crc32c(topic.as_bytes());
    let mixed = seed
        ^ (u64::from(place) << 32)
        ^ (u64::from(partition.unsigned_abs()) << 20)
        ^ counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = SmallRng::seed_from_u64(mixed);
    let (count, bytes) = match random.random_range(0..100) {
        0..70 => (random.random_range(1..12), random.random_range(1..1500)),
        70..72 => (random.random_range(200..1600), random.random_range(1..40)),
        72..94 => (random.random_range(1..4), random.random_range(4000..20_000)),
        94..98 => (1, random.random_range(60_000..250_000)),
        _ => (1, random.random_range(260_000..900_000)),
    };
    (0..count)
        .map(|index: u32| {
            let mut value = Vec::with_capacity(HEAD_BYTES + bytes);
            value.extend_from_slice(&place.to_be_bytes());
            value.extend_from_slice(&partition.to_be_bytes());
            value.extend_from_slice(&counter.to_be_bytes());
            value.extend_from_slice(&index.to_be_bytes());
            value.resize(HEAD_BYTES + bytes, 0);
            random.fill_bytes(&mut value[HEAD_BYTES..]);
            value
        })
        .collect()
}

pub fn hash(values: &[impl AsRef<[u8]>]) -> u32 {
    values.iter().fold(0, |crc, value| crc32c::crc32c_append(crc, value.as_ref()))
}

/// Which counter stored values claim to be, after comparing every byte with what that batch must hold.
pub fn check(seed: u64, topic: &str, partition: i32, stored: &[&[u8]]) -> Result<u64> {
    let first = stored.first().context("a batch without records")?;
    let counter: [u8; 8] = first.get(8..16).context("a value too short to be ours")?.try_into()?;
    let counter = u64::from_be_bytes(counter);
    let expected = values(seed, topic, partition, counter);
    ensure!(
        expected.len() == stored.len(),
        "{} records where {} were sent",
        stored.len(),
        expected.len()
    );
    for (index, (expected, stored)) in expected.iter().zip(stored).enumerate() {
        ensure!(expected == stored, "record {index} of batch {counter} is not what was sent");
    }
    Ok(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_checks_as_itself_only() {
        let made = values(3, "t", 4, 99);
        let mut slices: Vec<&[u8]> = made.iter().map(Vec::as_slice).collect();
        assert_eq!(check(3, "t", 4, &slices).unwrap(), 99);
        assert!(check(3, "t", 5, &slices).is_err());
        assert!(check(3, "u", 4, &slices).is_err());
        let mut torn = made[0].clone();
        *torn.last_mut().unwrap() ^= 1;
        slices[0] = &torn;
        assert!(check(3, "t", 4, &slices).is_err());
    }

    #[test]
    fn small_and_large_batches_both_come() {
        let sizes: Vec<usize> =
            (0..400).map(|n| values(1, "t", 0, n).iter().map(Vec::len).sum()).collect();
        assert!(sizes.iter().any(|&s| s < 1000) && sizes.iter().any(|&s| s > 260_000));
        assert!(sizes.iter().all(|&s| s < 1_000_000));
    }
}
