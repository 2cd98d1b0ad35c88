//! Logs to standard error without ever holding up a shard: lines go into a bounded queue, a thread writes them, and what does not fit is
//! counted and told afterwards.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::log_levels;

/// Lines that wait while standard error is slow.
const LINES_MAX: usize = 4096;

/// Keeps the writer's thread; when it is dropped everything that was logged before has been written.
pub struct Logging {
    lines: SyncSender<Line>,
    thread: Option<JoinHandle<()>>,
}

enum Line {
    Text(Vec<u8>),
    End,
}

/// What the subscriber writes to: a line per call, never waiting.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

/// Starts logging by `RUST_LOG`, `info` if it is not set. A second call in a process leaves the first in place.
pub fn start() -> io::Result<Logging> {
    let (lines, received) = sync_channel(LINES_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { lines: lines.clone(), dropped: Arc::clone(&dropped) };
    let thread = std::thread::Builder::new().name("log".into());
    let thread = thread.spawn(move || write_lines(&received, &dropped, &mut io::stderr()))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let base = filter.to_string();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue);
    let subscriber = subscriber.with_ansi(io::stderr().is_terminal()).with_filter_reloading();
    let handle = subscriber.reload_handle();
    if subscriber.try_init().is_ok() {
        // The subscriber lives as long as the process.
        log_levels::begin(base, Box::new(move |filter| drop(handle.reload(filter))));
    }
    Ok(Logging { lines, thread: Some(thread) })
}

impl Drop for Logging {
    fn drop(&mut self) {
        // Behind everything that was logged; only this sender may wait for room.
        let ended = self.lines.send(Line::End);
        if let (Ok(()), Some(thread)) = (ended, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn write_lines(lines: &Receiver<Line>, dropped: &AtomicU64, out: &mut impl Write) {
    while let Ok(Line::Text(text)) = lines.recv() {
        // Nobody can be told that standard error is gone.
        let _ = out.write_all(&text);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{lost} log lines were dropped: standard error was too slow");
        }
    }
}

impl Write for Queue {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Line::Text(text.to_vec())) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Queue;

    fn make_writer(&'a self) -> Queue {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_and_says_so() {
        let (lines, received) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut queue = Queue { lines: lines.clone(), dropped: Arc::clone(&dropped) };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            queue.write_all(line.as_bytes()).expect("never fails");
        }
        let mut out = Vec::new();
        drop((queue, lines));
        write_lines(&received, &dropped, &mut out);
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, "one\n2 log lines were dropped: standard error was too slow\ntwo\n");
    }
}
