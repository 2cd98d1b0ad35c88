//! Holds a broker to a journal: everything acknowledged is there, at its offset, byte for byte, and nothing is there that was not sent.
//!
//! Every batch of every partition is read in order. Offsets have no gaps. The batches of a partition count up from 0; only a
//! plain producer's may come again (it sends again what it does not know to be stored), an idempotent one's never.
//! What retention removed is no loss: where a topic has `retention.bytes`, reading goes on at the log start offset, and what stands
//! behind that must be as much as retention keeps. The journal's counters go on there wherever they do, upwards.
//! With `--state FILE` a run begins where the last one that passed ended; without, it reads all.
//!
//! A partition is read until its first [`Fault`]; the others are read all the same, and the answer counts what was found.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use net::{send::Part, wire::ErrorCode};
use serde::{Deserialize, Serialize};

use self::fault::{Fault, Kind};
use crate::{
    args::{Args, report},
    batch::{self, Stored},
    client::{self, Client, FETCH},
    journal::{self, Entry, Mode, content},
};

mod fault;

/// How long what was acknowledged may take to be served after a start; once something is wrong, nobody waits long for the rest.
const PATIENCE_S: u64 = 15;
const PATIENCE_AFTER_FAULT: Duration = Duration::from_secs(1);
/// A plain producer sends at most this many batches again.
const WINDOW: u64 = 5;
/// What a producer has in flight may have counted as kept when retention chose, and be gone after a cut: five batches of at most 1 MiB.
const IN_FLIGHT_BYTES: u64 = WINDOW << 20;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Position {
    offset: i64,
    /// The batch that must come next.
    counter: u64,
    /// Retention removed what came before: a later batch may come next as well.
    #[serde(default)]
    skipped: bool,
}

#[derive(Default, Serialize)]
struct Answer {
    acknowledged: usize,
    /// In the batches acknowledged.
    records: u64,
    batches: u64,
    bytes: u64,
    came_again: u64,
    /// Records, at least: of a partition with a fault the rest is not read.
    lost: u64,
    duplicated: u64,
    out_of_place: u64,
}

pub fn run(args: &Args) -> Result<()> {
    let seed = args.or("seed", 1)?;
    let modes = args
        .required::<String>("topics")?
        .split(',')
        .map(Mode::parse)
        .collect::<Result<Vec<_>>>()?;
    let entries = journal::read(&args.required::<PathBuf>("journal")?)?;
    let state: Option<PathBuf> = args.optional("state")?;
    let mut positions: BTreeMap<String, Position> = match &state {
        Some(path) if path.exists() => serde_json::from_slice(&std::fs::read(path)?)?,
        _ => BTreeMap::new(),
    };
    let mut client = Client::connect(&args.required::<String>("address")?)?;
    let mut answer = Answer { acknowledged: entries.len(), ..Answer::default() };
    answer.records = entries.iter().map(|entry| u64::from(entry.records.unsigned_abs())).sum();
    let mut journaled: HashMap<(String, i32), Vec<Entry>> = HashMap::new();
    for entry in entries {
        journaled.entry((entry.topic.clone(), entry.partition)).or_default().push(entry);
    }
    let mut faults = Vec::new();
    let patience = Duration::from_secs(args.or("patience-s", PATIENCE_S)?);
    for mode in &modes {
        for partition in 0..args.or("partitions", 5)? {
            let due = journaled.remove(&(mode.topic.clone(), partition)).unwrap_or_default();
            let place = format!("{}-{partition}", mode.topic);
            let position = positions.entry(place.clone()).or_default();
            let mut check = Check {
                seed,
                mode,
                partition,
                position: *position,
                due: Due::new(due, *position),
                kept: None,
                patience: if faults.is_empty() { patience } else { PATIENCE_AFTER_FAULT },
                answer: &mut answer,
            };
            match check.run(&mut client) {
                Ok(()) => *position = check.position,
                Err(error) => match error.downcast_ref::<Fault>() {
                    Some(fault) => {
                        answer.count(fault);
                        faults.push(format!("{place}: {error:#}"));
                    }
                    None => return Err(error.context(place)),
                },
            }
        }
    }
    report(&answer)?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    if let Some(path) = state {
        std::fs::write(path, serde_json::to_vec(&positions)?)?;
    }
    Ok(())
}

