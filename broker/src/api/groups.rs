//! The parts of a request by the shard that owns them, each with its place in the answer.

/// What one owner is asked.
pub(super) struct Group<P> {
    pub owner: usize,
    pub parts: Vec<P>,
    /// (topic, partition) indices into the response, one a part.
    pub places: Vec<(usize, usize)>,
}

/// One group an owner, in the order in which the request names them.
pub(super) struct Groups<P>(Vec<Group<P>>);

impl<P> Groups<P> {
    pub(super) fn new() -> Groups<P> {
        Groups(Vec::new())
    }

    pub(super) fn add(&mut self, owner: usize, part: P, place: (usize, usize)) {
        let at = self.0.iter().position(|group| group.owner == owner).unwrap_or_else(|| {
            self.0.push(Group { owner, parts: Vec::new(), places: Vec::new() });
            self.0.len() - 1
        });
        self.0[at].parts.push(part);
        self.0[at].places.push(place);
    }

    /// Takes the group of `owner` out; empty if there is none.
    pub(super) fn take(&mut self, owner: usize) -> Group<P> {
        match self.0.iter().position(|group| group.owner == owner) {
            Some(at) => self.0.swap_remove(at),
            None => Group { owner, parts: Vec::new(), places: Vec::new() },
        }
    }
}

impl<P> IntoIterator for Groups<P> {
    type Item = Group<P>;
    type IntoIter = std::vec::IntoIter<Group<P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
