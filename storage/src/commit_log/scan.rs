//! What recovery finds in the commit log's files: every group, and the chain of those that follow the manifest.
//!
//! The files are looked at one after another. Every header counts, for the marks and the links, but of the bytes only those are kept
//! which the chain may need: of a file, from its first group that is not older than the manifest to the end of its last one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::entry::{Entry, Kind, Link};
use super::group::{Group, GroupHeader};
use super::{EntryId, GroupSequence, LogId};
use crate::batch::BatchHeader;
use crate::planted::{Bug, is};
use crate::runtime::BLOCK;
use crate::units::PartitionId;

/// A group's header where it was found. Its body may be torn.
#[derive(Clone, Copy, Debug)]
struct Found {
    file: usize,
    position: usize,
    header: GroupHeader,
}

/// A good group of the chain, and where it lies.
pub(crate) struct Linked {
    pub(crate) file: usize,
    pub(crate) position: u64,
    pub(crate) group: Group,
}

/// What is kept of one file's bytes, and where that begins.
struct Kept {
    from: usize,
    bytes: Bytes,
}

/// Every header in the files.
pub(crate) struct Scan {
    /// Groups before this one are not in the chain.
    first: GroupSequence,
    files: Vec<Kept>,
    by_name: HashMap<(LogId, GroupSequence), Vec<Found>>,
    links: HashMap<Link, Vec<Found>>,
    known: HashSet<LogId>,
}

/// The groups that follow the manifest, in order, and why there are no more.
pub(crate) struct Chain {
    pub(crate) groups: Vec<Linked>,
    pub(crate) id: LogId,
    pub(crate) end: GroupSequence,
    /// Checksum of the last group.
    pub(crate) checksum: u32,
    /// Where a header of the next group was found whose body is bad.
    pub(crate) bad: Option<(usize, u64)>,
    /// A link was followed although a group of the old id came next, too.
    pub(crate) outranked: bool,
    /// The last group is a link.
    pub(crate) ends_with_link: bool,
}

impl Chain {
    /// Whether the log says more than that a start began: links, and what a controller writes when it is elected.
    pub(crate) fn holds_more_than_a_start(&self) -> bool {
        let entries = self.groups.iter().flat_map(|linked| &linked.group.entries);
        let is_start = |entry: &Entry, payload: &Bytes| match entry.kind {
            Kind::Link => true,
            Kind::Batch => BatchHeader::read(payload).is_some_and(|header| header.is_control()),
            _ => false,
        };
        entries.into_iter().any(|(entry, payload)| !is_start(entry, payload))
    }
}

impl Scan {
    /// `id` and `first` are the manifest's. Groups count if they are of that log or of one that continues it.
    pub(crate) fn new(id: LogId, first: GroupSequence) -> Scan {
        Scan {
            first,
            files: Vec::new(),
            by_name: HashMap::new(),
            links: HashMap::new(),
            known: HashSet::from([id]),
        }
    }

    /// Looks at every block of the next file.
    pub(crate) fn look_at(&mut self, bytes: &Bytes) {
        let file = self.files.len();
        let mut needed: Option<Range<usize>> = None;
        for position in (0..bytes.len()).step_by(BLOCK) {
            let Some((header, _)) = GroupHeader::decode(&bytes[position..]) else { continue };
            let found = Found { file, position, header };
            self.by_name.entry((header.id, header.sequence)).or_default().push(found);
            if header.entries == 1
                && let Some(link) = link_of(bytes, position)
            {
                self.links.entry(link).or_default().push(found);
            }
            if header.sequence >= self.first {
                let end = position.saturating_add(header.length as usize).min(bytes.len());
                let before = needed.unwrap_or(position..end);
                needed = Some(before.start..before.end.max(end));
            }
        }
        let needed = needed.unwrap_or(0..0);
        // A slice keeps all of the file in memory.
        let bytes = match needed.len() > bytes.len() / 2 {
            true => bytes.slice(needed.clone()),
            false => Bytes::copy_from_slice(&bytes[needed.clone()]),
        };
        self.files.push(Kept { from: needed.start, bytes });
    }

    fn group_at(&self, found: &Found) -> Option<Group> {
        let Kept { from, bytes } = &self.files[found.file];
        let position = found.position.checked_sub(*from)?;
        if position >= bytes.len() {
            return None;
        }
        Group::decode(&bytes.slice(position..))
    }

