//! Bugs that the simulation must find: it plants them one at a time. Outside of tests none can be planted.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Members are told their assignment before it is durable.
    AssignedAtAppend,
    /// Offsets are shown before they are durable.
    ShownAtAppend,
    /// A commit is acknowledged before it is durable.
    CommittedAtAppend,
    /// A member commits in a generation that is over.
    AnyGenerationCommits,
    /// Tombstones are written, and the offsets stay.
    TombstonesIgnored,
    /// A static member's new id is not written.
    NewIdUnwritten,
    /// A silent member is taken out, and nobody else is told.
    SilentRemoval,
    /// A rebalance goes on in the generation before.
    SameGeneration,
    /// The end of a session is not looked for after a load.
    NoSessionsAfterLoad,
    /// A partition is given to the next member of a consumer group while another owns it.
    GivenWhileOwned,
    /// A member of a consumer group is told its epoch before it is durable.
    ReportedAtAppend,
    /// A member of a consumer group commits in any epoch.
    AnyEpochCommits,
    /// New topics and partitions are not looked at.
    TopicsUnwatched,
    /// The record of a classic group stays in the log when it becomes a consumer group.
    UpgradeKeepsRecord,
    /// The records of a consumer group stay in the log when it becomes a classic one.
    DowngradeKeepsRecords,
    /// A group that has just become a classic one, and is to rebalance, does not after a load.
    RebalanceForgotten,
    /// Members of a group that becomes a classic one are taken to have what they were to have.
    DowngradeTakesTargets,
    /// A member of a consumer or a share group that is gone is never missed.
    NobodyIsMissed,
    /// Members of a share group are assigned partitions whose state nobody keeps.
    ReadWithoutState,
    /// State that was to begin, and that nobody asked for, is not asked for again.
    StateNeverRetried,
    /// A share group is deleted, and the state of one of its topics is not.
    StateLeftBehind,
    /// Partitions whose state has begun are assigned with the next change of the group only.
    NewStateUnnoticed,
}

impl super::Coordinator {
    #[cfg(test)]
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests look at it")]
    pub(super) fn has(&self, _: Bug) -> bool {
        false
    }
}
