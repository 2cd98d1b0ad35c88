//! The ledger: the metadata log with the quorum that may write it, the image that it amounts to, and its snapshots.
//!
//! - [`Ledger::open`] reads the newest good snapshot and the log after it, wins an election, and leaves the log with an epoch
//!   of its own: election recorded, leader change appended, an interrupted transaction aborted, a first start's records there.
//! - [`Ledger::commit`] makes records one batch. When it returns they are on stable storage, decided by the quorum and in the
//!   image. After an error the image is as before; `Offline` is final.
//! - [`Ledger::snapshot_if_due`] writes a snapshot when the log has grown enough since the last, and trims the log to the
//!   older of the two that are kept.
//!
//! A no-op record every half second, as Kafka writes it for followers to see that the leader lives, is not written: nobody
//! follows.

use std::sync::Arc;

use net::wire::EncodeError;
use replication::quorum::{Do, Election, Quorum, QuorumError, Voter};
use storage::batch::{BatchBuilder, LeaderChange};
use storage::units::{Epoch, Offset, Timestamp};
use uuid::Uuid;

use super::refusal::Unwritten;
use crate::metadata::batch::{self, Entry, UnreadableLog};
use crate::metadata::directory::{DirectoryError, MetadataDirectory};
use crate::metadata::image::{
    GROUP_VERSION, Image, METADATA_VERSION, Position, Replay, ReplayError, SHARE_VERSION,
};
use crate::metadata::log::MetadataLog;
use crate::metadata::records::control::{KRaftVersionFeature, VoterEndpoint, VotersRecord};
use crate::metadata::records::{
    AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord,
    Record,
};
use crate::metadata::snapshot::{self, Snapshot, SnapshotId};

/// The `metadata.version` that is written and served: 4.3-IV0.
pub const SERVED_METADATA_VERSION: i16 = 30;
/// The highest level of `group.version` that is served, and the one of a new cluster.
pub const SERVED_GROUP_VERSION: i16 = 1;
/// Likewise of `share.version`.
pub const SERVED_SHARE_VERSION: i16 = 1;
/// The feature that numbers the quorum's own protocol, and its level here: voter sets stand in the log (KIP-853).
pub const KRAFT_VERSION: (&str, i16) = ("kraft.version", 1);
/// Bytes of the log that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Who this node is.
#[derive(Debug, Clone)]
pub struct Site {
    pub node_id: i32,
    pub cluster_id: String,
    /// The id of the directory that holds the metadata log.
    pub directory_id: Uuid,
    /// Where this controller can be reached, as the voter set says it.
    pub endpoints: Vec<VoterEndpoint>,
    pub snapshots: SnapshotRules,
}

/// When a snapshot is due.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotRules {
    /// Bytes of records since the last.
    pub bytes: u64,
    /// Milliseconds since the last, if there are new records; none is never.
    pub interval_ms: Option<u64>,
}

/// The quorum as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct QuorumView {
    pub leader: i32,
    pub epoch: Epoch,
    pub high_watermark: Offset,
    /// Of the leader's log.
    pub end: Offset,
    pub voters: Vec<crate::metadata::records::control::Voter>,
}

/// Why the metadata cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error("the metadata log cannot be read: {0}")]
    Read(String),
    #[error("the metadata log is damaged {0}")]
    Log(#[from] UnreadableLog),
    #[error("the metadata log's record {offset} cannot follow the others: {source}")]
    Replay { offset: Offset, source: ReplayError },
    #[error(
        "the metadata log begins at {start}, and no snapshot that can be read ends there or later"
    )]
    Gap { start: Offset },
    #[error(
        "the metadata log ends at {end}, before the snapshot that ends at {snapshot}: its last part is missing"
    )]
    Behind { end: Offset, snapshot: Offset },
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    #[error(
        "the directory was written with metadata.version {found}; this version serves {SERVED_METADATA_VERSION} only: change it with Kafka's \
         tools (kafka-features), then stop Kafka cleanly"
    )]
    Version { found: i16 },
    #[error("a record cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}

