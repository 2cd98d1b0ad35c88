//! `quorum-state`: what a voter must not forget between starts, in Kafka's JSON.
//!
//! ```text
//! {"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}
//! ```
//! Version 1 belongs to voters that the log names (`kraft.version` 1); version 0 has no directory, and names the cluster and
//! the voters instead. Both are read, 1 is written.

use replication::quorum::{Election, Voter};
use serde::{Deserialize, Serialize};
use storage::units::{Epoch, TopicId};
use uuid::Uuid;

/// The file's name.
pub const FILE: &str = "quorum-state";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuorumState {
    leader_id: i32,
    leader_epoch: i32,
    voted_id: i32,
    #[serde(default = "nil")]
    voted_directory_id: String,
    #[serde(rename = "data_version")]
    data_version: i16,
}

fn nil() -> String {
    text(Uuid::nil())
}

/// Kafka's text of an id.
fn text(id: Uuid) -> String {
    TopicId(id).to_string()
}

/// The file's content.
pub fn encode(election: &Election) -> String {
    let state = QuorumState {
        leader_id: election.leader.unwrap_or(-1),
        leader_epoch: election.epoch.0,
        voted_id: election.voted.map_or(-1, |voter| voter.id),
        voted_directory_id: text(election.voted.map_or(Uuid::nil(), |voter| voter.directory)),
        data_version: 1,
    };
    serde_json::to_string(&state).unwrap_or_else(|error| unreachable!("five plain fields: {error}"))
}

/// Reads the file's content.
pub fn decode(content: &str) -> Result<Election, serde_json::Error> {
    let state: QuorumState = serde_json::from_str(content)?;
    let some = |id: i32| (id >= 0).then_some(id);
    let directory = TopicId::parse(&state.voted_directory_id).map_or(Uuid::nil(), |id| id.0);
    Ok(Election {
        epoch: Epoch(state.leader_epoch),
        leader: some(state.leader_id),
        voted: some(state.voted_id).map(|id| Voter { id, directory }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_file_reads_and_is_written_again() {
        let kafkas = r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
        let election = Election { epoch: Epoch(1), leader: Some(1), voted: None };
        assert_eq!(decode(kafkas).unwrap(), election);
        assert_eq!(encode(&election), kafkas);
    }

    #[test]
    fn a_vote_and_a_static_quorums_file_read() {
        let voted = Election {
            epoch: Epoch(7),
            leader: None,
            voted: Some(Voter { id: 3, directory: Uuid::from_u128(99) }),
        };
        assert_eq!(decode(&encode(&voted)).unwrap(), voted);
        let kafkas = r#"{"clusterId":"","leaderId":-1,"leaderEpoch":4,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;
        let expected = Election {
            epoch: Epoch(4),
            leader: None,
            voted: Some(Voter { id: 2, directory: Uuid::nil() }),
        };
        assert_eq!(decode(kafkas).unwrap(), expected);
        assert!(decode("{}").is_err());
    }
}
