//! The control socket: one command a connection, one line of JSON as the answer.
//!
//! ```text
//! counts                        what reached the drive
//! cut SEED REQUESTS PATIENCE    cuts when that many more writes and flushes are done, at the latest after PATIENCE ms;
//!                               answers when the power is off, with what became of the writes since the last flush
//! fail REQUEST TIMES            the next reads, writes or flushes fail; a flush loses what it was to make stable
//! stall REQUEST TIMES MS        they take so long
//! ```

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    drive::{Outcome, Request, Trouble},
    layer::{Shared, lock},
};

const POLL: Duration = Duration::from_micros(500);
/// A client of this socket is our own harness: it sends its line at once.
const SLOWEST_LINE: Duration = Duration::from_secs(5);

/// Answers one connection after another, for as long as the process lives.
pub fn serve(listener: &UnixListener, drive: &Shared) {
    for connection in listener.incoming() {
        let answered = connection.map_err(Into::into).and_then(|c| answer(c, drive));
        if let Err(error) = answered {
            eprintln!("powercut: control: {error:#}");
        }
    }
}

fn answer(mut connection: UnixStream, drive: &Shared) -> Result<()> {
    connection.set_read_timeout(Some(SLOWEST_LINE))?;
    let mut line = String::new();
    BufReader::new(&connection).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let answer = match words[..] {
        ["counts"] => serde_json::to_string(&lock(drive).counts())?,
        ["cut", seed, requests, patience] => {
            let patience = Duration::from_millis(patience.parse().context("PATIENCE")?);
            let outcome = cut(drive, seed.parse()?, requests.parse()?, patience)?;
            serde_json::to_string(&outcome)?
        }
        ["fail", request, times] => {
            let trouble = Trouble { request: kind(request)?, times: times.parse()?, stall: None };
            lock(drive).trouble(Some(trouble));
            serde_json::to_string(&lock(drive).counts())?
        }
        ["stall", request, times, ms] => {
            let stall = Some(Duration::from_millis(ms.parse().context("MS")?));
            let trouble = Trouble { request: kind(request)?, times: times.parse()?, stall };
            lock(drive).trouble(Some(trouble));
            serde_json::to_string(&lock(drive).counts())?
        }
        _ => return Err(anyhow!("no command: {line:?}")),
    };
    writeln!(connection, "{answer}")?;
    Ok(())
}

fn kind(word: &str) -> Result<Request> {
    match word {
        "read" => Ok(Request::Read),
        "write" => Ok(Request::Write),
        "flush" => Ok(Request::Flush),
        _ => Err(anyhow!("no request: {word:?}")),
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool with threads of its own")]
fn cut(drive: &Shared, seed: u64, requests: u64, patience: Duration) -> Result<Outcome> {
    let until = Instant::now() + patience;
    lock(drive).cut(seed, requests)?;
    loop {
        if let Some(outcome) = lock(drive).outcome() {
            return Ok(outcome);
        }
        if Instant::now() >= until {
            lock(drive).cut(seed, 0)?;
        }
        thread::sleep(POLL);
    }
}
