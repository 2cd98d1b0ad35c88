//! `uniform`, where members read different topics: each keeps what it reads, what is left goes to the readers who have least, and
//! then partitions are moved, topic by topic, from the readers who have most to those who have least, until no topic gains by it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytestring::ByteString;
use uuid::Uuid;

use super::{Question, Targets};

/// Rounds of moves. Where readers read all the same two are enough; otherwise each about halves what is uneven.
const ROUNDS_MAX: usize = 16;

/// The number of a member, in the order of ids.
type Number = usize;

struct Table<'a> {
    question: &'a Question<'a>,
    ids: Vec<&'a ByteString>,
    readers: BTreeMap<Uuid, Vec<Number>>,
    /// Who has each partition of a topic.
    owners: BTreeMap<Uuid, Vec<Option<Number>>>,
    /// How many partitions each member has.
    loads: Vec<usize>,
}

pub(super) fn assign(question: &Question<'_>) -> Targets {
    let mut table = Table::new(question);
    table.keep_what_is_read();
    table.fill();
    table.balance();
    table.targets()
}

impl<'a> Table<'a> {
    fn new(question: &'a Question<'a>) -> Table<'a> {
        let mut readers: BTreeMap<Uuid, Vec<Number>> = BTreeMap::new();
        for (number, member) in question.members.values().enumerate() {
            member.reads.iter().for_each(|topic| readers.entry(*topic).or_default().push(number));
        }
        let nobody =
            |topic: &Uuid| vec![None; usize::try_from(question.partitions_of(topic)).unwrap_or(0)];
        Table {
            question,
            ids: question.members.keys().collect(),
            owners: readers.keys().map(|topic| (*topic, nobody(topic))).collect(),
            readers,
            loads: vec![0; question.members.len()],
        }
    }

    fn keep_what_is_read(&mut self) {
        for (number, member) in self.question.members.values().enumerate() {
            for (topic, partitions) in &member.has {
                if member.reads.contains(topic) {
                    partitions.iter().for_each(|partition| self.give(*topic, *partition, number));
                }
            }
        }
    }

    /// What nobody has goes to the readers who have least.
    fn fill(&mut self) {
        let free = |owners: &Vec<Option<Number>>| owners.iter().any(Option::is_none);
        let topics = self.owners.iter().filter(|(_, o)| free(o)).map(|(topic, _)| *topic);
        for topic in self.sorted(topics.collect()) {
            let mut scales = Scales::new(&self.loads, &self.readers[&topic]);
            let owners = (0..).zip(&self.owners[&topic]);
            let free: Vec<i32> =
                owners.filter(|(_, owner)| owner.is_none()).map(|(p, _)| p).collect();
            for partition in free {
                let lightest = scales.lightest(&self.loads);
                self.give(topic, partition, lightest);
            }
        }
    }

    fn balance(&mut self) {
        let several = self.readers.iter().filter(|(_, readers)| readers.len() >= 2);
        let topics = self.sorted(several.map(|(topic, _)| *topic).collect());
        // The last topic in which something was moved: once round without a move is the end.
        let mut last_moved = None;
        for _ in 0..ROUNDS_MAX {
            for (at, topic) in topics.iter().enumerate() {
                if last_moved == Some(at) {
                    return;
                }
                if self.balance_topic(*topic) > 0 || last_moved.is_none() {
                    last_moved = Some(at);
                }
            }
        }
    }

    /// Moves partitions of one topic; returns how many.
    fn balance_topic(&mut self, topic: Uuid) -> usize {
        let readers = &self.readers[&topic];
        let loads = || readers.iter().map(|reader| self.loads[*reader]);
        if loads().max().unwrap_or(0) - loads().min().unwrap_or(0) <= 1 {
            return 0;
        }
        let mut scales = Scales::new(&self.loads, readers);
        // What each may still give away: the last first.
        let mut given: HashMap<Number, Vec<i32>> = HashMap::new();
        for (partition, owner) in (0..).zip(&self.owners[&topic]) {
            if let Some(owner) = owner {
                given.entry(*owner).or_default().push(partition);
            }
        }
        let mut moved = 0;
        while !scales.is_even() {
            let partition = loop {
                let Some(heaviest) = scales.heaviest(&self.loads) else { return moved };
                match given.get_mut(&heaviest).and_then(Vec::pop) {
                    Some(partition) => break partition,
                    None => scales.exclude_heaviest(),
                }
            };
            let lightest = scales.lightest(&self.loads);
            if scales.is_even() {
                break;
            }
            self.give(topic, partition, lightest);
            moved += 1;
        }
        moved
    }

    fn give(&mut self, topic: Uuid, partition: i32, number: Number) {
        let at = usize::try_from(partition).ok();
        let Some(owner) = at.and_then(|at| self.owners.get_mut(&topic)?.get_mut(at)) else {
            return;
        };
        if let Some(before) = owner.replace(number) {
            self.loads[before] -= 1;
        }
        self.loads[number] += 1;
    }

    /// Most partitions for a reader first, then fewest readers.
    fn sorted(&self, mut topics: Vec<Uuid>) -> Vec<Uuid> {
        let readers = |topic: &Uuid| self.readers[topic].len();
        let order = |a: &Uuid, b: &Uuid| -> Ordering {
            let share = |topic: &Uuid, of: &Uuid| {
                i64::from(self.question.partitions_of(topic))
                    * i64::try_from(readers(of)).unwrap_or(i64::MAX)
            };
            share(b, a).cmp(&share(a, b)).then(readers(a).cmp(&readers(b))).then(a.cmp(b))
        };
        topics.sort_by(order);
        topics
    }

    fn targets(self) -> Targets {
        let mut targets: Targets =
            self.ids.iter().map(|id| ((*id).clone(), BTreeMap::new())).collect();
        for (topic, owners) in &self.owners {
            for (partition, owner) in (0..).zip(owners) {
                let id = owner.map(|owner| self.ids[owner]);
                if let Some(target) = id.and_then(|id| targets.get_mut(id)) {
                    let partitions: &mut BTreeSet<i32> = target.entry(*topic).or_default();
                    partitions.insert(partition);
                }
            }
        }
        targets
    }
}

