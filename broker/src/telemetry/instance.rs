//! The rules for one client's instance: when it may ask and push. What Kafka's broker does, without a clock.

use std::time::{Duration, Instant};

use storage::batch::Codec;

use super::Told;

/// Why a client is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the request came before the next push interval")]
    TooEarly,
    #[error("the subscription is not the client's, or not any more")]
    UnknownSubscription,
    #[error("the client has said that it ends")]
    Terminated,
    #[error("an unknown compression")]
    Compression,
    #[error("the push is too large")]
    TooLarge,
    #[error("the metrics cannot be read")]
    Unreadable,
}

/// What the instance is asked for.
#[derive(Debug, Clone)]
pub(super) struct Subscribed(pub Told);

#[derive(Debug, Clone)]
pub(super) struct Instance {
    subscribed: Subscribed,
    asked: Option<Instant>,
    pushed: Option<Instant>,
    terminating: bool,
    /// The last refusal; some of them let a client ask again at once.
    last: Option<Refusal>,
}

impl Instance {
    pub(super) fn new(subscribed: Subscribed) -> Instance {
        Instance { subscribed, asked: None, pushed: None, terminating: false, last: None }
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.subscribed.0.interval_ms).unwrap_or(0))
    }

    /// What it is asked for: once an interval, but at once after a push that was refused for being out of date.
    pub(super) fn ask(&mut self, now: Instant) -> Result<&Told, Refusal> {
        let in_time = self.asked.max(self.pushed).is_none_or(|last| now >= last + self.interval());
        let out_of_date =
            matches!(self.last, Some(Refusal::UnknownSubscription | Refusal::Compression));
        if !in_time && !out_of_date {
            return Err(Refusal::TooEarly);
        }
        if in_time {
            self.asked = Some(now);
        }
        self.last = None;
        Ok(&self.subscribed.0)
    }

    /// Whether a push of `size` bytes may be taken: once an interval, and at once after having asked.
    pub(super) fn push(
        &mut self,
        now: Instant,
        subscription_id: i32,
        terminating: bool,
        codec: Option<Codec>,
        size: usize,
        bytes_max: usize,
    ) -> Result<(), Refusal> {
        let was_terminating = std::mem::replace(&mut self.terminating, terminating);
        let in_time = self.asked > self.pushed
            || self.pushed.is_none_or(|last| now >= last + self.interval());
        let refusal = if was_terminating {
            Some(Refusal::Terminated)
        } else if !in_time && !terminating {
            Some(Refusal::TooEarly)
        } else {
            if in_time {
                self.pushed = Some(now);
            }
            let known = subscription_id == self.subscribed.0.subscription_id;
            (!known)
                .then_some(Refusal::UnknownSubscription)
                .or(codec.is_none().then_some(Refusal::Compression))
                .or((size > bytes_max).then_some(Refusal::TooLarge))
        };
        self.last = refusal;
        refusal.map_or(Ok(()), Err)
    }

    /// What was pushed could be read, or not.
    pub(super) fn took(&mut self, well: bool) {
        self.last = (!well).then_some(Refusal::Unreadable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        let told = Told { subscription_id: 7, interval_ms: 1000, metrics: Vec::new() };
        Instance::new(Subscribed(told))
    }

    fn push(instance: &mut Instance, now: Instant, id: i32) -> Result<(), Refusal> {
        instance.push(now, id, false, Some(Codec::None), 10, 100)
    }

    #[test]
    fn asking_and_pushing_have_their_times() {
        let begin = crate::clock::monotonic();
        let after = |ms| begin + Duration::from_millis(ms);
        let mut one = instance();
        assert!(one.ask(begin).is_ok());
        assert_eq!(one.ask(after(999)).err(), Some(Refusal::TooEarly));
        assert_eq!(push(&mut one, after(10), 7), Ok(()));
        assert_eq!(push(&mut one, after(1000), 7), Err(Refusal::TooEarly));
        assert_eq!(push(&mut one, after(1010), 7), Ok(()));
        // What it knows is out of date: it may ask at once.
        assert_eq!(push(&mut one, after(2010), 8), Err(Refusal::UnknownSubscription));
        assert!(one.ask(after(2011)).is_ok());
        assert_eq!(one.ask(after(2012)).err(), Some(Refusal::TooEarly));
    }

    #[test]
    fn a_push_is_checked() {
        let now = crate::clock::monotonic();
        let check = |codec, size, expected| {
            assert_eq!(instance().push(now, 7, false, codec, size, 100), expected);
        };
        check(Some(Codec::Zstd), 100, Ok(()));
        check(None, 100, Err(Refusal::Compression));
        check(Some(Codec::None), 101, Err(Refusal::TooLarge));
        let mut ended = instance();
        assert_eq!(ended.push(now, 7, true, Some(Codec::None), 1, 100), Ok(()));
        assert_eq!(push(&mut ended, now, 7), Err(Refusal::Terminated));
    }
}
