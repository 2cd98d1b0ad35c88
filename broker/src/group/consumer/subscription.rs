//! What a group's members read: the topics by name, those that regular expressions match, and a hash of what the topics are.
//!
//! The hash stands in the group's epoch record: when it is another one, topics have come, gone or grown, and the group's epoch is
//! raised. It is Kafka's (XXH3 of what hash4j writes: integers little-endian, strings as UTF-16 and then their length), so that a
//! directory that changes hands does not make its groups rebalance.

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;
use storage::units::TopicId;
use twox_hash::XxHash3_64;
use uuid::Uuid;

use super::member::ConsumerMember;
use super::{ConsumerGroup, Resolved};
use crate::metadata::image::{Image, Topic};

/// The version of the hash.
const MAGIC: u8 = 0;

/// How many members name a topic, and how many regular expressions match it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Readers {
    by_name: usize,
    by_regex: usize,
}

/// The topics that a group reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Names(BTreeMap<ByteString, Readers>);

impl Names {
    pub(in super::super) fn contains(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    pub(in super::super) fn learn(&mut self, names: &BTreeSet<ByteString>) {
        names.iter().for_each(|name| self.0.entry(name.clone()).or_default().by_name += 1);
    }

    pub(in super::super) fn forget(&mut self, names: &BTreeSet<ByteString>) {
        names.iter().for_each(|name| self.lose(name, |readers| &mut readers.by_name));
    }

    /// A regular expression matches these.
    pub(super) fn match_all(&mut self, topics: &BTreeSet<ByteString>) {
        topics.iter().for_each(|topic| self.0.entry(topic.clone()).or_default().by_regex += 1);
    }

    pub(super) fn match_no_more(&mut self, topics: &BTreeSet<ByteString>) {
        topics.iter().for_each(|topic| self.lose(topic, |readers| &mut readers.by_regex));
    }

    fn lose(&mut self, topic: &ByteString, count: impl Fn(&mut Readers) -> &mut usize) {
        if let Some(readers) = self.0.get_mut(topic) {
            let count = count(readers);
            *count = count.saturating_sub(1);
            if *readers == Readers::default() {
                self.0.remove(topic);
            }
        }
    }

    /// In their order.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &ByteString> {
        self.0.keys()
    }

    /// Of the topics that there are; 0 for none.
    pub(in super::super) fn hash(&self, image: &Image) -> i64 {
        let topics = self.0.keys().filter_map(|name| image.topic_by_name(name));
        let hashes: Vec<u8> = topics.flat_map(|t| topic_hash(image, t).to_le_bytes()).collect();
        match hashes.is_empty() {
            true => 0,
            false => XxHash3_64::oneshot(&hashes).cast_signed(),
        }
    }
}

