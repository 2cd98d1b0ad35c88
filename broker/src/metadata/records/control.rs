//! Bodies of the control records in `__cluster_metadata-0` and its snapshots. Unlike data records they carry no frame:
//! the record's key names the type, the body begins with an i16 version.

use bytestring::ByteString;
use net::wire::Wire;
use uuid::Uuid;

/// Opens an epoch: who leads and who voted for it.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct LeaderChangeMessage {
    pub version: i16,
    pub leader_id: i32,
    pub voters: Vec<LeaderVoter>,
    pub granting_voters: Vec<LeaderVoter>,
}

/// A voter as a leader change names it.
#[derive(Debug, Clone, PartialEq, Wire)]
pub struct LeaderVoter {
    pub voter_id: i32,
    #[wire(versions = "1+")]
    pub voter_directory_id: Uuid,
}

/// Opens a snapshot.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct SnapshotHeaderRecord {
    pub version: i16,
    pub last_contained_log_timestamp: i64,
}

/// Ends a snapshot: without it the file is not whole.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct SnapshotFooterRecord {
    pub version: i16,
}

/// Whether voters are static (0) or in the log (1, KIP-853).
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct KRaftVersionRecord {
    pub version: i16,
    pub kraft_version: i16,
}

/// The voter set.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct VotersRecord {
    pub version: i16,
    pub voters: Vec<Voter>,
}

/// A voter, with the directory that makes it this voter and no other.
#[derive(Debug, Clone, PartialEq, Wire)]
pub struct Voter {
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
    pub endpoints: Vec<VoterEndpoint>,
    pub kraft_version_feature: KRaftVersionFeature,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct VoterEndpoint {
    pub name: ByteString,
    pub host: ByteString,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct KRaftVersionFeature {
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}