/// The readers of a topic in the order of their loads. The lightest form a range that grows from the left while each of it is given
/// one, the heaviest one that grows from the right while each of it gives one up.
struct Scales {
    sorted: Vec<Number>,
    light_end: usize,
    light_load: isize,
    next_light: usize,
    heavy_start: usize,
    /// Behind it are those who have nothing to give.
    heavy_end: usize,
    heavy_load: isize,
    /// One behind the next.
    next_heavy: usize,
}

impl Scales {
    fn new(loads: &[usize], readers: &[Number]) -> Scales {
        let mut sorted = readers.to_vec();
        sorted.sort_by_key(|reader| (loads[*reader], *reader));
        let load =
            |reader: Option<&Number>| reader.map_or(0, |reader| loads[*reader].cast_signed());
        Scales {
            light_end: 0,
            light_load: load(sorted.first()) - 1,
            next_light: 0,
            heavy_start: sorted.len(),
            heavy_end: sorted.len(),
            heavy_load: load(sorted.last()) + 1,
            next_heavy: sorted.len(),
            sorted,
        }
    }

    fn load(&self, loads: &[usize], at: usize) -> isize {
        loads[self.sorted[at]].cast_signed()
    }

    /// Who is to be given the next partition. There is at least one reader.
    fn lightest(&mut self, loads: &[usize]) -> Number {
        if self.next_light >= self.light_end {
            self.light_load += 1;
            while self.light_end < self.sorted.len()
                && self.load(loads, self.light_end) == self.light_load
            {
                self.light_end += 1;
            }
            self.next_light = 0;
        }
        let lightest = self.sorted[self.next_light];
        self.next_light += 1;
        lightest
    }

    /// Who is to give the next partition up; `None` if nobody has one.
    fn heaviest(&mut self, loads: &[usize]) -> Option<Number> {
        if self.next_heavy <= self.heavy_start {
            if self.heavy_end <= self.heavy_start && self.heavy_start > 0 {
                self.heavy_load = self.load(loads, self.heavy_start - 1);
            } else {
                self.heavy_load -= 1;
            }
            while self.heavy_start > 0 && self.load(loads, self.heavy_start - 1) == self.heavy_load
            {
                self.heavy_start -= 1;
            }
            self.next_heavy = self.heavy_end;
        }
        self.next_heavy = self.next_heavy.checked_sub(1)?;
        Some(self.sorted[self.next_heavy])
    }

    /// The last that was the heaviest has nothing to give.
    fn exclude_heaviest(&mut self) {
        self.heavy_end -= 1;
        self.sorted.swap(self.next_heavy, self.heavy_end);
    }

    fn is_even(&self) -> bool {
        self.heavy_load - self.light_load <= 1
    }
}