fn topic_hash(image: &Image, topic: &Topic) -> u64 {
    let (high, low) = topic.id.0.as_u64_pair();
    let mut bytes = vec![MAGIC];
    bytes.extend(high.to_le_bytes());
    bytes.extend(low.to_le_bytes());
    put_text(&mut bytes, &topic.name);
    bytes.extend(u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (number, partition) in topic.partitions() {
        bytes.extend(number.to_le_bytes());
        let racks = partition.replicas.iter().filter_map(|id| image.broker(*id)?.rack.as_ref());
        let mut racks: Vec<&ByteString> = racks.collect();
        racks.sort();
        for rack in racks {
            bytes.extend(units(rack).to_le_bytes());
            put_text(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes)
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend(units(text).to_le_bytes());
}

fn units(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// Whether all members read the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionType {
    Homogeneous,
    Heterogeneous,
}

impl ConsumerGroup {
    /// What the group reads when `old` has become `new`. Counts of a regular expression's topics go with its last reader.
    pub(super) fn names_with(&self, old: &ConsumerMember, new: Option<&ConsumerMember>) -> Names {
        let mut names = self.names.clone();
        if self.member_or_replaced(old) {
            names.forget(&old.names);
        }
        if let Some(new) = new {
            names.learn(&new.names);
        }
        if let Some(regex) = old.regex()
            && new.and_then(ConsumerMember::regex) != Some(regex)
            && self.readers(regex) == 1
            && let Some(resolved) = self.resolved(regex)
        {
            names.match_no_more(&resolved.topics);
        }
        names
    }

    /// What the group reads without these members and regular expressions.
    pub(super) fn names_without(
        &self,
        members: &BTreeSet<ByteString>,
        regexes: &BTreeSet<ByteString>,
    ) -> Names {
        let mut names = self.names.clone();
        members.iter().filter_map(|id| self.member(id)).for_each(|m| names.forget(&m.names));
        let resolved = regexes.iter().filter_map(|regex| self.resolved(regex));
        resolved.for_each(|resolved| names.match_no_more(&resolved.topics));
        names
    }

    /// What the group reads when its regular expressions match this.
    pub(super) fn names_matching(&self, changed: &BTreeMap<ByteString, Resolved>) -> Names {
        let mut names = self.names.clone();
        for (regex, now) in changed {
            if let Some(before) = self.resolved(regex) {
                names.match_no_more(&before.topics);
            }
            names.match_all(&now.topics);
        }
        names
    }

    /// Whether all members read the same, when `old` has become `new`.
    pub(super) fn subscription_type(
        &self,
        old: &ConsumerMember,
        new: &ConsumerMember,
        names: &Names,
    ) -> SubscriptionType {
        let known = self.member_or_replaced(old);
        let mut regexes = self.regexes.clone();
        if let Some(regex) = old.regex().filter(|_| known)
            && let Some(count) = regexes.get_mut(regex)
        {
            *count -= 1;
            regexes.retain(|_, count| *count > 0);
        }
        if let Some(regex) = new.regex() {
            *regexes.entry(regex.clone()).or_default() += 1;
        }
        let members = self.size() + usize::from(!known);
        let same = match regexes.first_key_value() {
            None => names.0.values().all(|readers| readers.by_name == members),
            Some((_, count)) if *count == members => {
                names.0.values().all(|readers| *readers == Readers { by_name: 0, by_regex: 1 })
            }
            Some(_) => false,
        };
        if same { SubscriptionType::Homogeneous } else { SubscriptionType::Heterogeneous }
    }

    /// Whether what the member reads is counted already, under its id or its instance's.
    pub(super) fn member_or_replaced(&self, member: &ConsumerMember) -> bool {
        let of_instance = |instance: &ByteString| self.of_instance(instance).is_some();
        self.member(&member.id).is_some() || member.instance.as_ref().is_some_and(of_instance)
    }

    /// The topics that a member reads and that there are.
    pub(super) fn topics_of(&self, member: &ConsumerMember, image: &Image) -> BTreeSet<Uuid> {
        let matched = member.regex().and_then(|regex| self.resolved(regex));
        let matched = matched.into_iter().flat_map(|resolved| &resolved.topics);
        let names = member.names.iter().chain(matched);
        names.filter_map(|name| image.topic_id(name)).map(|TopicId(id)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::image::tests::{replayed, topic};

    /// By hash4j 0.22: `xxh3_64().hashStream().putByte(0).putLong(1).putLong(2).putString("grüße-🧵").putInt(2)
    /// .putInt(0).putInt(1)`.
    #[test]
    fn a_topics_hash_is_kafkas() {
        let image = replayed(topic((1 << 64) + 2, "grüße-🧵", 2));
        let of = image.topic_by_name("grüße-🧵").unwrap();
        assert_eq!(topic_hash(&image, of).cast_signed(), -9_035_218_193_123_025_092);
        assert_eq!(Names::default().hash(&image), 0);
        let bytes: Vec<u8> = [5_u64, 6].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(XxHash3_64::oneshot(&bytes).cast_signed(), 4_703_856_340_681_081_523);
    }
}
