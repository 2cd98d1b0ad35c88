//! The one place where the broker reads clocks; everything else takes the time as an argument.

#![expect(clippy::disallowed_methods, reason = "this is where the time comes from")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use storage::units::Timestamp;

/// Milliseconds since 1970, as Kafka's records carry them.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// For durations and deadlines.
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
