//! The answers of a connection, in the order of its requests.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, future::LocalBoxFuture, stream::FuturesUnordered};

use super::Limits;
use crate::send::{Part, Parts};

/// Bytes of answers that leave together, at most, beside those of the first.
const BATCH_BYTES: u64 = 1 << 20;
/// Bytes of memory in answers that have not left, from which on no further request is served: a small request may have a large answer.
const UNSENT_MAX: usize = 1 << 20;

/// One place for each request that is to be answered and has not been.
#[derive(Default)]
pub(crate) struct Answers {
    places: VecDeque<Place>,
    /// Number of the first place.
    first: u64,
    /// Second stages that are running. Made with the first of them: many connections never have one.
    later: Option<FuturesUnordered<Later>>,
    /// Of the places, and of the batch that is being sent.
    requests: usize,
    bytes: usize,
    /// Of `bytes` those of answers.
    unsent: usize,
}

struct Place {
    request_bytes: usize,
    answer: Option<Parts>,
}

/// Answers that leave together.
pub(crate) struct Batch {
    pub(crate) parts: Vec<Part>,
    /// Bytes that leave.
    pub(crate) length: u64,
    requests: usize,
    bytes: usize,
    unsent: usize,
}

struct Later {
    number: u64,
    answer: LocalBoxFuture<'static, Option<Parts>>,
}

impl Future for Later {
    type Output = (u64, Option<Parts>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map(|answer| (self.number, answer))
    }
}

impl Answers {
    pub(crate) fn is_empty(&self) -> bool {
        self.requests == 0
    }

    /// Whether one more request, of so many bytes, may be in flight beside these.
    pub(crate) fn has_room_for(&self, bytes: usize, limits: &Limits) -> bool {
        self.requests == 0
            || (self.requests < limits.in_flight_requests_max
                && self.bytes + bytes <= limits.in_flight_bytes_max
                && self.unsent < UNSENT_MAX)
    }

    pub(crate) fn push(&mut self, request_bytes: usize, answer: Parts) {
        let unsent = memory(&answer);
        self.unsent += unsent;
        self.add(request_bytes + unsent, request_bytes, Some(answer));
    }

    pub(crate) fn push_later(
        &mut self,
        request_bytes: usize,
        answer: LocalBoxFuture<'static, Option<Parts>>,
    ) {
        let number = self.first + self.places.len() as u64;
        self.add(request_bytes, request_bytes, None);
        self.later.get_or_insert_default().push(Later { number, answer });
    }

    fn add(&mut self, bytes: usize, request_bytes: usize, answer: Option<Parts>) {
        self.requests += 1;
        self.bytes += bytes;
        self.places.push_back(Place { request_bytes, answer });
    }

    /// Runs the second stages; `Err` when one of them closes the connection.
    pub(crate) fn poll_later(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        let Some(later) = &mut self.later else { return Ok(()) };
        while let Poll::Ready(Some((number, answer))) = Pin::new(&mut *later).poll_next(cx) {
            let answer = answer.ok_or(Closed)?;
            let place = usize::try_from(number - self.first).expect("a place is in memory");
            let unsent = memory(&answer);
            self.unsent += unsent;
            self.bytes += unsent;
            self.places[place].answer = Some(answer);
        }
        Ok(())
    }

    /// The answers that can leave, if there are any: none before that of an earlier request.
    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch { parts: Vec::new(), length: 0, requests: 0, bytes: 0, unsent: 0 };
        while batch.length < BATCH_BYTES
            && let Some(Place { answer: Some(_), .. }) = self.places.front()
            && let Some(Place { request_bytes, answer: Some(answer) }) = self.places.pop_front()
        {
            self.first += 1;
            batch.requests += 1;
            let unsent = memory(&answer);
            batch.unsent += unsent;
            batch.bytes += request_bytes + unsent;
            batch.length += answer.len();
            if batch.parts.is_empty() {
                batch.parts = answer.into_vec();
            } else {
                batch.parts.extend(answer);
            }
        }
        (batch.requests > 0).then_some(batch)
    }

    /// A batch has left.
    pub(crate) fn sent(&mut self, batch: &Batch) {
        self.requests -= batch.requests;
        self.bytes -= batch.bytes;
        self.unsent -= batch.unsent;
    }
}

/// The second stage of a request wants the connection closed.
pub(crate) struct Closed;

/// Bytes that an answer holds in memory.
fn memory(answer: &Parts) -> usize {
    answer
        .iter()
        .map(|part| match part {
            Part::Bytes(bytes) => bytes.len(),
            Part::File(_) => 0,
        })
        .sum()
}
