//! The things that storage counts, one type for each, so that an offset is never passed where a position is meant.
//!
//! All are plain copies of Kafka's integers. Arithmetic never panics and never wraps: values come from files and from the
//! wire, so a sum that would leave the range stops at its end, where the next check refuses it. The one exception is
//! [`Sequence`], which wraps because Kafka's protocol says so.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use uuid::Uuid;

/// The place of a record in its partition: the first record of a partition is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// A partition's leader epoch: how often a leader was chosen for it. -1 = unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i32);

/// Milliseconds since 1970-01-01 UTC. -1 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Names a producer. -1 = a producer without a name (neither idempotent nor transactional).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

/// Fences older instances of a producer. -1 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerEpoch(pub i16);

/// The number that a producer gives to a record in a partition. 0 follows `i32::MAX`; -1 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub i32);

/// The identity of a topic: a topic that is deleted and created again has another. Shown as Kafka shows it, in base64url.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub Uuid);

/// One partition of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId {
    pub topic: TopicId,
    pub partition: i32,
}

impl Offset {
    /// None, in answers.
    pub const NONE: Offset = Offset(-1);
    pub const ZERO: Offset = Offset(0);
    pub const MAX: Offset = Offset(i64::MAX);

    pub const fn get(self) -> i64 {
        self.0
    }

    /// The offset after this one.
    pub const fn next(self) -> Offset {
        Offset(self.0.saturating_add(1))
    }
}

impl Add<i64> for Offset {
    type Output = Offset;

    fn add(self, delta: i64) -> Offset {
        Offset(self.0.saturating_add(delta))
    }
}

impl AddAssign<i64> for Offset {
    fn add_assign(&mut self, delta: i64) {
        *self = *self + delta;
    }
}

impl Sub<i64> for Offset {
    type Output = Offset;

    fn sub(self, delta: i64) -> Offset {
        Offset(self.0.saturating_sub(delta))
    }
}

/// How many offsets lie between two.
impl Sub for Offset {
    type Output = i64;

    fn sub(self, other: Offset) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl Epoch {
    pub const NONE: Epoch = Epoch(-1);

    pub const fn get(self) -> i32 {
        self.0
    }

    pub const fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl Timestamp {
    pub const NONE: Timestamp = Timestamp(-1);

    pub const fn get(self) -> i64 {
        self.0
    }
}

impl Add<i64> for Timestamp {
    type Output = Timestamp;

    fn add(self, milliseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds))
    }
}

impl Sub<i64> for Timestamp {
    type Output = Timestamp;

    fn sub(self, milliseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_sub(milliseconds))
    }
}

/// Milliseconds between two times.
impl Sub for Timestamp {
    type Output = i64;

    fn sub(self, other: Timestamp) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl ProducerId {
    pub const NONE: ProducerId = ProducerId(-1);

    pub const fn get(self) -> i64 {
        self.0
    }

    /// Kafka's rule for "this batch has a producer id".
    pub const fn is_some(self) -> bool {
        self.0 > -1
    }
}

impl ProducerEpoch {
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);

    pub const fn get(self) -> i16 {
        self.0
    }
}

impl Sequence {
    pub const NONE: Sequence = Sequence(-1);
    pub const ZERO: Sequence = Sequence(0);
    pub const MAX: Sequence = Sequence(i32::MAX);

    pub const fn get(self) -> i32 {
        self.0
    }

    /// The sequence `count` records later: `MAX + 1` is 0. Both sides are taken modulo 2^31.
    pub const fn plus(self, count: i32) -> Sequence {
        Sequence(self.0.wrapping_add(count) & i32::MAX)
    }

    /// The sequence `count` records earlier: `0 - 1` is `MAX`.
    pub const fn minus(self, count: i32) -> Sequence {
        Sequence(self.0.wrapping_sub(count) & i32::MAX)
    }

    /// Whether `next` is the sequence that must follow this one. After none, only 0 does.
    pub const fn is_followed_by(self, next: Sequence) -> bool {
        if self.0 == i32::MAX { next.0 == 0 } else { next.0 == self.0 + 1 }
    }
}

macro_rules! show_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

show_number!(Offset, Epoch, Timestamp, ProducerId, ProducerEpoch, Sequence);

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl TopicId {
    /// No topic.
    pub const NIL: TopicId = TopicId(Uuid::nil());
    /// The metadata log's.
    pub const METADATA: TopicId = TopicId(Uuid::from_u128(1));

    /// Reads the 22 characters of base64url without padding in which Kafka writes ids.
    pub fn parse(text: &str) -> Option<TopicId> {
        if text.len() != 22 {
            return None;
        }
        let mut bits = 0u128;
        let mut last = 0;
        for (i, letter) in text.bytes().enumerate() {
            let digit = u128::from(base64_digit(letter)?);
            if i < 21 {
                bits = (bits << 6) | digit;
            } else {
                last = digit;
            }
        }
        // 22 digits hold 132 bits: the last four say nothing and are zero.
        if last & 0xf != 0 {
            return None;
        }
        Some(TopicId(Uuid::from_u128((bits << 2) | (last >> 4))))
    }
}

fn base64_digit(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.as_u128();
        let mut text = [0u8; 22];
        for (i, letter) in text.iter_mut().enumerate() {
            let digit = if i < 21 { bits >> (122 - 6 * i) } else { bits << 4 };
            *letter = BASE64_URL[(digit & 63) as usize];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stop_at_the_end_of_the_range() {
        assert_eq!(Offset(5) + 3, Offset(8));
        assert_eq!(Offset::MAX + 3, Offset::MAX);
        assert_eq!(Offset(5) - Offset(8), -3);
        assert_eq!(Offset::MAX.next(), Offset::MAX);
        assert_eq!(Timestamp(i64::MIN) - 1, Timestamp(i64::MIN));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(Sequence(2_147_483_645).plus(4), Sequence(1));
        assert_eq!(Sequence(1).minus(4), Sequence(2_147_483_645));
        assert_eq!(Sequence(7).plus(3), Sequence(10));
        assert!(Sequence::MAX.is_followed_by(Sequence(0)));
        assert!(Sequence::NONE.is_followed_by(Sequence(0)));
        assert!(!Sequence::MAX.is_followed_by(Sequence::MAX));
        assert!(Sequence(4).is_followed_by(Sequence(5)));
    }

    #[test]
    fn topic_ids_read_as_kafka_writes_them() {
        let check = |text: &str, bits: u128| {
            assert_eq!(TopicId::parse(text), Some(TopicId(Uuid::from_u128(bits))));
            assert_eq!(TopicId(Uuid::from_u128(bits)).to_string(), text);
        };
        check("AAAAAAAAAAAAAAAAAAAAAA", 0);
        check("AAAAAAAAAAAAAAAAAAAAAQ", 1);
        check("_____________________w", u128::MAX);
        for bad in [
            "",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAA/AAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(TopicId::parse(bad), None, "{bad}");
        }
    }
}
