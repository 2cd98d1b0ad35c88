//! How often what happens to a world happened, over all seeds.

/// How often things happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub generations: usize,
    pub commits: usize,
    pub crashes: usize,
    pub refused_appends: usize,
    pub replaced: usize,
    pub deleted_groups: usize,
    pub deleted_offsets: usize,
    pub expired: usize,
    pub lost_answers: usize,
    /// Steps of members of consumer groups.
    pub steps: usize,
    pub upgrades: usize,
    pub downgrades: usize,
    pub grown: usize,
}

impl Counts {
    fn all(&mut self) -> [&mut usize; 13] {
        [
            &mut self.generations,
            &mut self.commits,
            &mut self.crashes,
            &mut self.refused_appends,
            &mut self.replaced,
            &mut self.deleted_groups,
            &mut self.deleted_offsets,
            &mut self.expired,
            &mut self.lost_answers,
            &mut self.steps,
            &mut self.upgrades,
            &mut self.downgrades,
            &mut self.grown,
        ]
    }

    pub(super) fn add(&mut self, other: &Counts) {
        let mut other = other.clone();
        for (ours, theirs) in self.all().into_iter().zip(other.all()) {
            *ours += *theirs;
        }
    }

    pub(super) fn is_everything_used(&self) -> bool {
        self.clone().all().into_iter().all(|count| *count > 0)
    }
}
