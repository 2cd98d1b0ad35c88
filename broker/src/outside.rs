//! The way from threads that are no executors (the main thread, the admin server) to those that are: one thread with an end of the
//! mesh, to which questions are handed.

use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::channel::oneshot;
use net::mesh::Port;
use ring::WakeHandle;

use crate::calls::Calls;
use crate::message::{Answer, Ask, Message};
use crate::metrics::Sample;

enum Errand {
    Ask { executor: usize, ask: Ask, answer: oneshot::Sender<Answer> },
    Post { executor: usize, message: Message },
}

/// A handle for any thread. The thread behind it ends with the last handle.
pub struct Outside {
    errands: mpsc::Sender<Errand>,
    wake: WakeHandle,
    executors: usize,
}

impl Outside {
    pub fn start(port: Port<Message>) -> anyhow::Result<Arc<Outside>> {
        let wake = WakeHandle::for_thread().context("an eventfd")?;
        let (errands, received) = mpsc::channel();
        // The last number is this thread's own.
        let executors = port.index();
        let handle = wake.clone();
        std::thread::Builder::new()
            .name("outside".into())
            .spawn(move || carry(port, handle, &received))?;
        Ok(Arc::new(Outside { errands, wake, executors }))
    }

    /// Asks an executor, and waits for its answer on this thread.
    pub fn ask(&self, executor: usize, ask: Ask) -> anyhow::Result<Answer> {
        futures::executor::block_on(self.ask_later(executor, ask))
            .map_err(|_| anyhow!("an executor died: see the log"))
    }

    /// One-way.
    pub fn post(&self, executor: usize, message: Message) {
        self.send(Errand::Post { executor, message });
    }

    /// The counters of every executor.
    pub async fn samples(&self) -> Vec<Sample> {
        let asked: Vec<_> =
            (0..self.executors).map(|executor| self.ask_later(executor, Ask::Samples)).collect();
        let mut all = Vec::new();
        for asked in asked {
            if let Ok(Answer::Samples(samples)) = asked.await {
                all.extend(samples);
            }
        }
        all
    }

    fn ask_later(&self, executor: usize, ask: Ask) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        self.send(Errand::Ask { executor, ask, answer });
        receiver
    }

    fn send(&self, errand: Errand) {
        // If the thread is gone, the receiver of the answer learns it.
        let _ = self.errands.send(errand);
        self.wake.wake();
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // The thread finds its errands' sender gone: this field is dropped right after.
        let (closed, _) = mpsc::channel();
        drop(std::mem::replace(&mut self.errands, closed));
        self.wake.wake();
    }
}

fn carry(port: Port<Message>, wake: WakeHandle, errands: &mpsc::Receiver<Errand>) {
    let endpoint = Rc::new(port.attach_thread(wake));
    let calls = Calls::new(Rc::clone(&endpoint), endpoint.executors());
    loop {
        loop {
            match errands.try_recv() {
                Ok(Errand::Ask { executor, ask, answer }) => calls.ask_into(executor, ask, answer),
                Ok(Errand::Post { executor, message }) => calls.post(executor, message),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
        let pause = calls.kept_back().then_some(Duration::from_millis(1));
        match endpoint.recv_blocking(pause) {
            Ok(Some((from, Message::Answer { id, answer }))) => calls.answered(from, id, answer),
            Ok(Some((from, _))) => {
                tracing::error!(from, "a question came to the thread that only asks")
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "the thread between the executors and the others cannot wait; it ends");
                return;
            }
        }
        calls.pump_all();
    }
}