/// See the module.
pub struct Ledger<L> {
    log: L,
    directory: MetadataDirectory,
    quorum: Quorum,
    replay: Replay,
    voters: VotersRecord,
    rules: SnapshotRules,
    /// Bytes of the log that no snapshot covers.
    bytes_since: u64,
    snapshot_at: Timestamp,
}

impl<L: MetadataLog> Ledger<L> {
    pub async fn open(
        log: L,
        directory: MetadataDirectory,
        site: &Site,
        now: Timestamp,
    ) -> Result<Ledger<L>, LedgerError> {
        if log.end() == Offset(0) && directory.snapshots()?.is_empty() {
            format(&directory, site, now)?;
        }
        let state = Loaded::read(&log, &directory, site).await?;
        let voters = state.voters.unwrap_or_else(|| voter_set(site));
        let quorum = quorum(site, &voters, directory.election()?, state.epoch, log.end())?;
        let mut ledger = Ledger {
            log,
            directory,
            quorum,
            replay: state.replay,
            voters,
            rules: site.snapshots,
            bytes_since: state.bytes,
            snapshot_at: now,
        };
        ledger.elect(state.voters_in_log, now).await?;
        ledger.activate(now).await?;
        Ok(ledger)
    }

    /// What the log says, if a node could go on with it; nothing is written.
    pub async fn look(
        log: &L,
        directory: &MetadataDirectory,
        site: &Site,
    ) -> Result<Image, LedgerError> {
        let state = Loaded::read(log, directory, site).await?;
        let voters = state.voters.unwrap_or_else(|| voter_set(site));
        quorum(site, &voters, directory.election()?, state.epoch, log.end())?;
        let image = state.replay.image().clone();
        match image.feature(METADATA_VERSION) {
            0 | SERVED_METADATA_VERSION => Ok(image),
            found => Err(LedgerError::Version { found }),
        }
    }

    /// What counts, as of the last commit.
    pub fn image(&self) -> &Image {
        self.replay.image()
    }

    /// The offset that the next record will have.
    pub fn next_offset(&self) -> Offset {
        self.log.end()
    }

    pub fn epoch(&self) -> Epoch {
        self.quorum.election().epoch
    }

    pub fn quorum(&self) -> QuorumView {
        QuorumView {
            leader: self.quorum.me().id,
            epoch: self.epoch(),
            high_watermark: self.quorum.high_watermark(),
            end: self.log.end(),
            voters: self.voters.voters.clone(),
        }
    }

    pub fn into_log(self) -> L {
        self.log
    }

    /// Makes these records one batch of the log.
    pub async fn commit(
        &mut self,
        records: &[Record],
        now: Timestamp,
    ) -> Result<Arc<Image>, LedgerError> {
        let first = self.log.end();
        let mut replay = self.replay.clone();
        for (n, record) in (0..).zip(records) {
            let position = Position { offset: first + n, epoch: self.epoch(), timestamp_ms: now.0 };
            let applied = replay.apply(record, position);
            applied.map_err(|source| LedgerError::Replay { offset: position.offset, source })?;
        }
        self.append(batch::data(records, now)?).await?;
        self.replay = replay;
        Ok(Arc::new(self.image().clone()))
    }

    /// Writes a snapshot if one is due. Blocks while it is written.
    pub async fn snapshot_if_due(&mut self, now: Timestamp) -> Result<bool, LedgerError> {
        let waited = u64::try_from(now - self.snapshot_at).unwrap_or(0);
        let late = self.rules.interval_ms.is_some_and(|interval| waited >= interval);
        if self.bytes_since == 0 || self.replay.in_transaction() {
            return Ok(false);
        }
        if self.bytes_since < self.rules.bytes && !late {
            return Ok(false);
        }
        let id = SnapshotId::of(self.image().position());
        let bytes = snapshot::encode(self.image(), Some(&self.voters), now)?;
        self.directory.write_snapshot(id, &bytes)?;
        (self.bytes_since, self.snapshot_at) = (0, now);
        let oldest = self.directory.remove_old_snapshots()?;
        let oldest = oldest.map_or(Offset(0), |id| id.end);
        if oldest > self.log.start() {
            self.log.trim(oldest).await?;
        }
        tracing::info!(end = %id.end, epoch = %id.epoch, bytes = bytes.len(), log_start = %oldest, "metadata snapshot written");
        Ok(true)
    }

