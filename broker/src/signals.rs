//! SIGTERM and SIGINT: the first asks for a clean stop, the second ends the process at once (which loses nothing that was acknowledged).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::{SigSet, Signal};

/// The exit status of a process that was ended before it could stop cleanly.
const ENDED: i32 = 130;

/// Where the main thread waits for the stop.
pub struct Signals {
    stop: Receiver<Signal>,
    /// Until the node serves there is nothing to stop: a signal ends the process.
    serving: Arc<AtomicBool>,
}

impl Signals {
    /// To be called before any other thread is made: they inherit that these signals are blocked, and only our thread takes them.
    pub fn catch() -> io::Result<Signals> {
        let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
        signals.thread_block()?;
        let (sender, stop) = channel();
        let serving = Arc::new(AtomicBool::new(false));
        let may_stop = Arc::clone(&serving);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let mut asked = false;
            while let Ok(signal) = signals.wait() {
                if asked || !may_stop.load(Ordering::Acquire) || sender.send(signal).is_err() {
                    tracing::warn!(%signal, "ended at once; the next start recovers");
                    std::process::exit(ENDED);
                }
                asked = true;
            }
        })?;
        Ok(Signals { stop, serving })
    }

    /// From now on the first signal means a clean stop.
    pub fn serving(&self) {
        self.serving.store(true, Ordering::Release);
    }

    /// Waits for the first signal.
    pub fn wait(&self) -> Option<Signal> {
        self.stop.recv().ok()
    }
}
