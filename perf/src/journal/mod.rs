//! A producer that writes down every acknowledgement outside the broker's data, and goes on through its deaths.
//!
//! Each topic has a mode (acks, idempotent or not) and a thread. A thread keeps up to five requests in flight; when the broker
//! dies it reconnects and sends again what was not acknowledged, in order, an idempotent one with the same sequences. So an
//! acknowledged batch is in the log at its journaled offset, an idempotent one exactly once, and no sequence is ever out of order.
//!
//! The content of a batch follows from seed, topic, partition and counter (`content`): `verify` makes it again and compares.
//! It stops when its standard input ends, after everything in flight was acknowledged, and prints what it did as JSON; begun
//! again with the same journal, it goes on with the counters that follow.
//!
//! ```text
//! journal   one line an acknowledgement: topic partition counter base-offset records hash
//!           base-offset -1: the broker said that it has it already, and not where
//! ```

pub mod content;
mod producer;

use std::{
    collections::HashMap,
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};

use self::producer::{Counts, Producing};
use crate::args::{Args, report};

/// One acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub topic: String,
    pub partition: i32,
    pub counter: u64,
    pub base_offset: i64,
    pub records: i32,
    pub hash: u32,
}

impl Entry {
    fn line(&self) -> String {
        let Entry { topic, partition, counter, base_offset, records, hash } = self;
        format!("{topic} {partition} {counter} {base_offset} {records} {hash:08x}\n")
    }

    fn parse(line: &str) -> Option<Entry> {
        let mut words = line.split(' ');
        let entry = Entry {
            topic: words.next()?.to_owned(),
            partition: words.next()?.parse().ok()?,
            counter: words.next()?.parse().ok()?,
            base_offset: words.next()?.parse().ok()?,
            records: words.next()?.parse().ok()?,
            hash: u32::from_str_radix(words.next()?, 16).ok()?,
        };
        words.next().is_none().then_some(entry)
    }
}

/// The journal as it is now; a line that is just being written is not yet part of it.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| {
            Entry::parse(line).with_context(|| format!("a journal line that is none: {line}"))
        })
        .collect()
}

/// How a topic is produced to: `name:acks:idempotent` or `name:acks:plain`, with `:BYTES` behind if `retention.bytes` removes what is older.
#[derive(Clone, Debug)]
pub struct Mode {
    pub topic: String,
    pub acks: i16,
    pub idempotent: bool,
    /// Its `retention.bytes`, if it has any.
    pub retained: Option<u64>,
}

impl Mode {
    pub fn parse(text: &str) -> Result<Mode> {
        let words: Vec<&str> = text.split(':').collect();
        let (topic, acks, kind, retained) = match words[..] {
            [topic, acks, kind] => (topic, acks, kind, None),
            [topic, acks, kind, bytes] => {
                (topic, acks, kind, Some(bytes.parse().with_context(|| format!("{text}: bytes"))?))
            }
            _ => return Err(anyhow!("{text}: not topic:acks:kind[:bytes]")),
        };
        ensure!(matches!(kind, "idempotent" | "plain"), "{text}: neither idempotent nor plain");
        let acks = if acks == "all" {
            -1
        } else {
            acks.parse().with_context(|| format!("{text}: acks"))?
        };
        Ok(Mode { topic: topic.to_owned(), acks, idempotent: kind == "idempotent", retained })
    }
}

pub fn run(args: &Args) -> Result<()> {
    let modes = args
        .required::<String>("topics")?
        .split(',')
        .map(Mode::parse)
        .collect::<Result<Vec<_>>>()?;
    let path: PathBuf = args.required("journal")?;
    let before = if path.exists() { read(&path)? } else { Vec::new() };
    let mut journal = File::options().create(true).append(true).open(path)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (acknowledged, entries) = mpsc::sync_channel::<Entry>(1024);
    let mut threads = Vec::new();
    for mode in modes {
        let producing = Producing {
            first_counters: counters(&before, &mode.topic),
            address: args.required("address")?,
            partitions: args.or("partitions", 5)?,
            bytes_per_second: args.or("bytes-per-second", 5e6)?,
            seed: args.or("seed", 1)?,
            stop: Arc::clone(&stop),
            acknowledged: acknowledged.clone(),
            mode,
        };
        let stop = Arc::clone(&stop);
        threads.push(thread::Builder::new().spawn(move || {
            let done = producing.run();
            if done.is_err() {
                // The others end too, or nobody would hear of it before they do.
                stop.store(true, Ordering::Relaxed);
            }
            done
        })?);
    }
    drop(acknowledged);
    let watched = Arc::clone(&stop);
    thread::Builder::new().spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        watched.store(true, Ordering::Relaxed);
    })?;
    // Ends when every producer has dropped its end.
    for entry in entries {
        journal.write_all(entry.line().as_bytes())?;
    }
    let counts = threads
        .into_iter()
        .map(|thread| thread.join().map_err(|_| anyhow!("a producer panicked"))?)
        .collect::<Result<Vec<Counts>>>()?;
    report(&counts)
}

/// The counter that comes next in each partition of a topic, where it is not 0.
fn counters(entries: &[Entry], topic: &str) -> HashMap<i32, u64> {
    let mut next = HashMap::new();
    for entry in entries.iter().filter(|e| e.topic == topic) {
        let counter: &mut u64 = next.entry(entry.partition).or_default();
        *counter = (*counter).max(entry.counter + 1);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_back_and_torn_lines_do_not() {
        let entry = Entry {
            topic: "t".into(),
            partition: 3,
            counter: 7,
            base_offset: -1,
            records: 5,
            hash: 0xab,
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, format!("{}{}", entry.line(), &entry.line()[..5])).unwrap();
        assert_eq!(read(&path).unwrap(), [entry]);
        std::fs::write(&path, "t 3 x\n").unwrap();
        assert!(read(&path).is_err());
    }
}
