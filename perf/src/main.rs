//! `perf COMMAND --option value ...`: one program for all that measures from outside; `lib.rs` says what is what.

use std::process::ExitCode;

use perf::{args::Args, fetch, journal, roofline, send, verify};

const USAGE: &str = "usage: perf COMMAND --option value ...
  send      prebuilt Produce frames: --address A --topic T,.. [--partitions N] [--connections N] [--in-flight N]
            [--together PARTITIONS A REQUEST] [--batch-bytes N] [--record-bytes N] [--keyed true] [--acks N] [--bytes N | --seconds S] [--rate RECORDS/S]
            [--groups N (OffsetCommit of N groups instead, with --seconds)]
  fetch     reads a topic: --address A --topic T [--partitions N] [--from earliest|latest|OFFSET] [--bytes N] [--max-bytes N] [--seconds S]
  roofline  the least that a broker must do: --port P --data DIR [--partitions N]
  journal   writes down each acknowledgement: --address A --journal FILE --topics T:acks:idempotent,.. --partitions N [--bytes-per-second N] [--seed N]
  verify    holds a broker to a journal: --address A --journal FILE --topics .. --partitions N [--state FILE]
            [--patience-s N]";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let done = Args::parse(words).and_then(|args| match command.as_str() {
        "send" => send::run(&args),
        "fetch" => fetch::run(&args),
        "roofline" => roofline::run(&args),
        "journal" => journal::run(&args),
        "verify" => verify::run(&args),
        _ => Err(anyhow::anyhow!("{USAGE}")),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("perf {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