impl Answer {
    fn count(&mut self, fault: &Fault) {
        *match fault.kind {
            Kind::Lost => &mut self.lost,
            Kind::Duplicated => &mut self.duplicated,
            Kind::OutOfPlace => &mut self.out_of_place,
        } += fault.records;
    }
}

/// What the journal says of one partition, from where the check begins.
struct Due {
    by_offset: HashMap<i64, Entry>,
    /// Batches that are stored somewhere.
    counters: u64,
    end: i64,
}

impl Due {
    fn new(entries: Vec<Entry>, from: Position) -> Due {
        let counters = entries.iter().map(|e| e.counter + 1).max().unwrap_or(0);
        let end = entries.iter().map(|e| e.base_offset + i64::from(e.records)).max().unwrap_or(0);
        let by_offset = entries
            .into_iter()
            .filter(|e| e.base_offset >= from.offset)
            .map(|e| (e.base_offset, e))
            .collect();
        Due { by_offset, counters, end }
    }

    /// In batches that were acknowledged and not met yet.
    fn records(&self) -> u64 {
        self.by_offset.values().map(|entry| u64::from(entry.records.unsigned_abs())).sum()
    }
}

/// What stands behind a log start offset that retention moved.
struct Kept {
    until: i64,
    bytes: u64,
}

struct Check<'a> {
    seed: u64,
    mode: &'a Mode,
    partition: i32,
    position: Position,
    due: Due,
    kept: Option<Kept>,
    patience: Duration,
    answer: &'a mut Answer,
}

