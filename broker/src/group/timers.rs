//! What a coordinator does when time passes: deadlines by what they are for. The clock is the caller's.

use std::collections::{BTreeSet, HashMap};

use bytestring::ByteString;

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The group's join phase ends.
    Join(ByteString),
    /// Members that have not asked for their assignment are out.
    Sync(ByteString),
    /// A member (or an id that was given out) has been silent for too long.
    Session(ByteString, ByteString),
    /// A member of a consumer group has been silent for too long.
    Member(ByteString, ByteString),
    /// It has not given up in time what it is to give up.
    Revocation(ByteString, ByteString),
    /// A classic one has not joined in time.
    ClassicJoin(ByteString, ByteString),
    /// Nor asked for its assignment.
    ClassicSync(ByteString, ByteString),
    /// A member of a share group has been silent for too long.
    Share(ByteString, ByteString),
    /// The topics that a group's regular expressions match are to be looked up.
    Regexes(ByteString),
    /// Expired offsets are looked for.
    Expiry,
}

/// Each timer is set once at most; to set it again moves it.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(u64, Timer)>,
    at: HashMap<Timer, u64>,
}

impl Timers {
    /// `at` in monotonic milliseconds.
    pub(crate) fn set(&mut self, timer: Timer, at: u64) {
        if let Some(before) = self.at.insert(timer.clone(), at) {
            self.due.remove(&(before, timer.clone()));
        }
        self.due.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.at.remove(timer) {
            self.due.remove(&(at, timer.clone()));
        }
    }

    pub(crate) fn is_set(&self, timer: &Timer) -> bool {
        self.at.contains_key(timer)
    }

    /// When the first one is due.
    pub(crate) fn next(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_is_moved_fires_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Expiry, 5);
        timers.set(Timer::Join("g".into()), 6);
        timers.set(Timer::Expiry, 9);
        assert_eq!((timers.next(), timers.pop(5)), (Some(6), None));
        assert_eq!(timers.pop(20), Some(Timer::Join("g".into())));
        assert_eq!((timers.pop(20), timers.pop(20)), (Some(Timer::Expiry), None));
        timers.set(Timer::Expiry, 1);
        timers.cancel(&Timer::Expiry);
        assert_eq!(timers.next(), None);
    }
}
