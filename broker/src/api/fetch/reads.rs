//! One read of every partition of a fetch, each by its owner, within the bytes of the whole.
//!
//! The owners are asked at once, and each keeps the limits as if it were alone. Where they gave too much together, the partitions
//! behind the limit are asked again for what is left: that is rare, since a plan costs no bytes before it is sent.

use storage::units::{Epoch, Offset, PartitionId};

use super::super::Context;
use super::{Item, Terms};
use crate::message::{Answer, Ask, Read, ReadAsk, ReadPart};
use crate::partition::ReadRefusal;
use crate::sessions::Wanted;

/// What one owner is asked, and for which items.
struct Group {
    owner: usize,
    places: Vec<usize>,
    ask: ReadAsk,
}

pub(super) async fn read(cx: &Context, items: &mut [Item], terms: &Terms) {
    let mut own = None;
    let mut asked = Vec::new();
    for group in groups(cx, items, terms) {
        if group.owner == cx.shard.number {
            own = Some(group);
        } else {
            asked.push((group.places, cx.shard.ask(group.owner, Ask::Read(group.ask))));
        }
    }
    if let Some(group) = own {
        put(items, &group.places, cx.shard.read(&group.ask).await);
    }
    for (places, asked) in asked {
        match asked.await {
            Ok(Answer::Read(reads)) => put(items, &places, reads),
            _ => put(items, &places, places.iter().map(|_| Err(ReadRefusal::Stopping)).collect()),
        }
    }
    bound(cx, items, terms).await;
}

fn groups(cx: &Context, items: &mut [Item], terms: &Terms) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, item) in items.iter_mut().enumerate() {
        let Ok(partition) = item.place else { continue };
        if terms.follower {
            item.read = Some(Err(ReadRefusal::NotReplica));
            continue;
        }
        let owner = cx.shard.owner(partition);
        let group = groups.iter().position(|group| group.owner == owner).unwrap_or_else(|| {
            groups.push(Group { owner, places: Vec::new(), ask: ask(terms.bytes_max, true) });
            groups.len() - 1
        });
        groups[group].places.push(at);
        groups[group].ask.parts.push(part(partition, item.wanted, terms));
    }
    groups
}

fn ask(bytes_max: usize, at_least_one: bool) -> ReadAsk {
    ReadAsk { parts: Vec::new(), bytes_max, at_least_one }
}

/// Below 0 an epoch is not given.
fn part(partition: PartitionId, wanted: Wanted, terms: &Terms) -> ReadPart {
    let epoch = |epoch: i32| (epoch >= 0).then_some(Epoch(epoch));
    ReadPart {
        partition,
        current_epoch: epoch(wanted.current_epoch),
        from: Offset(wanted.from),
        last_fetched_epoch: epoch(wanted.last_fetched_epoch),
        bytes_max: usize::try_from(wanted.bytes_max).unwrap_or(0),
        read_committed: terms.read_committed,
    }
}

fn put(items: &mut [Item], places: &[usize], reads: Vec<Result<Read, ReadRefusal>>) {
    for (&at, read) in places.iter().zip(reads) {
        items[at].read = Some(read);
    }
}

/// Only the first partition with records may exceed the limits, by its first batch.
async fn bound(cx: &Context, items: &mut [Item], terms: &Terms) {
    let mut taken = 0usize;
    for item in items {
        let (Ok(partition), Some(Ok(read))) = (item.place, &item.read) else { continue };
        let part = part(partition, item.wanted, terms);
        let left = terms.bytes_max.saturating_sub(taken).min(part.bytes_max);
        if taken > 0 && read.plan.bytes > left {
            item.read = Some(read_one(cx, part, left).await);
        }
        taken += item
            .read
            .as_ref()
            .and_then(|read| read.as_ref().ok())
            .map_or(0, |read| read.plan.bytes);
    }
}

async fn read_one(cx: &Context, part: ReadPart, bytes_max: usize) -> Result<Read, ReadRefusal> {
    let owner = cx.shard.owner(part.partition);
    let ask = ReadAsk { parts: vec![part], ..ask(bytes_max, false) };
    let reads = if owner == cx.shard.number {
        Some(cx.shard.read(&ask).await)
    } else {
        match cx.shard.ask(owner, Ask::Read(ask)).await {
            Ok(Answer::Read(reads)) => Some(reads),
            _ => None,
        }
    };
    reads.and_then(|mut reads| reads.pop()).unwrap_or(Err(ReadRefusal::Stopping))
}
