//! The quorum of the metadata log: KRaft's state machine (KIP-595, KIP-853) for the voters it is given.
//!
//! It is driven: each input returns what to do next, and that must be done before the next input. A leader's life is
//! ```text
//! start ──> Do::Record(election) ──recorded()──> Do::Lead(epoch) ──appended(end)──> (records) ──durable(end)──> high watermark
//! ```
//! - An election is **recorded durably before anything is appended under its epoch**; otherwise a voter that comes back could
//!   elect somebody else, or itself twice, for the same epoch.
//! - A voter votes for itself at the epoch after the largest it has seen, in its record or in its log. When its own vote is a
//!   majority it leads at once, without a round of requests.
//! - The high watermark is the offset that a majority has on stable storage, once that lies behind the leader's first record.
//!
//! Today's only sets have one voter: larger ones are refused by `Quorum::new`, since the vote requests that they need are
//! not there. The rules for majorities and marks are written for any size.

use std::collections::BTreeMap;

use storage::units::{Epoch, Offset};
use uuid::Uuid;

/// A voter: a node with the directory that holds its log. Another directory is another voter (KIP-853).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Voter {
    pub id: i32,
    /// Nil in a static quorum, which does not know directories.
    pub directory: Uuid,
}

/// What a voter must never forget: `quorum-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Election {
    pub epoch: Epoch,
    /// Who leads the epoch, if known.
    pub leader: Option<i32>,
    /// Whom this voter gave its vote in the epoch.
    pub voted: Option<Voter>,
}

impl Election {
    /// Before the first election.
    pub const NONE: Election = Election { epoch: Epoch(0), leader: None, voted: None };
}

/// Why there can be no quorum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    #[error(
        "node {me} with directory {directory} is not among the voters of the metadata log ({voters:?}): the directory is another node's, or was replaced"
    )]
    NotVoter { me: i32, directory: Uuid, voters: Vec<i32> },
    #[error(
        "the metadata log has the voters {voters:?}: a quorum of more than one is not served yet"
    )]
    Several { voters: Vec<i32> },
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// Make this durable, then call `recorded`.
    Record(Election),
    /// Append the epoch's first batch (the leader change), then call `appended`.
    Lead(Epoch),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// Not started.
    Resigned,
    /// The vote is being recorded.
    Candidate,
    /// Leads; `first` is the offset of the epoch's first record once that is appended.
    Leader { first: Option<Offset> },
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Quorum {
    me: Voter,
    /// What each voter is known to have on stable storage, exclusive.
    ends: BTreeMap<Voter, Offset>,
    election: Election,
    role: Role,
    high_watermark: Offset,
}

impl Quorum {
    /// A voter that comes back with its record of elections and its log, which ends before `log_end` and whose last
    /// record is of `log_epoch`.
    pub fn new(
        me: Voter,
        voters: &[Voter],
        election: Election,
        log_epoch: Epoch,
        log_end: Offset,
    ) -> Result<Quorum, QuorumError> {
        let ids = || voters.iter().map(|voter| voter.id).collect();
        if !voters.contains(&me) {
            return Err(QuorumError::NotVoter {
                me: me.id,
                directory: me.directory,
                voters: ids(),
            });
        }
        if voters.len() > 1 {
            return Err(QuorumError::Several { voters: ids() });
        }
        // A record of elections that was lost must not lead to an epoch that the log has seen.
        let seen = if log_epoch > election.epoch {
            Election { epoch: log_epoch, leader: None, voted: None }
        } else {
            election
        };
        let mut ends: BTreeMap<Voter, Offset> = voters.iter().map(|v| (*v, Offset(0))).collect();
        ends.insert(me, log_end);
        Ok(Quorum { me, ends, election: seen, role: Role::Resigned, high_watermark: Offset(0) })
    }

    /// Stands for election.
    pub fn start(&mut self) -> Do {
        assert_eq!(self.role, Role::Resigned, "a voter stands once per start");
        let epoch = self.election.epoch.next();
        let votes = 1;
        // The record of a vote that wins at once and that of the leadership are one.
        let won = votes >= majority(self.ends.len());
        self.role = Role::Candidate;
        self.election = if won {
            Election { epoch, leader: Some(self.me.id), voted: None }
        } else {
            Election { epoch, leader: None, voted: Some(self.me) }
        };
        Do::Record(self.election)
    }

    /// The election is on stable storage.
    pub fn recorded(&mut self) -> Do {
        assert_eq!(self.role, Role::Candidate, "nothing was to be recorded");
        assert_eq!(self.election.leader, Some(self.me.id), "one vote elects in a set of one");
        self.role = Role::Leader { first: None };
        Do::Lead(self.election.epoch)
    }

