//! Records are taken from the partitions of a fetch, and waited for.
//!
//! The owners are asked one after another: what one gives leaves the next less to give. Where more than a byte is wanted at least, they are
//! first asked how much there is, all at once, so that nothing is acquired before there is enough.

use std::collections::HashMap;
use std::time::Instant;

use futures::future::join_all;
use net::wire::ErrorCode;
use storage::units::PartitionId;

use super::super::Context;
use super::super::shares::{Asker, trouble};
use super::answer::{Given, Part};
use crate::clock;
use crate::message::{Answer, Ask, Message};
use crate::partition::ReadRefusal;
use crate::share::message::{
    LookAsk, Looked, ShareAnswer, ShareAsk, ShareNote, Standing, TakeAsk, Taken, Trouble, Wish,
};

/// The limits of a fetch.
pub(super) struct Terms {
    pub(super) until: Instant,
    pub(super) bytes_min: usize,
    /// Kafka meets it where it divides it, and answers each partition with an error.
    pub(super) bytes_negative: bool,
    pub(super) wish: Wish,
}

/// What is known of the partitions that gave nothing.
type Seen = Vec<(PartitionId, Standing)>;

/// Takes, waits and takes again, until there is enough or time is up.
pub(super) async fn take(cx: &Context, who: &Asker, parts: &mut [Part], terms: &Terms) {
    let wish = &terms.wish;
    if terms.bytes_negative {
        let wanting = parts.iter_mut().filter(|part| part.outcome.is_none());
        wanting.for_each(|part| part.outcome = Some(Err(ErrorCode::UNKNOWN_SERVER_ERROR)));
        return;
    }
    if wish.records_max == 0 || wish.bytes_max == 0 {
        return;
    }
    let mut failed = false;
    loop {
        // What has an error is asked no more.
        let is_asked = |part: &&Part| !matches!(part.outcome, Some(Err(_)));
        let ids: Vec<_> = parts.iter().filter(is_asked).map(|part| part.id).collect();
        if ids.is_empty() {
            return;
        }
        let over = clock::monotonic() >= terms.until || cx.shard.stopping.get();
        let looked = match terms.bytes_min {
            0 | 1 => None,
            _ if over => None,
            _ => Some(look(cx, who, parts, &ids, wish.bytes_max).await),
        };
        let seen = match looked {
            // An error is told once: it is in its part now.
            Some((_, seen)) if seen.len() < ids.len() => {
                failed = true;
                continue;
            }
            // Not enough yet.
            Some((bytes, seen)) if bytes < terms.bytes_min && !(failed && all_known(&seen)) => seen,
            Some(_) | None => {
                let (given, seen) = take_once(cx, who, parts, &ids, wish).await;
                let any = seen.iter().any(|(_, standing)| standing.acquirable);
                failed |= given < ids.len() - seen.len();
                let is_enough = any && (terms.bytes_min == 0 || wish.records_max < 0);
                if given > 0 || failed && all_known(&seen) || is_enough {
                    return;
                }
                seen
            }
        };
        if over || !changed(cx, who, seen, terms.until).await && terms.bytes_min <= 1 {
            return;
        }
    }
}

/// Whether none of them is still being loaded, and might have an error.
fn all_known(seen: &[(PartitionId, Standing)]) -> bool {
    seen.iter().all(|(_, standing)| standing.acquirable)
}

/// How many bytes there are, and where those stand that have no error.
async fn look(
    cx: &Context,
    who: &Asker,
    parts: &mut [Part],
    ids: &[PartitionId],
    bytes_max: usize,
) -> (usize, Seen) {
    let part_bytes = (bytes_max / ids.len().max(1)).max(1);
    let asked = cx.shard.by_owner(ids.iter().copied()).into_iter().map(async |(owner, parts)| {
        let ask = LookAsk { group: who.group.clone(), parts: parts.clone(), bytes_max: part_bytes };
        let looked = look_at(cx, owner, ask).await;
        parts.into_iter().zip(looked).collect::<Vec<_>>()
    });
    let mut seen = Seen::new();
    let mut bytes = 0;
    for (id, looked) in join_all(asked).await.into_iter().flatten() {
        match looked {
            Ok(looked) => {
                bytes += looked.bytes;
                seen.push((id, looked.standing));
            }
            Err(why) => {
                let part = parts.iter_mut().find(|part| part.id == id);
                part.into_iter().for_each(|part| part.outcome = Some(Err(trouble(why))));
            }
        }
    }
    (bytes, seen)
}

