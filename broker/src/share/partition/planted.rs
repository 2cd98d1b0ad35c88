//! Bugs that the simulation must find: it plants them one at a time. Outside of tests none can be planted.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// A member acknowledges what another has.
    AnyoneAcknowledges,
    /// A change that could not be stored stays.
    FailureForgotten,
    /// The start moves over what is not stored yet.
    StartBeforeStored,
    /// What was released is delivered before that is stored.
    PendingDelivered,
    /// Offsets that the log does not hold are not accounted for.
    HolesForgotten,
    /// A lock that has run out while an acknowledgement could not be stored.
    RestoredLockForgotten,
    /// A lock that has run out begins the count of deliveries anew.
    CountBeginsAnew,
    /// The delivery limit is one too high.
    OneDeliveryMore,
    /// Part of a refused request is done.
    HalfARequest,
    /// What was in flight between stored batches is taken for done with.
    GapsTakenForDone,
    /// A release of all that a member has takes from others, too.
    AllReleased,
}

impl super::Partition {
    #[cfg(test)]
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "as in tests")]
    pub(super) const fn has(&self, _: Bug) -> bool {
        false
    }
}
