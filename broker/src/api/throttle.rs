//! What a request costs its client: what its quotas do not allow is waited for, after the answer has left (KIP-219).

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use net::wire::Wire;
use pin_project_lite::pin_project;

use super::Context;
use crate::clock;
use crate::quota::Limited;

/// Until there are users: who a client is without authentication.
const ANONYMOUS: &str = "ANONYMOUS";

/// Time of the shard's thread that a request has taken. Only where something is limited.
#[derive(Clone, Default)]
pub(super) struct Cost(Option<Rc<Cell<Duration>>>);

impl Cost {
    /// To be counted if `any` quota is there.
    pub(super) fn begin(any: bool) -> Cost {
        Cost(any.then(Rc::default))
    }

    /// The future, each turn of it counted.
    pub(super) fn count<F: Future>(&self, future: F) -> Counted<F> {
        Counted { cost: self.clone(), future }
    }

    /// What was counted since the last call.
    fn take(&self) -> Duration {
        self.0.as_ref().map(|spent| spent.replace(Duration::ZERO)).unwrap_or_default()
    }
}

pin_project! {
    /// See [`Cost::count`]. An async function would hold the future twice, as its argument and as what it waits for.
    pub(super) struct Counted<F> {
        cost: Cost,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Cost(Some(spent)) = &*this.cost else { return this.future.poll(cx) };
        let begun = clock::monotonic();
        let poll = this.future.poll(cx);
        spent.set(spent.get() + clock::monotonic().duration_since(begun));
        poll
    }
}

impl Context {
    /// Charges the client for the request, and for an `amount` of something else that is limited; says in the answer how long its connection
    /// will not be read, and sees to it.
    pub(super) async fn charge(&self, response: &mut impl Wire, also: Option<(Limited, usize)>) {
        if !self.shard.quotas.any() {
            return;
        }
        let now = clock::monotonic();
        #[expect(clippy::cast_precision_loss, reason = "an amount")]
        let time = self.cost.take().as_nanos() as f64;
        let mut wait = self.spend(Limited::Request, time, now).await;
        if let Some((limited, amount)) = also {
            #[expect(clippy::cast_precision_loss, reason = "an amount")]
            let amount = amount as f64;
            wait = wait.max(self.spend(limited, amount, now).await);
        }
        self.mute(response, wait, now);
    }

    /// How long the client must wait before it may have more of what is limited.
    pub(super) async fn owed(&self, limited: Limited) -> Duration {
        match self.shard.quotas.any() {
            true => self.spend(limited, 0.0, clock::monotonic()).await,
            false => Duration::ZERO,
        }
    }

    /// What one answer may take of a quota, so that it holds within a tenth: what is allowed in a quarter of a second; none without a limit.
    pub(super) fn at_once(&self, limited: Limited) -> Option<usize> {
        if !self.shard.quotas.any() {
            return None;
        }
        let allowed = self.shard.quotas.allowed(limited, ANONYMOUS, &self.client_id)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        Some((allowed.per_second / 4.0) as usize)
    }

    /// Says `wait` in the answer, and does not read the connection for that long.
    pub(super) fn mute(&self, response: &mut impl Wire, wait: Duration, now: Instant) {
        if !wait.is_zero() {
            let ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
            response.set_throttle_time_ms(ms);
            self.peer.mute(now + wait);
        }
    }

    async fn spend(&self, limited: Limited, amount: f64, now: Instant) -> Duration {
        match self.shard.quotas.allowed(limited, ANONYMOUS, &self.client_id) {
            Some(allowed) => self.shard.spend(allowed, amount, now).await,
            None => Duration::ZERO,
        }
    }
}