async fn look_at(cx: &Context, owner: usize, ask: LookAsk) -> Vec<Result<Looked, Trouble>> {
    if owner == cx.shard.number {
        return cx.shard.share_look(ask).await;
    }
    let count = ask.parts.len();
    match cx.shard.ask(owner, Ask::Share(Box::new(ShareAsk::Look(ask)))).await {
        Ok(Answer::Share(answer)) => match *answer {
            ShareAnswer::Look(looked) => looked,
            _ => stopped(count),
        },
        _ => stopped(count),
    }
}

/// One round. How many partitions have given records, and where those stand that have neither given any nor have an error.
async fn take_once(
    cx: &Context,
    who: &Asker,
    parts: &mut [Part],
    ids: &[PartitionId],
    wish: &Wish,
) -> (usize, Seen) {
    let part_bytes_max = (wish.bytes_max / ids.len().max(1)).max(1);
    let mut wish = Wish { part_bytes_max, ..*wish };
    let (mut given, mut seen) = (0, Seen::new());
    let places: HashMap<PartitionId, usize> =
        parts.iter().enumerate().map(|(at, part)| (part.id, at)).collect();
    for (owner, asked) in cx.shard.by_owner(ids.iter().copied()) {
        let (group, member) = (who.group.clone(), who.member.clone());
        let ask = TakeAsk { group, member, parts: asked.clone(), wish };
        for (id, taken) in asked.into_iter().zip(take_from(cx, owner, ask).await) {
            let outcome = match taken {
                Ok(Taken::Records { batches, acquired }) => {
                    wish = wish.without(&batches, &acquired);
                    given += 1;
                    Ok(Some(Given { batches, acquired }))
                }
                Ok(Taken::Nothing(standing)) => {
                    seen.push((id, standing));
                    if !standing.acquirable {
                        continue;
                    }
                    Ok(None)
                }
                Err(why) => Err(trouble(why)),
            };
            if let Some(at) = places.get(&id) {
                parts[*at].outcome = Some(outcome);
            }
        }
    }
    (given, seen)
}

async fn take_from(cx: &Context, owner: usize, ask: TakeAsk) -> Vec<Result<Taken, Trouble>> {
    if owner == cx.shard.number {
        return cx.shard.share_take(ask).await;
    }
    let count = ask.parts.len();
    match cx.shard.ask(owner, Ask::Share(Box::new(ShareAsk::Take(ask)))).await {
        Ok(Answer::Share(answer)) => match *answer {
            ShareAnswer::Take(taken) => taken,
            _ => stopped(count),
        },
        _ => stopped(count),
    }
}

fn stopped<T>(count: usize) -> Vec<Result<T, Trouble>> {
    std::iter::repeat_with(|| Err(ReadRefusal::Stopping.into())).take(count).collect()
}

/// Parks the fetch on its partitions; false when time was up.
async fn changed(cx: &Context, who: &Asker, seen: Seen, until: Instant) -> bool {
    let wait = cx.shard.waits.begin();
    let watch = wait.watch;
    let owners = cx.shard.by_owner(seen.iter().map(|(id, _)| *id));
    let mut at_once = false;
    let standings: HashMap<PartitionId, Standing> = seen.into_iter().collect();
    for (owner, ids) in &owners {
        let of_owner = ids.iter().filter_map(|id| Some((*id, *standings.get(id)?)));
        let (group, seen): (_, Seen) = (who.group.clone(), of_owner.collect());
        if *owner == cx.shard.number {
            at_once |= !cx.shard.share_watch(*owner, watch, &group, &seen);
        } else {
            let note = ShareNote::Watch { watch, group, seen };
            cx.shard.post(*owner, Message::Share(Box::new(note)));
        }
    }
    let changed = at_once || cx.shard.deadlines.limit(until, wait).await.is_ok();
    for (owner, partitions) in owners {
        let group = who.group.clone();
        if owner == cx.shard.number {
            cx.shard.share_unwatch(owner, watch, &group, &partitions);
        } else {
            let note = ShareNote::Unwatch { watch, group, partitions };
            cx.shard.post(owner, Message::Share(Box::new(note)));
        }
    }
    changed
}
