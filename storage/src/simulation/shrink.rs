//! Finds a small run that fails, given one that does: with fewer lives, topics and kinds of operations, and fewer steps in each life.

use super::judge;
use super::scope::{Part, Scope};

/// Other random numbers that are tried for each smaller run.
const SALTS: u64 = 24;

/// The smallest that was found, and what fails in it; none if the seed does not fail.
pub(super) fn shrink(scope: Scope) -> Option<(Scope, String)> {
    let mut failure = judge(&scope).failure?;
    let mut smallest = scope;
    loop {
        let smaller = candidates(&smallest).into_iter().find_map(|candidate| {
            let salted = (smallest.salt..smallest.salt + SALTS)
                .map(|salt| Scope { salt, ..candidate.clone() });
            salted.into_iter().find_map(|scope| Some((judge(&scope).failure?, scope)))
        });
        match smaller {
            Some((what, scope)) => (failure, smallest) = (what, scope),
            None => return Some((smallest, failure)),
        }
    }
}

/// Smaller runs, the smallest first.
fn candidates(scope: &Scope) -> Vec<Scope> {
    let mut candidates = Vec::new();
    for lives in [1, 2, 3, 5, 8].into_iter().filter(|lives| *lives < scope.lives) {
        candidates.push(Scope { lives, ..scope.clone() });
    }
    for topics in [1, 2, 3].into_iter().filter(|topics| *topics < scope.topics) {
        candidates.push(Scope { topics, ..scope.clone() });
    }
    candidates.extend(Part::ALL.into_iter().filter_map(|part| scope.without(part)));
    for steps in [100, 200, 400, 800, 1600, 3200].into_iter().filter(|steps| *steps < scope.steps) {
        candidates.push(Scope { steps, ..scope.clone() });
    }
    candidates
}
