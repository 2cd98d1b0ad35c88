//! What a batch costs between the socket and the log, in nanoseconds: CRC, records, copy.
//!
//! `cargo run --release -p storage --example validate_cost`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement needs a clock and says what it found"
)]

use std::hint::black_box;
use std::time::Instant;

use storage::batch::{
    Batch, BatchBuilder, Checked, Codec, Progress, Rewrite, Rules, TimestampType, Validation,
    copy_stamped,
};
use storage::units::{Epoch, Offset, Timestamp};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn rules() -> Rules {
    Rules {
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        message_bytes_max: 2 << 20,
        compacted: false,
        now: NOW,
    }
}

/// Letters that compress about as text does.
fn text(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b"etaoin shrdlu   "[(state & 15) as usize]
        })
        .collect()
}

fn batch(codec: Codec, batch_bytes: usize, record_bytes: usize) -> Batch {
    let mut builder = BatchBuilder::new().codec(codec);
    let mut i = 0i64;
    while builder.record_bytes() + record_bytes < batch_bytes {
        builder =
            builder.record(NOW + i / 16, None, Some(&text(record_bytes, i.unsigned_abs() + 1)));
        i += 1;
    }
    builder.build()
}

/// The best of several rounds: what it costs when nothing disturbs it.
fn nanoseconds(bytes: usize, mut work: impl FnMut()) -> f64 {
    let rounds = (40_000_000 / bytes).clamp(20, 20_000);
    (0..7)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                work();
            }
            start.elapsed().as_nanos() as f64 / rounds as f64
        })
        .fold(f64::INFINITY, f64::min)
}

fn validate(batch: &Batch, rules: &Rules) -> Checked {
    let mut validation = Validation::new(batch, rules);
    loop {
        if let Progress::Done(checked) = validation.step(256 << 10).expect("a good batch") {
            return checked;
        }
    }
}

fn main() {
    println!(
        "ns per batch       records  bytes     crc+parse   records   copy+stamp  with crc moved"
    );
    for (batch_bytes, record_bytes) in
        [(16 << 10, 1000), (16 << 10, 100), (1 << 20, 1000), (1 << 20, 100)]
    {
        for codec in Codec::ALL {
            let batch = batch(codec, batch_bytes, record_bytes);
            let (rules, bytes) = (rules(), batch.bytes().clone());
            let mut copy = vec![0; batch.size()];
            let checked = validate(&batch, &rules);
            let corrected =
                Checked { rewrite: Rewrite::Corrected(batch.header().attributes), ..checked };
            let parse = nanoseconds(bytes.len(), || {
                drop(black_box(Batch::parse(black_box(bytes.clone()))))
            });
            let walk = nanoseconds(batch_bytes, || {
                black_box(validate(black_box(&batch), &rules));
            });
            let mut stamped = |checked: &Checked| {
                nanoseconds(bytes.len(), || {
                    copy_stamped(
                        &batch,
                        black_box(&mut copy),
                        Offset(5),
                        Epoch(1),
                        black_box(checked),
                        None,
                    );
                })
            };
            let (plain, moved) = (stamped(&checked), stamped(&corrected));
            println!(
                "{:>7} of {:>4} {:<6} {:>6} {:>8} {parse:>11.0} {walk:>9.0} {plain:>12.0} {moved:>15.0}",
                batch_bytes,
                record_bytes,
                codec.name(),
                batch.count(),
                batch.size(),
            );
        }
    }
}
