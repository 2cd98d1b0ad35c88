//! What members say of their records, rightly or not.

use std::collections::BTreeSet;

use rand::Rng as _;

use super::super::{Acknowledgement, Kind, Refusal};
use super::world::{Checked, Record, World, check};

impl World {
    pub(super) fn held_by(&self, member: usize) -> Vec<i64> {
        let held = |record: &Record| record.holder.is_some_and(|(holder, _)| holder == member);
        self.records.iter().filter(|(_, record)| held(record)).map(|(offset, _)| *offset).collect()
    }

    pub(super) fn acknowledge(&mut self) -> Checked {
        let member = self.random.random_range(0..self.members.len());
        let held = self.held_by(member);
        let Some(&first) = held.first() else { return Ok(()) };
        let skip = self.random.random_range(0..3);
        let some: Vec<i64> = held
            .into_iter()
            .filter(|offset| *offset >= first + skip)
            .take(self.random.random_range(1..12))
            .collect();
        let mut batches: Vec<(i64, i64, Vec<Kind>)> = Vec::new();
        for offset in some {
            let kind = self.kind();
            match batches.last_mut() {
                Some((_, last, kinds)) if *last + 1 == offset => {
                    *last = offset;
                    kinds.push(kind);
                }
                _ => batches.push((offset, offset, vec![kind])),
            }
        }
        for (_, _, kinds) in &mut batches {
            if self.random.random() {
                kinds.truncate(1);
            }
        }
        self.say(member, &batches).map(drop)
    }

    pub(super) fn kind(&mut self) -> Kind {
        match self.random.random_range(0..10) {
            0..5 => Kind::Accept,
            5..7 => Kind::Release,
            7 => Kind::Reject,
            8 => Kind::Gap,
            _ => Kind::Renew,
        }
    }

    /// Something of what is not its own, among what is.
    pub(super) fn acknowledge_badly(&mut self) -> Checked {
        let member = self.random.random_range(0..self.members.len());
        let mut batches: Vec<(i64, i64, Vec<Kind>)> = self
            .held_by(member)
            .first()
            .map(|offset| (*offset, *offset, vec![Kind::Accept]))
            .into_iter()
            .collect();
        let first = self.random.random_range(self.partition.start() - 3..self.partition.end() + 3);
        let last = first + self.random.random_range(0..5);
        let kinds = vec![
            Kind::Accept;
            if self.random.random() { 1 } else { self.random.random_range(0..7) }
        ];
        batches.push((first, last, kinds));
        self.say(member, &batches).map(drop)
    }

    /// An acknowledgement, and whether it was done.
    pub(super) fn say(
        &mut self,
        member: usize,
        batches: &[(i64, i64, Vec<Kind>)],
    ) -> Result<bool, String> {
        let expected = self.is_right(member, batches);
        let start = self.partition.start();
        let said: Vec<Acknowledgement> = batches
            .iter()
            .map(|(first, last, kinds)| Acknowledgement { first: *first, last: *last, kinds })
            .collect();
        let found = self.partition.acknowledge(&self.members[member].clone(), &said, self.now);
        check(found.is_ok() == expected, || {
            format!("{batches:?} of {member} is answered {found:?}")
        })?;
        let change = match found {
            Ok(change) => change,
            Err(
                Refusal::Malformed
                | Refusal::FirstNeverAcquired
                | Refusal::LastNeverAcquired
                | Refusal::NothingInFlight
                | Refusal::NotTheOwner
                | Refusal::NotAcquired
                | Refusal::NotRenewable,
            ) => {
                self.counts.refused += 1;
                return Ok(false);
            }
        };
        for (first, last, kinds) in batches {
            for offset in *first.max(&start)..=*last {
                let at = usize::try_from(offset - first).expect("it lies behind");
                let kind = *kinds.get(at).unwrap_or(&kinds[0]);
                let record = self
                    .records
                    .get_mut(&offset)
                    .ok_or_else(|| format!("{offset} is acknowledged"))?;
                if kind == Kind::Renew {
                    record.holder = Some((member, self.now + self.limits.lock));
                    self.counts.renewed += 1;
                    continue;
                }
                let id = change
                    .as_ref()
                    .ok_or_else(|| format!("{kind:?} of {offset} is not to be stored"))?
                    .id;
                record.pending = Some((id, record.holder.take()));
                self.counts.acknowledged += 1;
            }
        }
        self.writes.extend(change);
        Ok(true)
    }

    pub(super) fn is_right(&self, member: usize, batches: &[(i64, i64, Vec<Kind>)]) -> bool {
        let (start, end) = (self.partition.start(), self.partition.end());
        let mut said = BTreeSet::new();
        batches.iter().all(|(first, last, kinds)| {
            let length = usize::try_from(last - first + 1).expect("it lies behind");
            let well_formed = kinds.len() == 1 || kinds.len() == length;
            well_formed
                && (*last < start
                    || *last < end
                        && (*first.max(&start)..=*last).all(|offset| {
                            let kind = kinds[if kinds.len() == 1 {
                                0
                            } else {
                                usize::try_from(offset - first).expect("it lies behind")
                            }];
                            let held = self.records.get(&offset).is_some_and(|record| {
                                record.holder.is_some_and(|(holder, _)| holder == member)
                            });
                            held && (kind != Kind::Renew || self.limits.renewable)
                                && (kind == Kind::Renew || said.insert(offset))
                        }))
        })
    }
}
