//! A plain reader of one topic on one connection: Fetch without sessions, as much as comes, until enough was read.
//!
//! It looks at batch headers only, so that most of its time is the broker's.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use net::{
    send::Part,
    wire::{ErrorCode, fetch::PartitionData},
};
use serde::Serialize;

use crate::{
    args::{Args, report},
    batch,
    client::{self, Client, FETCH},
};

#[derive(Default, Serialize)]
struct Answer {
    requests: u64,
    bytes: u64,
    batches: u64,
    records: u64,
    seconds: f64,
    mb_per_second: f64,
}

pub fn run(args: &Args) -> Result<()> {
    let topic: String = args.required("topic")?;
    let partitions: i32 = args.or("partitions", 1)?;
    let enough: u64 = args.or("bytes", u64::MAX)?;
    let max_bytes: i32 = args.or("max-bytes", 1 << 20)?;
    let from: String = args.or("from", "earliest".to_owned())?;
    let seconds: f64 = args.or("seconds", 3600.0)?;
    let mut client = Client::connect(&args.required::<String>("address")?)?;
    let mut positions = (0..partitions)
        .map(|p| Ok((p, start(&mut client, &topic, p, &from)?)))
        .collect::<Result<Vec<_>>>()?;

    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let mut answer = Answer::default();
    let mut idle = 0;
    while answer.bytes < enough && idle < 4 && Instant::now() < until {
        let response = client.ask(FETCH, &client::fetch(&topic, &positions, max_bytes, 500))?;
        let before = answer.bytes;
        for partition in response.responses.iter().flat_map(|t| &t.partitions) {
            take(partition, &mut positions, &mut answer)?;
        }
        // The next request begins where this one's limit stopped it.
        positions.rotate_left(1);
        answer.requests += 1;
        idle = if answer.bytes == before { idle + 1 } else { 0 };
    }
    answer.seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let read = answer.bytes as f64;
    answer.mb_per_second = read / answer.seconds / 1e6;
    report(&answer)
}

fn start(client: &mut Client, topic: &str, partition: i32, from: &str) -> Result<i64> {
    match from {
        "earliest" => client.offset(topic, partition, -2),
        "latest" => client.offset(topic, partition, -1),
        offset => offset.parse().with_context(|| format!("--from {offset}")),
    }
}

fn take(
    partition: &PartitionData,
    positions: &mut [(i32, i64)],
    answer: &mut Answer,
) -> Result<()> {
    if partition.error_code != ErrorCode::NONE {
        bail!("partition {}: {:?}", partition.partition_index, partition.error_code);
    }
    let Some(position) = positions.iter_mut().find(|(p, _)| *p == partition.partition_index) else {
        bail!("a partition that nobody asked for")
    };
    for part in partition.records.0.iter().flatten() {
        let Part::Bytes(records) = part else { bail!("a file range in an answer") };
        answer.bytes += records.len() as u64;
        for batch in batch::read(records) {
            position.1 = batch.last_offset + 1;
            answer.batches += 1;
            answer.records += u64::from(batch.count.unsigned_abs());
        }
    }
    Ok(())
}
