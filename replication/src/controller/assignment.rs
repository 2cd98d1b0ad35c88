//! Assignments that a client wrote down itself: which brokers hold which partition.

use std::collections::BTreeMap;

/// Why an assignment cannot be. The texts are Kafka's: its tools print them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    #[error("Found multiple manual partition assignments for partition {0}")]
    Duplicate(i32),
    #[error("The manual partition assignment includes an empty replica list.")]
    Empty,
    #[error(
        "The manual partition assignment includes broker {0}, but no such broker is registered."
    )]
    Unregistered(i32),
    #[error("The manual partition assignment includes the broker {0} more than once.")]
    Repeated(i32),
    #[error(
        "The manual partition assignment includes a partition with {found} replica(s), but this is not consistent with previous partitions, which have {expected} replica(s)."
    )]
    Inconsistent { found: usize, expected: usize },
    #[error(
        "All brokers specified in the manual partition assignment for partition {0} are fenced or in controlled shutdown."
    )]
    AllFenced(i32),
    #[error("partitions should be a consecutive 0-based integer sequence")]
    Gap,
}

/// A partition that is assigned: its replicas as given, and those of them that can be in sync from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
}

/// Checks the assignments of a new topic, in their order, and returns them by partition from 0. `broker` says of an id
/// whether it is registered, and then whether it is active (neither fenced nor shutting down).
pub fn check<'a>(
    assignments: impl Iterator<Item = (i32, &'a [i32])>,
    broker: impl Fn(i32) -> Option<bool>,
) -> Result<Vec<Assigned>, AssignmentError> {
    let mut assigned: BTreeMap<i32, Assigned> = BTreeMap::new();
    let mut factor = None;
    for (partition, replicas) in assignments {
        if assigned.contains_key(&partition) {
            return Err(AssignmentError::Duplicate(partition));
        }
        check_replicas(replicas, factor, &broker)?;
        factor = Some(replicas.len());
        let active = |id: &i32| broker(*id) == Some(true);
        let isr: Vec<i32> = replicas.iter().copied().filter(active).collect();
        if isr.is_empty() {
            return Err(AssignmentError::AllFenced(partition));
        }
        assigned.insert(partition, Assigned { replicas: replicas.to_vec(), isr });
    }
    if assigned.keys().copied().zip(0..).any(|(partition, expected)| partition != expected) {
        return Err(AssignmentError::Gap);
    }
    Ok(assigned.into_values().collect())
}

/// Checks the replicas of one partition, `factor` of them if that is known; `broker` as in [`check`].
pub fn check_replicas(
    replicas: &[i32],
    factor: Option<usize>,
    broker: &impl Fn(i32) -> Option<bool>,
) -> Result<(), AssignmentError> {
    if replicas.is_empty() {
        return Err(AssignmentError::Empty);
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for id in sorted {
        if broker(id).is_none() {
            return Err(AssignmentError::Unregistered(id));
        }
        if previous == Some(id) {
            return Err(AssignmentError::Repeated(id));
        }
        previous = Some(id);
    }
    match factor {
        Some(expected) if expected != replicas.len() => {
            Err(AssignmentError::Inconsistent { found: replicas.len(), expected })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brokers 1 and 2 are active, 3 is fenced.
    fn run(assignments: &[(i32, &[i32])]) -> Result<Vec<Assigned>, AssignmentError> {
        check(assignments.iter().copied(), |id| match id {
            1 | 2 => Some(true),
            3 => Some(false),
            _ => None,
        })
    }

    #[test]
    fn good_ones_come_back_by_partition() {
        let assigned = |replicas: &[i32], isr: &[i32]| Assigned {
            replicas: replicas.to_vec(),
            isr: isr.to_vec(),
        };
        assert_eq!(
            run(&[(1, &[3, 1]), (0, &[2, 1])]),
            Ok(vec![assigned(&[2, 1], &[2, 1]), assigned(&[3, 1], &[1])])
        );
    }

    #[test]
    fn bad_ones_say_why() {
        use AssignmentError::*;
        let check = |assignments: &[(i32, &[i32])], expected: AssignmentError| {
            assert_eq!(run(assignments), Err(expected), "{assignments:?}");
        };
        check(&[(0, &[1]), (0, &[2])], Duplicate(0));
        check(&[(0, &[])], Empty);
        check(&[(0, &[1, 7])], Unregistered(7));
        check(&[(0, &[1, 2, 1])], Repeated(1));
        check(&[(0, &[1, 2]), (1, &[1])], Inconsistent { found: 1, expected: 2 });
        check(&[(0, &[3])], AllFenced(0));
        check(&[(0, &[1]), (2, &[1])], Gap);
        check(&[(1, &[1])], Gap);
    }
}
