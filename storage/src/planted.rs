//! Bugs that the simulation must catch, planted one at a time in its runs. In a release build without the feature `planted`, [`is`] is
//! the constant `false`, and what it guards is not compiled.

/// One bug: what is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bug {
    /// Acknowledged when the batch is appended.
    AcknowledgedAtAppend,
    /// Acknowledged when its group is submitted.
    AcknowledgedAtSubmission,
    /// Acknowledged without waiting for the extents.
    AcknowledgedWithoutExtents,
    /// The durable mark moves before the sync has returned.
    MarkBeforeSync,
    /// A write with DSYNC is taken for a sync of what was written before it.
    DsyncIsPrefix,
    /// The durable mark moves after the first of several syncs.
    MarkAfterFirstSync,
    /// The sync leaves out segments with extents.
    SyncWithoutSegments,
    RemainderNotLogged,
    ManifestBeforeSyncfs,
    ManifestUnsynced,
    ManifestDirectoryUnsynced,
    RecoverySyncsNothing,
    RecoverySyncsNoSegments,
    RecoverySyncsNoDirectory,
    OldIdUsedAgain,
    ExtentUnchecked,
    SegmentDirectoryUnsynced,
    DestroyedAtOnce,
    DestroyedAtWritten,
    DestroyedAtDurable,
    CleanEndNotLogged,
    CleanEndNotWaitedFor,
    NameUsedAgain,
    RenamedAfterManifest,
    BelowExtentDropped,
    OneReplayPointForAll,
    ReplayPointPerGroup,
    StateNotWaitedFor,
    CleanBelieved,
    OldIdPreferred,
    LinkNotDurable,
    LateWrites,
    RotByGroupsWalked,
    NoMarkInManifest,
    /// Whatever lies in a partition's directory is taken for a segment of it.
    DirectoryIsList,
    /// Batches go where the log's state ends, not to the segment and position that their entries name.
    EntryWithoutPlace,
    /// A cleaned segment takes its place before its bytes are synced.
    CleanedUnsynced,
    /// A cleaned segment takes its place before its files' names are durable.
    CleanedDirectoryUnsynced,
    /// The cleaned segment's files get their names before a manifest says so.
    SwappedBeforeManifest,
    /// Recovery does not give them their names.
    SwapNotCompleted,
    /// The next round does not wait until a manifest says that the swaps are done.
    SwapsUnrecorded,
    /// A full map of keys forgets those that come later, and goes on.
    KeyMapForgets,
    /// A tombstone goes with what it deletes.
    TombstonesGoAtOnce,
    /// Entries of the commit log that name a place in a segment that was cleaned since are replayed.
    EntriesOfCleanedReplayed,
    /// Memory keeps what it has of segments that were cleaned.
    TailKeptBySwap,
    /// A reader goes on with positions from before a swap.
    ReaderNotDisturbed,
    /// A truncation is in memory only.
    TruncationNotLogged,
    /// What is left of a truncated log, and in no file, is not logged again behind the entry.
    CutRemainderNotLogged,
    /// A replay takes what a truncation has cut for known.
    CutTakenForKnown,
    /// Memory keeps what a truncation cut.
    CutTailKept,
    /// After a start that replayed a truncation, what is from before it is replayed by the next start, too.
    TruncationReplayedAgain,
    /// The segment that a truncation cuts is not synced before the entry says how it is.
    CutUnsynced,
    /// Truncation leaves the epochs as they are.
    EpochsNotCut,
    /// Truncation leaves the producers as they are.
    ProducersNotCut,
    /// Snapshots of producers' states at offsets that were truncated stay.
    SnapshotsKept,
    /// Another number of shards is accepted where the logs have entries since the clean stop.
    ShardsChangedUncleanly,
    /// The manifests of another number of shards are written without a plan.
    ShardsChangedOneByOne,
    /// The deletion of a partition that came back is not replayed.
    DeleteNotReplayed,
    /// The log start moves, and segments go, without an entry that says so.
    RetentionNotLogged,
    /// A drain on a full disk is taken for done.
    FullTakenForWritten,
    /// A moving partition gets what is not durable in its source.
    UndurableMoved,
    /// Its metadata is written before the copy is durable.
    MovedBeforeDurable,
    /// The files that are copied are not synced.
    FutureUnsynced,
    /// No manifest says that a future log was begun.
    FutureUnrecorded,
    /// A start does not finish a move that the metadata has decided.
    FutureForgotten,
    /// The partition's name is not durable before the source is deleted.
    PromotedUnsynced,
    /// The source is deleted before the metadata says where the partition is.
    #[cfg(test)]
    SourceDeletedEarly,
    /// Appends go on while the last of the log is copied.
    #[cfg(test)]
    AppendsNotStopped,
    /// Compaction and retention go on in a log that is being copied.
    HeldNotKept,
    /// A sync that failed is tried again, and believed.
    SyncTriedAgain,
    /// The scrubber looks at headers only.
    CrcNotChecked,
    /// A read believes whatever header it comes to.
    HeaderBelieved,
    /// What a read suspects is not examined, so not marked.
    SuspicionNotExamined,
    /// What is marked is served.
    MarkNotAsked,
    /// Marks are forgotten at a stop.
    MarkInMemoryOnly,
    /// An index that does not agree with its log stays.
    IndexNotRebuilt,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

#[cfg(test)]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// In debug builds, and with the feature `planted`, for the harnesses that kill a real broker or cut its power: `ODRADEK_PLANTED` names the bug.
#[cfg(all(not(test), any(feature = "planted", debug_assertions)))]
pub(crate) fn is(bug: Bug) -> bool {
    static NAMED: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    let named = NAMED.get_or_init(|| {
        let name = std::env::var("ODRADEK_PLANTED").ok()?;
        let found = NAMES.iter().find(|(known, _)| *known == name);
        // A harness that mistypes a name would test the broker as it is.
        Some(found.unwrap_or_else(|| panic!("ODRADEK_PLANTED={name} names no bug: {NAMES:?}")).1)
    });
    *named == Some(bug)
}

/// The bugs that a kill or a power cut of a real broker can show.
#[cfg(all(not(test), any(feature = "planted", debug_assertions)))]
const NAMES: &[(&str, Bug)] = &[
    ("acknowledge-at-append", Bug::AcknowledgedAtAppend),
    ("acknowledge-at-submission", Bug::AcknowledgedAtSubmission),
    ("acknowledge-without-extents", Bug::AcknowledgedWithoutExtents),
    ("mark-before-sync", Bug::MarkBeforeSync),
    ("sync-without-segments", Bug::SyncWithoutSegments),
    ("segment-directory-unsynced", Bug::SegmentDirectoryUnsynced),
    ("manifest-before-syncfs", Bug::ManifestBeforeSyncfs),
    ("manifest-unsynced", Bug::ManifestUnsynced),
    ("manifest-directory-unsynced", Bug::ManifestDirectoryUnsynced),
    ("remainder-not-logged", Bug::RemainderNotLogged),
    ("link-not-durable", Bug::LinkNotDurable),
];

#[cfg(all(not(test), not(any(feature = "planted", debug_assertions))))]
#[inline(always)]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
