//! DeleteTopics: which topics a request names, by name or id, and what each is answered. Pure: nothing is written here.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytestring::ByteString;
use storage::units::TopicId;

use super::refusal::{PARTITIONS_PER_REQUEST_MAX, TopicRefusal};
use crate::metadata::Image;
use crate::metadata::records::{Record, RemoveTopicRecord};

/// A topic as a request names it; a nil id is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTopic {
    pub name: Option<ByteString>,
    pub id: TopicId,
}

/// What one topic of a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    pub name: Option<ByteString>,
    pub id: TopicId,
    pub outcome: Result<(), TopicRefusal>,
}

/// Plans the deletions of one request. What stands in it more than once is answered once.
pub fn plan(image: &Image, topics: &[NamedTopic]) -> (Vec<Record>, Vec<Deletion>) {
    let mut plan = Plan { image, answers: Vec::new(), doomed: BTreeMap::new() };
    let (names, ids) = plan.sort(topics);
    let doubled = plan.ids(&ids);
    plan.names(&names, doubled);
    plan.finish()
}

struct Plan<'a> {
    image: &'a Image,
    answers: Vec<Deletion>,
    doomed: BTreeMap<TopicId, ByteString>,
}

impl Plan<'_> {
    fn refuse(&mut self, name: Option<&ByteString>, id: TopicId, refusal: TopicRefusal) {
        self.answers.push(Deletion { name: name.cloned(), id, outcome: Err(refusal) });
    }

    /// Names and ids in their order, with how often each occurs; what is neither or both is refused.
    #[expect(clippy::type_complexity, reason = "two lists of the same form")]
    fn sort(&mut self, topics: &[NamedTopic]) -> (Vec<(ByteString, usize)>, Vec<(TopicId, usize)>) {
        let (mut names, mut ids) = (Counted::default(), Counted::default());
        for topic in topics {
            match (&topic.name, topic.id) {
                (None, TopicId::NIL) => {
                    let refusal =
                        TopicRefusal::Contradiction("Neither topic name nor id were specified.");
                    self.refuse(None, TopicId::NIL, refusal);
                }
                (None, id) => ids.add(id),
                (Some(name), TopicId::NIL) => names.add(name.clone()),
                (Some(name), id) => {
                    let refusal = TopicRefusal::Contradiction(
                        "You may not specify both topic name and topic id.",
                    );
                    self.refuse(Some(name), id, refusal);
                }
            }
        }
        (names.items, ids.items)
    }

    /// Returns the ids that were given twice: a name of one of them is refused too.
    fn ids(&mut self, ids: &[(TopicId, usize)]) -> HashSet<TopicId> {
        let mut doubled = HashSet::new();
        for (id, times) in ids {
            if *times > 1 {
                doubled.insert(*id);
                self.refuse(None, *id, TopicRefusal::Contradiction("Duplicate topic id."));
                continue;
            }
            match self.image.topic(*id) {
                Some(topic) => drop(self.doomed.insert(*id, topic.name.clone())),
                None => self.refuse(None, *id, TopicRefusal::UnknownId),
            }
        }
        doubled
    }

    fn names(&mut self, names: &[(ByteString, usize)], doubled: HashSet<TopicId>) {
        for (name, times) in names {
            if *times > 1 {
                let refusal = TopicRefusal::Contradiction("Duplicate topic name.");
                self.refuse(Some(name), TopicId::NIL, refusal);
                continue;
            }
            match self.image.topic_id(name) {
                None => self.refuse(Some(name), TopicId::NIL, TopicRefusal::UnknownName),
                Some(id) if doubled.contains(&id) || self.doomed.contains_key(&id) => {
                    self.doomed.remove(&id);
                    let refusal = TopicRefusal::Contradiction(
                        "The provided topic name maps to an ID that was already supplied.",
                    );
                    self.refuse(Some(name), id, refusal);
                }
                Some(id) => drop(self.doomed.insert(id, name.clone())),
            }
        }
    }

    fn finish(mut self) -> (Vec<Record>, Vec<Deletion>) {
        let too_many = self.doomed.len() > PARTITIONS_PER_REQUEST_MAX;
        let outcome = || match too_many {
            true => {
                Err(TopicRefusal::Policy("Unable to perform excessively large batch operation."))
            }
            false => Ok(()),
        };
        let records = if too_many { &BTreeMap::new() } else { &self.doomed };
        let records =
            records.keys().map(|id| RemoveTopicRecord { topic_id: id.0 }.into()).collect();
        let doomed = std::mem::take(&mut self.doomed);
        let done = |(id, name)| Deletion { name: Some(name), id, outcome: outcome() };
        self.answers.extend(doomed.into_iter().map(done));
        (records, self.answers)
    }
}

/// Items in the order in which they first came, and how often.
struct Counted<T> {
    items: Vec<(T, usize)>,
    places: HashMap<T, usize>,
}

impl<T> Default for Counted<T> {
    fn default() -> Counted<T> {
        Counted { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Counted<T> {
    fn add(&mut self, item: T) {
        match self.places.get(&item) {
            Some(place) => self.items[*place].1 += 1,
            None => {
                self.places.insert(item.clone(), self.items.len());
                self.items.push((item, 1));
            }
        }
    }
}

#[cfg(test)]
mod tests;