    /// The epoch's first batch was appended and begins at `first`. It need not be durable.
    pub fn appended(&mut self, first: Offset) {
        assert_eq!(self.role, Role::Leader { first: None }, "a leader's epoch begins once");
        self.role = Role::Leader { first: Some(first) };
    }

    /// A voter has everything before `end` on stable storage. Returns the high watermark if that moved it.
    pub fn durable(&mut self, voter: Voter, end: Offset) -> Option<Offset> {
        let known = self.ends.get_mut(&voter)?;
        *known = end.max(*known);
        let Role::Leader { first: Some(first) } = self.role else { return None };
        let agreed = agreed(self.ends.values().copied());
        if agreed <= first || agreed <= self.high_watermark {
            return None;
        }
        self.high_watermark = agreed;
        Some(agreed)
    }

    /// Everything before it is decided.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn election(&self) -> Election {
        self.election
    }

    pub fn me(&self) -> Voter {
        self.me
    }

    pub fn voters(&self) -> impl Iterator<Item = Voter> {
        self.ends.keys().copied()
    }

    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }
}

/// How many of `voters` decide.
fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// The largest offset that a majority has reached.
fn agreed(ends: impl Iterator<Item = Offset>) -> Offset {
    let mut ends: Vec<Offset> = ends.collect();
    ends.sort_unstable_by(|a, b| b.cmp(a));
    ends[majority(ends.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Voter = Voter { id: 1, directory: Uuid::from_u128(7) };

    fn quorum(election: Election, log_epoch: i32, end: i64) -> Quorum {
        Quorum::new(ME, &[ME], election, Epoch(log_epoch), Offset(end)).unwrap()
    }

    #[test]
    fn one_voter_elects_itself() {
        let mut quorum = quorum(Election::NONE, 0, 0);
        let won = Election { epoch: Epoch(1), leader: Some(1), voted: None };
        assert_eq!(quorum.start(), Do::Record(won));
        assert!(!quorum.leads());
        assert_eq!(quorum.recorded(), Do::Lead(Epoch(1)));
        assert!(quorum.leads());
        quorum.appended(Offset(0));
        assert_eq!(quorum.durable(ME, Offset(3)), Some(Offset(3)));
        assert_eq!(quorum.durable(ME, Offset(3)), None);
        assert_eq!(quorum.durable(ME, Offset(2)), None);
        assert_eq!(quorum.high_watermark(), Offset(3));
    }

    #[test]
    fn the_epoch_is_above_all_that_was_seen() {
        for (recorded, log, expected) in [(0, 0, 1), (4, 4, 5), (5, 4, 6), (0, 7, 8), (3, 7, 8)] {
            let election = Election { epoch: Epoch(recorded), leader: Some(1), voted: None };
            let Do::Record(next) = quorum(election, log, 10).start() else { panic!("no record") };
            assert_eq!(next.epoch, Epoch(expected), "recorded {recorded}, log {log}");
        }
    }

    #[test]
    fn an_old_end_does_not_count_before_the_epochs_first_record() {
        let mut quorum = quorum(Election::NONE, 1, 10);
        quorum.start();
        quorum.recorded();
        assert_eq!(quorum.durable(ME, Offset(10)), None);
        quorum.appended(Offset(10));
        assert_eq!(quorum.durable(ME, Offset(10)), None);
        assert_eq!(quorum.durable(ME, Offset(11)), Some(Offset(11)));
    }

    #[test]
    fn a_majority_decides() {
        let check = |ends: &[i64], expected: i64| {
            assert_eq!(agreed(ends.iter().map(|end| Offset(*end))), Offset(expected), "{ends:?}");
        };
        check(&[5], 5);
        check(&[5, 9], 5);
        check(&[5, 9, 7], 7);
        check(&[5, 9, 7, 8], 7);
        check(&[0, 0, 7, 8, 9], 7);
    }

    #[test]
    fn strangers_and_larger_sets_are_refused() {
        let other = Voter { id: 2, directory: Uuid::from_u128(8) };
        let moved = Voter { id: 1, directory: Uuid::from_u128(9) };
        let new = |voters: &[Voter]| Quorum::new(ME, voters, Election::NONE, Epoch(0), Offset(0));
        assert!(matches!(new(&[other]), Err(QuorumError::NotVoter { .. })));
        assert!(matches!(new(&[moved]), Err(QuorumError::NotVoter { .. })));
        assert!(matches!(new(&[ME, other]), Err(QuorumError::Several { .. })));
    }
}