    /// Wins the election of a new epoch and opens it in the log.
    async fn elect(&mut self, voters_in_log: bool, now: Timestamp) -> Result<(), LedgerError> {
        let Do::Record(election) = self.quorum.start() else {
            unreachable!("an election is recorded before it is acted on")
        };
        self.directory.record_election(&election)?;
        let Do::Lead(epoch) = self.quorum.recorded() else {
            unreachable!("the one voter has a majority")
        };
        let voters: Vec<i32> = self.quorum.voters().map(|voter| voter.id).collect();
        let change = LeaderChange {
            leader: self.quorum.me().id,
            granting: vec![self.quorum.me().id],
            voters,
        };
        let mut opening = batch::leader_change(BatchBuilder::new(), &change, now);
        if !voters_in_log {
            opening = batch::voters(opening, &self.voters, now)?;
        }
        let first = self.log.end();
        self.quorum.appended(first);
        self.append(opening).await?;
        let last = self.log.end() - 1;
        self.replay.advance(Position { offset: last, epoch, timestamp_ms: now.0 });
        Ok(())
    }

    /// Brings the log into a state from which a controller can go on, as Kafka does.
    async fn activate(&mut self, now: Timestamp) -> Result<(), LedgerError> {
        let mut records: Vec<Record> = Vec::new();
        if self.replay.in_transaction() {
            let reason = Some("Controller failover".into());
            records.push(AbortTransactionRecord { reason }.into());
        }
        let version = self.image().feature(METADATA_VERSION);
        match version {
            0 => {
                records
                    .push(BeginTransactionRecord { name: Some("Bootstrap records".into()) }.into());
                records.extend(bootstrap_records());
                records.push(EndTransactionRecord {}.into());
            }
            SERVED_METADATA_VERSION => {}
            found => return Err(LedgerError::Version { found }),
        }
        if !records.is_empty() {
            self.commit(&records, now).await?;
        }
        Ok(())
    }

    async fn append(&mut self, builder: BatchBuilder) -> Result<(), LedgerError> {
        let count = i64::from(builder.count());
        let batch = builder.build();
        let end = self.log.end() + count;
        self.log.append(&batch, self.epoch()).await?;
        assert_eq!(self.log.end(), end, "every record has one offset, and nobody else appends");
        self.quorum.durable(self.quorum.me(), end);
        assert_eq!(self.quorum.high_watermark(), end, "what the one voter has is decided");
        self.bytes_since += batch.size() as u64;
        Ok(())
    }
}

/// What snapshot and log say together.
struct Loaded {
    replay: Replay,
    voters: Option<VotersRecord>,
    /// The log itself, or a snapshot that replaced a part of it, names the voters.
    voters_in_log: bool,
    /// Of the last record.
    epoch: Epoch,
    /// Read from the log.
    bytes: u64,
}

impl Loaded {
    async fn read<L: MetadataLog>(
        log: &L,
        directory: &MetadataDirectory,
        site: &Site,
    ) -> Result<Loaded, LedgerError> {
        let (id, snapshot) = newest(log, directory, site)?;
        if log.end() < id.end {
            return Err(LedgerError::Behind { end: log.end(), snapshot: id.end });
        }
        let mut loaded = Loaded {
            replay: Replay::new(snapshot.image),
            voters: snapshot.voters,
            voters_in_log: id.end > Offset(0),
            epoch: id.epoch,
            bytes: 0,
        };
        let mut next = id.end;
        while next < log.end() {
            let bytes = log.read(next, READ_BYTES).await.map_err(LedgerError::Read)?;
            loaded.bytes += bytes.len() as u64;
            let before = next;
            next = loaded.take(bytes, next)?;
            if next == before {
                return Err(LedgerError::Read(format!("nothing at offset {next}")));
            }
        }
        Ok(loaded)
    }

