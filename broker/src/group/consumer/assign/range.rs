//! `range`: each topic's partitions in runs of neighbours, one for each of its readers; the first readers get one more where they do
//! not come out even. Static members come first, by their instance, so that a new id changes nothing.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Question, Targets};

/// How far a topic is dealt out.
struct Deal {
    partitions: i32,
    each: i32,
    /// Members that get one more.
    extra: i32,
    next: i32,
}

pub(super) fn assign(question: &Question<'_>) -> Targets {
    let mut members: Vec<_> = question.members.iter().collect();
    members.sort_by_key(|(id, member)| (member.instance.is_none(), member.instance.clone(), *id));
    let mut readers: BTreeMap<Uuid, i32> = BTreeMap::new();
    for (_, member) in &members {
        member.reads.iter().for_each(|topic| *readers.entry(*topic).or_default() += 1);
    }
    let deal = |(topic, readers): (Uuid, i32)| {
        let partitions = question.partitions_of(&topic);
        let (each, extra) = (partitions / readers, partitions % readers);
        (topic, Deal { partitions, each, extra, next: 0 })
    };
    let mut deals: BTreeMap<Uuid, Deal> = readers.into_iter().map(deal).collect();
    let mut targets = Targets::new();
    for (id, member) in members {
        let target = targets.entry(id.clone()).or_default();
        for topic in &member.reads {
            let Some(deal) = deals.get_mut(topic) else { continue };
            let more = i32::from(deal.extra > 0);
            deal.extra -= more;
            let end = (deal.next + deal.each + more).min(deal.partitions);
            if deal.next < end {
                target.insert(*topic, (deal.next..end).collect());
            }
            deal.next = end;
        }
    }
    targets
}