impl Check<'_> {
    fn run(&mut self, client: &mut Client) -> Result<()> {
        let mut until = Instant::now() + self.patience;
        while self.more() {
            let before = self.position.offset;
            self.fetch(client)?;
            if self.position.offset > before {
                until = Instant::now() + self.patience;
            }
            if Instant::now() >= until {
                return Err(self.missing(format!(
                    "the log ends at offset {} with batch {}; acknowledged up to offset {}, batch {}",
                    self.position.offset, self.position.counter, self.due.end, self.due.counters,
                )));
            }
        }
        if let Some(missed) = self.due.by_offset.values().next() {
            return Err(self.missing(format!(
                "no batch begins where one was acknowledged, the first: {missed:?}"
            )));
        }
        self.kept_enough()
    }

    /// Whether anything acknowledged, or kept by retention, is still to be read.
    fn more(&self) -> bool {
        let Position { offset, counter, skipped } = self.position;
        offset < self.due.end
            || (!skipped && counter < self.due.counters)
            || self.kept.as_ref().is_some_and(|kept| offset < kept.until)
    }

    fn missing(&self, what: String) -> anyhow::Error {
        Fault { kind: Kind::Lost, records: self.due.records().max(1), what }.into()
    }

    fn kept_enough(&self) -> Result<()> {
        let (Some(kept), Some(retained)) = (&self.kept, self.mode.retained) else { return Ok(()) };
        if kept.bytes + IN_FLIGHT_BYTES < retained {
            let what = format!("{} bytes are left where retention keeps {retained}", kept.bytes);
            return Err(Fault { kind: Kind::Lost, records: 1, what }.into());
        }
        Ok(())
    }

    fn fetch(&mut self, client: &mut Client) -> Result<()> {
        let asked = client::fetch(
            &self.mode.topic,
            &[(self.partition, self.position.offset)],
            4 << 20,
            100,
        );
        let response = client.ask(FETCH, &asked)?;
        let Some(found) = response.responses.first().and_then(|t| t.partitions.first()) else {
            return Ok(());
        };
        match found.error_code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return self.out_of_range(client),
            ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::LEADER_NOT_AVAILABLE => return Ok(()),
            error => bail!("Fetch at {} answered {error:?}", self.position.offset),
        }
        for part in found.records.0.iter().flatten() {
            let Part::Bytes(records) = part else { bail!("a file range in an answer") };
            for stored in batch::read(records) {
                self.stored(stored)?;
            }
        }
        Ok(())
    }

    /// Goes on where retention lets the log start. An end before what was acknowledged is a loss, whatever the topic.
    fn out_of_range(&mut self, client: &mut Client) -> Result<()> {
        let (topic, partition) = (&self.mode.topic, self.partition);
        let start = client.offset(topic, partition, -2)?;
        if self.mode.retained.is_none() || start <= self.position.offset {
            return Err(self.missing(format!(
                "offset {} is out of range, the log starts at {start}, acknowledged up to {}",
                self.position.offset, self.due.end
            )));
        }
        self.kept = Some(Kept { until: client.offset(topic, partition, -1)?, bytes: 0 });
        self.skip(start);
        Ok(())
    }

    fn skip(&mut self, start: i64) {
        self.position.offset = start;
        self.position.skipped = true;
        self.due.by_offset.retain(|&offset, _| offset >= start);
    }

    fn stored(&mut self, stored: Stored<'_>) -> Result<()> {
        let offset = self.position.offset;
        let misplaced = |what: String| Fault {
            kind: Kind::OutOfPlace,
            records: u64::from(stored.count.unsigned_abs()),
            what,
        };
        if stored.base_offset != offset {
            return Err(misplaced(format!(
                "a batch at {} where {offset} is due",
                stored.base_offset
            ))
            .into());
        }
        stored.check_crc().map_err(|error| misplaced(error.to_string()))?;
        let values = stored.values().map_err(|error| misplaced(error.to_string()))?;
        if stored.last_offset - offset + 1 != i64::from(stored.count) {
            return Err(misplaced(format!("a batch at {offset} with gaps")).into());
        }
        let counter = content::check(self.seed, &self.mode.topic, self.partition, &values)
            .map_err(|error| misplaced(format!("at offset {offset}: {error:#}")))?;
        if let Some(entry) = self.due.by_offset.remove(&offset) {
            let same = entry.counter == counter
                && entry.records == stored.count
                && entry.hash == content::hash(&values);
            if !same {
                let records = u64::from(entry.records.unsigned_abs());
                let what =
                    format!("batch {counter} at offset {offset}, where {entry:?} was acknowledged");
                return Err(Fault { kind: Kind::Lost, records, what }.into());
            }
        }
        self.counted(counter, offset, stored.count)?;
        self.position.offset = stored.last_offset + 1;
        self.answer.batches += 1;
        self.answer.bytes += stored.len() as u64;
        if let Some(kept) = &mut self.kept {
            kept.bytes += stored.len() as u64;
        }
        Ok(())
    }

    fn counted(&mut self, counter: u64, offset: i64, records: i32) -> Result<()> {
        let next = self.position.counter;
        if counter == next || (counter > next && self.position.skipped) {
            (self.position.counter, self.position.skipped) = (counter + 1, false);
            return Ok(());
        }
        if counter < next && counter + WINDOW >= next && !self.mode.idempotent {
            self.answer.came_again += 1;
            return Ok(());
        }
        let kind = if counter < next { Kind::Duplicated } else { Kind::OutOfPlace };
        let what = format!("batch {counter} at offset {offset}, where batch {next} is due");
        Err(Fault { kind, records: u64::from(records.unsigned_abs()), what }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Producer;

    const SEED: u64 = 9;

    /// The batches of partition 0 with these counters, one after another in the log, and the journal's entries for them.
    fn log(counters: &[u64]) -> (Vec<u8>, Vec<Entry>) {
        let (mut log, mut entries, mut offset) = (Vec::new(), Vec::new(), 0);
        for &counter in counters {
            let values = content::values(SEED, "t", 0, counter);
            let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let mut batch = batch::build(&slices, Producer::NONE, 0).unwrap();
            batch[..8].copy_from_slice(&i64::to_be_bytes(offset));
            log.extend_from_slice(&batch);
            let records = i32::try_from(values.len()).unwrap();
            let hash = content::hash(&values);
            entries.push(Entry {
                topic: "t".into(),
                partition: 0,
                counter,
                base_offset: offset,
                records,
                hash,
            });
            offset += i64::from(records);
        }
        (log, entries)
    }

    /// Reads a whole log against a journal: what was wrong, and what the journal still misses.
    fn check(kind: &str, log: &[u8], entries: Vec<Entry>) -> Result<usize> {
        check_from(kind, log, entries, None)
    }

    /// The same of a log that retention lets start at an offset.
    fn check_from(
        kind: &str,
        log: &[u8],
        entries: Vec<Entry>,
        start: Option<i64>,
    ) -> Result<usize> {
        let mode = Mode::parse(&format!("t:1:{kind}")).unwrap();
        let due = Due::new(entries, Position::default());
        let mut answer = Answer::default();
        let position = Position::default();
        let mut check = Check {
            seed: SEED,
            mode: &mode,
            partition: 0,
            position,
            due,
            kept: start.map(|until| Kept { until, bytes: 0 }),
            patience: Duration::ZERO,
            answer: &mut answer,
        };
        start.into_iter().for_each(|start| check.skip(start));
        batch::read(log).try_for_each(|stored| check.stored(stored))?;
        check.kept_enough()?;
        Ok(check.due.by_offset.len())
    }

    #[test]
    fn what_was_sent_and_acknowledged_passes() {
        let (whole, entries) = log(&[0, 1, 2, 3]);
        assert_eq!(check("idempotent", &whole, entries).unwrap(), 0);
    }

    #[test]
    fn a_lost_batch_is_missed() {
        let (_, entries) = log(&[0, 1, 2]);
        let (short, _) = log(&[0, 1]);
        assert_eq!(check("plain", &short, entries.clone()).unwrap(), 1);
        assert!(check("plain", &log(&[0, 2]).0, entries).is_err());
    }

    #[test]
    fn a_batch_that_comes_again_is_a_plain_producers_only() {
        let (again, _) = log(&[0, 1, 1, 2]);
        assert_eq!(check("plain", &again, Vec::new()).unwrap(), 0);
        assert!(check("idempotent", &again, Vec::new()).is_err());
    }

    #[test]
    fn another_batch_at_an_acknowledged_offset_is_seen() {
        let (whole, mut entries) = log(&[0, 1]);
        entries[1].hash ^= 1;
        assert!(check("plain", &whole, entries).is_err());
    }

    /// The offset of the batch after so many, and the log from there.
    fn rest(log: &[u8], batches: usize) -> (i64, &[u8]) {
        let gone: Vec<Stored<'_>> = batch::read(log).take(batches).collect();
        (gone.last().unwrap().last_offset + 1, &log[gone.iter().map(Stored::len).sum()..])
    }

    #[test]
    fn what_retention_removed_is_not_missed() {
        let (whole, entries) = log(&[0, 1, 2, 3]);
        let (start, rest) = rest(&whole, 2);
        let found = check_from("idempotent:1000", rest, entries.clone(), Some(start));
        assert_eq!(found.unwrap(), 0);
        let (_, shorter) = self::rest(&whole, 3);
        assert!(check_from("idempotent:1000", shorter, entries, Some(start)).is_err());
    }

    #[test]
    fn retention_that_keeps_too_little_is_seen() {
        let (whole, entries) = log(&[0, 1, 2, 3]);
        let (start, rest) = rest(&whole, 2);
        let found = check_from("idempotent:1000000000", rest, entries, Some(start));
        assert_eq!(found.unwrap_err().downcast_ref::<Fault>().unwrap().kind, Kind::Lost);
    }

    #[test]
    fn faults_are_told_apart() {
        let kind = |log: &[u8], entries| {
            check("idempotent", log, entries).unwrap_err().downcast_ref::<Fault>().unwrap().kind
        };
        let (mut whole, mut entries) = log(&[0, 1, 1, 3]);
        assert_eq!(kind(&whole, Vec::new()), Kind::Duplicated);
        assert_eq!(kind(&log(&[0, 2]).0, Vec::new()), Kind::OutOfPlace);
        entries[0].counter = 9;
        assert_eq!(kind(&whole, entries), Kind::Lost);
        whole[100] ^= 1;
        assert_eq!(kind(&whole, Vec::new()), Kind::OutOfPlace);
    }
}