    /// Replays the records from `from` on; returns the offset after the last.
    fn take(&mut self, bytes: bytes::Bytes, from: Offset) -> Result<Offset, LedgerError> {
        let mut next = from;
        let mut failure = None;
        batch::read(bytes, from - 1, |position, entry| {
            // The first batch may begin before what the snapshot leaves over.
            if position.offset < from || failure.is_some() {
                return;
            }
            let applied = match &entry {
                Entry::Data(record) => self.replay.apply(record, position),
                _ => {
                    self.replay.advance(position);
                    Ok(())
                }
            };
            if let Err(source) = applied {
                failure = Some(LedgerError::Replay { offset: position.offset, source });
            }
            if let Entry::Voters(voters) = entry {
                (self.voters, self.voters_in_log) = (Some(voters), true);
            }
            (self.epoch, next) = (position.epoch, position.offset.next());
        })?;
        failure.map_or(Ok(next), Err)
    }
}

/// The newest snapshot that can be read and that the log reaches back to. Without one the log must begin at 0.
fn newest<L: MetadataLog>(
    log: &L,
    directory: &MetadataDirectory,
    site: &Site,
) -> Result<(SnapshotId, Snapshot), LedgerError> {
    for id in directory.snapshots()? {
        if id.end < log.start() {
            break;
        }
        match directory.read_snapshot(id, &site.cluster_id)? {
            Ok(snapshot) => return Ok((id, snapshot)),
            Err(error) => {
                tracing::error!(end = %id.end, %error, "a metadata snapshot is damaged; the one before it is taken");
            }
        }
    }
    if log.start() > Offset(0) {
        return Err(LedgerError::Gap { start: log.start() });
    }
    let image = Image::of_cluster(site.cluster_id.as_str());
    Ok((SnapshotId::BOOTSTRAP, Snapshot { image, voters: None }))
}

fn quorum(
    site: &Site,
    voters: &VotersRecord,
    election: Option<Election>,
    log_epoch: Epoch,
    log_end: Offset,
) -> Result<Quorum, QuorumError> {
    let me = Voter { id: site.node_id, directory: site.directory_id };
    let voter = |v: &crate::metadata::records::control::Voter| Voter {
        id: v.voter_id,
        directory: v.voter_directory_id,
    };
    let voters: Vec<Voter> = voters.voters.iter().map(voter).collect();
    Quorum::new(me, &voters, election.unwrap_or(Election::NONE), log_epoch, log_end)
}

/// The features that a new cluster has: only those that are served.
pub fn bootstrap_records() -> [Record; 3] {
    let level = |name: &'static str, feature_level| {
        FeatureLevelRecord { name: name.into(), feature_level }.into()
    };
    [
        level(METADATA_VERSION, SERVED_METADATA_VERSION),
        level(GROUP_VERSION, SERVED_GROUP_VERSION),
        level(SHARE_VERSION, SERVED_SHARE_VERSION),
    ]
}

/// Alone, this node is the voter.
fn voter_set(site: &Site) -> VotersRecord {
    let me = crate::metadata::records::control::Voter {
        voter_id: site.node_id,
        voter_directory_id: site.directory_id,
        endpoints: site.endpoints.clone(),
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: 1,
        },
    };
    VotersRecord { version: 0, voters: vec![me] }
}

/// Writes what `kafka-storage format --standalone` writes: the voter set as snapshot 0-0, the first records as
/// `bootstrap.checkpoint`.
fn format(directory: &MetadataDirectory, site: &Site, now: Timestamp) -> Result<(), LedgerError> {
    let epoch = SnapshotId::BOOTSTRAP.epoch;
    let records = bootstrap_records().into_iter();
    let bootstrap = snapshot::encode_records(records, None, 0, epoch, now)?;
    directory.write_bootstrap(&bootstrap)?;
    let voters = voter_set(site);
    let first = snapshot::encode_records(std::iter::empty(), Some(&voters), now.0, epoch, now)?;
    Ok(directory.write_snapshot(SnapshotId::BOOTSTRAP, &first)?)
}

#[cfg(test)]
pub(crate) mod tests;
