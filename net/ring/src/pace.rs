//! How many completions a turn waits for.
//!
//! A turn costs a system call, a group of the commit log and a send, whether it serves one request or ten. So where
//! waits have lately ended with several completions at once, as they do under load, the next one is given a little time to gather
//! more of them, as network cards moderate their interrupts. Where they end with one, as for a client that asks one thing after
//! another, a wait ends with the first.

use std::cell::Cell;

/// Waits that the average remembers.
const MEMORY: u64 = 16;
/// The average, times `MEMORY`, from which on a wait gathers: one completion and a half.
const GATHER_FROM: u64 = MEMORY * 3 / 2;
/// A wait that gathers ends with so many completions, or after so long with any.
const GATHER: usize = 16;
const GATHER_US: u32 = 100;

/// What the last waits were like.
pub(crate) struct Pace {
    /// The kernel can be told to gather (Linux 6.12).
    can_gather: bool,
    /// Completions of a wait, on average, times `MEMORY`.
    average: Cell<u64>,
}

impl Pace {
    pub(crate) fn new(can_gather: bool) -> Pace {
        Pace { can_gather, average: Cell::new(0) }
    }

    /// A wait ended with so many completions.
    pub(crate) fn waited(&self, completions: u64) {
        let average = self.average.get();
        self.average.set(average + completions - average / MEMORY);
    }

    /// For how many completions the next wait waits, and for how many microseconds: after that, for one.
    pub(crate) fn next_wait(&self) -> (usize, u32) {
        if self.can_gather && self.average.get() >= GATHER_FROM {
            (GATHER, GATHER_US)
        } else {
            (1, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_where_completions_come_in_company() {
        for (completions, kernel, expected) in [
            (&[1][..], true, (1, 0)),
            (&[1, 2], true, (GATHER, GATHER_US)),
            (&[3], true, (GATHER, GATHER_US)),
            (&[3], false, (1, 0)),
            (&[0, 1], true, (1, 0)),
        ] {
            let pace = Pace::new(kernel);
            completions.iter().cycle().take(400).for_each(|count| pace.waited(*count));
            assert_eq!(pace.next_wait(), expected, "{completions:?}, {kernel}");
        }
    }
}
