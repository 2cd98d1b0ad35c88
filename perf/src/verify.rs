//! Holds a broker to a journal: everything acknowledged is there, at its offset, byte for byte, and nothing is there that was not sent.
//!
//! Every batch of every partition is read in order. Offsets have no gaps. The batches of a partition count up from 0; only a
//! plain producer's may come again (it sends again what it does not know to be stored), an idempotent one's never.
//! With `--state FILE` a run begins where the last one that passed ended; without, it reads all.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use net::{send::Part, wire::ErrorCode};
use serde::{Deserialize, Serialize};

use crate::{
    args::{Args, report},
    batch::{self, Stored},
    client::{self, Client, FETCH},
    journal::{self, Entry, Mode, content},
};

/// How long what was acknowledged may take to be served after a start.
const PATIENCE: Duration = Duration::from_secs(15);
/// A plain producer sends at most this many batches again.
const WINDOW: u64 = 5;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Position {
    offset: i64,
    /// The batch that must come next.
    counter: u64,
}

#[derive(Default, Serialize)]
struct Answer {
    acknowledged: usize,
    batches: u64,
    bytes: u64,
    came_again: u64,
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
    let mut journaled: HashMap<(String, i32), Vec<Entry>> = HashMap::new();
    for entry in entries {
        journaled.entry((entry.topic.clone(), entry.partition)).or_default().push(entry);
    }
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
                answer: &mut answer,
            };
            check.run(&mut client).with_context(|| place)?;
            *position = check.position;
        }
    }
    if let Some(path) = state {
        std::fs::write(path, serde_json::to_vec(&positions)?)?;
    }
    report(&answer)
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
}

struct Check<'a> {
    seed: u64,
    mode: &'a Mode,
    partition: i32,
    position: Position,
    due: Due,
    answer: &'a mut Answer,
}

impl Check<'_> {
    fn run(&mut self, client: &mut Client) -> Result<()> {
        let mut until = Instant::now() + PATIENCE;
        while self.position.offset < self.due.end || self.position.counter < self.due.counters {
            let before = self.position.offset;
            self.fetch(client)?;
            if self.position.offset > before {
                until = Instant::now() + PATIENCE;
            }
            ensure!(
                Instant::now() < until,
                "LOST: the log ends at offset {} with batch {}; acknowledged up to offset {}, batch {}",
                self.position.offset,
                self.position.counter,
                self.due.end,
                self.due.counters,
            );
        }
        let missed = self.due.by_offset.values().next();
        ensure!(missed.is_none(), "LOST: no batch begins where one was acknowledged: {missed:?}");
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
            ErrorCode::OFFSET_OUT_OF_RANGE => bail!(
                "LOST: offset {} is out of range, acknowledged up to {}",
                self.position.offset,
                self.due.end
            ),
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

    fn stored(&mut self, stored: Stored<'_>) -> Result<()> {
        let offset = self.position.offset;
        ensure!(
            stored.base_offset == offset,
            "a batch at {} where {offset} is due",
            stored.base_offset
        );
        stored.check_crc()?;
        let values = stored.values()?;
        ensure!(
            stored.last_offset - offset + 1 == i64::from(stored.count),
            "a batch at {offset} with gaps"
        );
        let counter = content::check(self.seed, &self.mode.topic, self.partition, &values)
            .with_context(|| format!("at offset {offset}"))?;
        if let Some(entry) = self.due.by_offset.remove(&offset) {
            let same = entry.counter == counter
                && entry.records == stored.count
                && entry.hash == content::hash(&values);
            ensure!(
                same,
                "LOST: batch {counter} at offset {offset}, where {entry:?} was acknowledged"
            );
        }
        self.counted(counter, offset)?;
        self.position.offset = stored.last_offset + 1;
        self.answer.batches += 1;
        self.answer.bytes += stored.len() as u64;
        Ok(())
    }

    fn counted(&mut self, counter: u64, offset: i64) -> Result<()> {
        let next = self.position.counter;
        if counter == next {
            self.position.counter += 1;
            return Ok(());
        }
        let again = counter < next && counter + WINDOW >= next;
        ensure!(
            again && !self.mode.idempotent,
            "batch {counter} at offset {offset}, where batch {next} is due"
        );
        self.answer.came_again += 1;
        Ok(())
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
        let mode = Mode::parse(&format!("t:1:{kind}")).unwrap();
        let due = Due::new(entries, Position::default());
        let mut answer = Answer::default();
        let position = Position::default();
        let mut check =
            Check { seed: SEED, mode: &mode, partition: 0, position, due, answer: &mut answer };
        batch::read(log).try_for_each(|stored| check.stored(stored))?;
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
}
