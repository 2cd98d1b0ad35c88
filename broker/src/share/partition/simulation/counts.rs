//! What the seeds have used.

#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) acquired: usize,
    pub(super) again: usize,
    pub(super) acknowledged: usize,
    pub(super) refused: usize,
    pub(super) expired: usize,
    pub(super) failed: usize,
    pub(super) crashes: usize,
    pub(super) archived_at_limit: usize,
    pub(super) renewed: usize,
    /// Writes of several changes.
    pub(super) together: usize,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        let other = other.all();
        for (count, more) in self.all_mut().into_iter().zip(other) {
            *count += more;
        }
    }

    pub(super) fn all(&self) -> [usize; 10] {
        let Counts {
            acquired,
            again,
            acknowledged,
            refused,
            expired,
            failed,
            crashes,
            archived_at_limit,
            renewed,
            together,
        } = *self;
        [
            acquired,
            again,
            acknowledged,
            refused,
            expired,
            failed,
            crashes,
            archived_at_limit,
            renewed,
            together,
        ]
    }

    fn all_mut(&mut self) -> [&mut usize; 10] {
        let Counts {
            acquired,
            again,
            acknowledged,
            refused,
            expired,
            failed,
            crashes,
            archived_at_limit,
            renewed,
            together,
        } = self;
        [
            acquired,
            again,
            acknowledged,
            refused,
            expired,
            failed,
            crashes,
            archived_at_limit,
            renewed,
            together,
        ]
    }
}
