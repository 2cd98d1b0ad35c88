//! How much a spender is ahead of what it may spend.

use std::time::{Duration, Instant};

/// So much time's worth may be spent ahead.
const AHEAD: f64 = 0.25;

/// Counts in seconds: an amount is worth the time in which it may be spent. So a quota that changes keeps what is owed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    /// Seconds' worth that was spent ahead of `at`.
    ahead: f64,
    at: Instant,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Meter {
        Meter { ahead: 0.0, at: now }
    }

    /// Spends, whether it is allowed or not; how long until it is paid for but for `AHEAD`.
    pub(crate) fn spend(&mut self, per_second: f64, amount: f64, now: Instant) -> Duration {
        self.ahead = self.ahead_at(now) + amount / per_second;
        self.at = self.at.max(now);
        Duration::try_from_secs_f64(self.ahead - AHEAD).unwrap_or_default()
    }

    /// Whether forgetting it would give something away.
    pub(crate) fn owes(&self, now: Instant) -> bool {
        self.ahead_at(now) > 0.0
    }

    fn ahead_at(&self, now: Instant) -> f64 {
        (self.ahead - now.saturating_duration_since(self.at).as_secs_f64()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spends pieces of `amount` as fast as it may, from several connections; what was spent in ten seconds.
    fn in_ten_seconds(per_second: f64, amount: f64, connections: usize) -> f64 {
        let begin = crate::clock::monotonic();
        let mut meter = Meter::new(begin);
        let mut free = vec![begin; connections];
        let mut spent = 0.0;
        loop {
            let next = free.iter_mut().min().unwrap();
            let now = *next;
            if now >= begin + Duration::from_secs(10) {
                return spent;
            }
            spent += amount;
            let wait = meter.spend(per_second, amount, now);
            *next = now + wait.max(Duration::from_micros(100));
        }
    }

    #[test]
    fn over_ten_seconds_a_quota_holds_within_a_tenth() {
        for (per_second, amount, connections) in
            [(1e6, 16e3, 1), (1e6, 16e3, 10), (50e6, 1e6, 3), (1e5, 2e4, 2), (5e6, 1e3, 1)]
        {
            let spent = in_ten_seconds(per_second, amount, connections);
            let ratio = spent / (10.0 * per_second);
            assert!((ratio - 1.0).abs() <= 0.1, "{per_second} by {amount}: {ratio}");
        }
    }

    #[test]
    fn what_is_owed_is_paid_by_time_alone() {
        let begin = crate::clock::monotonic();
        let mut meter = Meter::new(begin);
        let second = Duration::from_secs(1);
        assert_eq!(meter.spend(10.0, 2.5, begin), Duration::ZERO);
        assert_eq!(meter.spend(10.0, 25.0, begin), second * 5 / 2);
        assert_eq!(meter.spend(10.0, 0.0, begin + second * 2), second / 2);
        assert!(meter.owes(begin + second * 2) && !meter.owes(begin + second * 4));
        // A clock that stands still, or an answer that comes late, gives nothing away.
        assert_eq!(meter.spend(10.0, 0.0, begin), second / 2);
    }
}
