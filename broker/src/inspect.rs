//! `odradek inspect DIR`: what is in a log directory and what a start would do, for people. Nothing is changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use storage::checkpoint::MetaProperties;
use storage::{InspectedPartition, InspectedStore, Inspection, Mark, Start, StoreName};

/// What is printed; the error says why the directory cannot be looked at.
pub fn report(directory: &Path) -> Result<String, String> {
    if directory.join(storage::COMMIT_ROOT).exists() {
        return Err(format!(
            "{} is no log directory: it holds the commit logs of log directories. Inspect those, they say what is in theirs",
            directory.display()
        ));
    }
    let found = storage::inspect(directory).map_err(|error| error.to_string())?;
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(out, "{}", directory.display());
    let _ = writeln!(out, "  {}", owner(directory));
    if let Some(place) = &found.commit_apart {
        let _ = writeln!(out, "  commit logs in {}", place.display());
    }
    for store in &found.stores {
        let _ = writeln!(out, "  {}", store_line(store));
    }
    for (topic, partitions) in by_topic(&found.partitions) {
        let _ = writeln!(out, "  topic {topic}: {}", totals(&partitions));
        for partition in partitions {
            let _ = writeln!(out, "    {}", partition_line(partition));
            for mark in &partition.damage {
                let _ = writeln!(out, "      {}", damage_line(mark));
            }
        }
    }
    let _ = writeln!(out, "A start would {}.", what_a_start_does(&found));
    Ok(out)
}

fn owner(directory: &Path) -> String {
    let path = directory.join("meta.properties");
    match std::fs::read(&path).map(|text| MetaProperties::parse(&text)) {
        Ok(Ok(properties)) => {
            let id = properties.directory_id.map_or("none".to_owned(), |id| id.to_string());
            format!(
                "node {}, cluster {}, directory id {id}",
                properties.node_id, properties.cluster_id
            )
        }
        Ok(Err(error)) => format!("meta.properties cannot be read: {error}"),
        Err(_) => "no meta.properties: nobody's yet".to_owned(),
    }
}

fn store_line(store: &InspectedStore) -> String {
    let name = match store.name {
        StoreName::Controller => "controller".to_owned(),
        StoreName::Shard(shard) => format!("shard {shard} of {}", store.shards),
    };
    let how = if store.clean { "closed cleanly" } else { "open, or stopped uncleanly" };
    format!(
        "{name}: {how}, {} partitions, commit log of {} files, {}",
        store.partitions,
        store.log_files,
        bytes(store.log_bytes)
    )
}

fn by_topic(partitions: &[InspectedPartition]) -> BTreeMap<&str, Vec<&InspectedPartition>> {
    let mut topics: BTreeMap<&str, Vec<&InspectedPartition>> = BTreeMap::new();
    for partition in partitions {
        let topic = partition.name.rsplit_once('-').map_or(&*partition.name, |(topic, _)| topic);
        topics.entry(topic).or_default().push(partition);
    }
    topics
}

fn totals(partitions: &[&InspectedPartition]) -> String {
    let segments: usize = partitions.iter().map(|partition| partition.segments).sum();
    let size = partitions.iter().map(|partition| partition.bytes).sum();
    let id = partitions.first().map_or(String::new(), |partition| partition.topic.to_string());
    format!("id {id}, {} partitions, {segments} segments, {}", partitions.len(), bytes(size))
}

fn partition_line(partition: &InspectedPartition) -> String {
    let offsets = match partition.offsets {
        Some((start, end)) => format!("offsets {start} to {end}, "),
        None => String::new(),
    };
    format!(
        "{}: {offsets}{} segments, {}",
        partition.name,
        partition.segments,
        bytes(partition.bytes)
    )
}

fn damage_line(mark: &Mark) -> String {
    let Mark { segment, position, end, from, to, what, .. } = mark;
    format!(
        "damaged, not served: offsets {from} to {}, {:020}.log from byte {position} to {end}: {what}",
        to.0 - 1,
        segment.0
    )
}

fn what_a_start_does(found: &Inspection) -> String {
    let log: u64 = found.stores.iter().map(|store| store.log_bytes).sum();
    match &found.start {
        Start::New => "make it this node's: there is nothing in it yet".to_owned(),
        Start::Clean => "serve it at once: it was stopped cleanly".to_owned(),
        Start::Recover => format!(
            "recover it first, from a commit log of {} (offsets above are as of the last checkpoint); it reads all of that log, which was \
             not read here, and refuses the directory if anything in it is damaged that was durable",
            bytes(log)
        ),
        Start::TakeOver => {
            "take it over where it lies, if this node can serve all of it: Kafka wrote it, and stopped cleanly"
                .to_owned()
        }
        Start::CarryOut => "first end a change of its manifests that was begun".to_owned(),
        Start::Refuse(why) => format!("refuse it: {why}"),
    }
}

fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scaled = count;
    let mut rest = 0;
    while scaled >= 1024 && unit + 1 < UNITS.len() {
        rest = scaled % 1024 * 10 / 1024;
        scaled /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{scaled}.{rest} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (count, text) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