    /// The ids that continue a known one. Others are not ours to believe: a client's records may look like a header.
    pub(crate) fn follow_links(&mut self) {
        loop {
            let known = &self.known;
            let new: Vec<LogId> = self
                .links
                .iter()
                .filter(|(link, _)| known.contains(&link.id))
                .flat_map(|(_, found)| found.iter().map(|found| found.header.id))
                .filter(|id| !known.contains(id))
                .collect();
            if new.is_empty() {
                return;
            }
            self.known.extend(new);
        }
    }

    /// The best mark that any group of a known log carries.
    pub(crate) fn mark(&self) -> GroupSequence {
        let known = self.by_name.iter().filter(|((id, _), _)| self.known.contains(id));
        known.flat_map(|(_, found)| found).map(|found| found.header.mark).max().unwrap_or_default()
    }

    /// Follows the groups from `first` on, by id, sequence and the checksum before. A link outranks a group of the id
    /// that it ends.
    pub(crate) fn chain(&self, id: LogId, first: GroupSequence, previous: u32) -> Chain {
        let end = GroupSequence(first.0.saturating_sub(1));
        let mut chain = Chain {
            groups: Vec::new(),
            id,
            end,
            checksum: previous,
            bad: None,
            outranked: false,
            ends_with_link: false,
        };
        loop {
            let next = chain.end.next();
            let link = self
                .links
                .get(&Link { id: chain.id, end: chain.end })
                .and_then(|found| self.good(found, &chain));
            let own = self.by_name.get(&(chain.id, next));
            let group = match (link, own) {
                (Some(_), Some(own)) if is(Bug::OldIdPreferred) => self.good(own, &chain),
                (Some(link), own) => {
                    chain.outranked |= own.is_some() && link.group.header.id != chain.id;
                    chain.ends_with_link = true;
                    Some(link)
                }
                (None, Some(own)) => {
                    let good = self.good(own, &chain);
                    let bad = own.iter().find(|found| found.header.previous == chain.checksum);
                    chain.bad = bad
                        .filter(|_| good.is_none())
                        .map(|found| (found.file, found.position as u64));
                    chain.ends_with_link &= good.is_none();
                    good
                }
                (None, None) => None,
            };
            let Some(linked) = group else { return chain };
            chain.id = linked.group.header.id;
            chain.end = next;
            chain.checksum = linked.group.checksum;
            chain.groups.push(linked);
        }
    }

    /// The one of these that follows the chain, whole.
    fn good(&self, found: &[Found], chain: &Chain) -> Option<Linked> {
        let follows = found.iter().filter(|found| {
            found.header.previous == chain.checksum && found.header.sequence == chain.end.next()
        });
        follows
            .filter_map(|found| {
                let group = self.group_at(found)?;
                Some(Linked { file: found.file, position: found.position as u64, group })
            })
            .next()
    }
}

/// What the group says that begins here, if it is a link.
fn link_of(bytes: &Bytes, position: usize) -> Option<Link> {
    let group = Group::decode(&bytes.slice(position..))?;
    match group.entries.first() {
        Some((entry, payload)) if entry.kind == Kind::Link => Link::decode(payload),
        _ => None,
    }
}

/// Where the first group with a partition's entry lies, of whatever log.
pub(crate) fn first_batch(bytes: &Bytes) -> Option<u64> {
    (0..bytes.len()).step_by(BLOCK).find_map(|position| {
        GroupHeader::decode(&bytes[position..])?;
        let group = Group::decode(&bytes.slice(position..))?;
        group.entries.iter().any(|(entry, _)| entry.kind != Kind::Link).then_some(position as u64)
    })
}

impl Chain {
    /// Of each partition that the first `groups` groups delete, the last entry that does. What came before counts for nothing.
    pub(crate) fn deletes(&self, groups: usize) -> BTreeMap<PartitionId, EntryId> {
        let mut deletes = BTreeMap::new();
        for linked in &self.groups[..groups] {
            for (entry, _, id) in linked.group.numbered() {
                if entry.kind == Kind::Delete && !is(Bug::DeleteNotReplayed) {
                    deletes.insert(entry.id, id);
                }
            }
        }
        deletes
    }

    /// Ends the chain before this group: what follows was never acknowledged.
    pub(crate) fn cut_before(&mut self, index: usize, id: LogId, previous: u32) {
        let cut = self.groups.split_off(index);
        if let Some(first) = cut.first() {
            self.end = GroupSequence(first.group.header.sequence.0 - 1);
            self.bad = Some((first.file, first.position));
        }
        (self.id, self.checksum) = match self.groups.last() {
            Some(last) => (last.group.header.id, last.group.checksum),
            None => (id, previous),
        };
        let last = self.groups.last().and_then(|last| last.group.entries.first());
        self.ends_with_link = last.is_some_and(|(entry, _)| entry.kind == Kind::Link);
    }
}
