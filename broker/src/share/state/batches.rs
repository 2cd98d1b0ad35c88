//! What became of the records beyond a share partition's start offset, by ranges of offsets, and how such ranges are put together.

use std::collections::BinaryHeap;

use net::wire::Wire;

/// A range of offsets, its ends included, whose records are in the same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct StateBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    /// 0 available, 2 acknowledged, 4 archived.
    pub delivery_state: i8,
    /// How often they were delivered.
    pub delivery_count: i16,
}

impl StateBatch {
    /// What is known of a record only grows: it was delivered more often, or was done with.
    fn weight(&self) -> (i16, i8) {
        (self.delivery_count, self.delivery_state)
    }
}

/// The ranges of `known` and of `new` together, in order and without overlap. Where they overlap, what is further holds: the greater
/// delivery count, then the greater state. What lies below `start` (-1 for nowhere) falls away, and so does a range that is none.
pub fn combine(known: &[StateBatch], new: &[StateBatch], start: i64) -> Vec<StateBatch> {
    let from = if start == -1 { i64::MIN } else { start };
    let mut all: Vec<StateBatch> = known.iter().chain(new).copied().collect();
    all.retain_mut(|batch| {
        batch.first_offset = batch.first_offset.max(from);
        batch.first_offset <= batch.last_offset
    });
    all.sort_by_key(|batch| batch.first_offset);
    // Between two neighbours of these nothing changes.
    let ends = |batch: &StateBatch| [Some(batch.first_offset), batch.last_offset.checked_add(1)];
    let mut edges: Vec<i64> = all.iter().flat_map(ends).flatten().collect();
    edges.sort_unstable();
    edges.dedup();
    let mut coming = all.into_iter().peekable();
    let mut open = BinaryHeap::new();
    let mut combined: Vec<StateBatch> = Vec::with_capacity(edges.len());
    for (index, first) in edges.iter().enumerate() {
        while let Some(batch) = coming.next_if(|batch| batch.first_offset <= *first) {
            open.push((batch.weight(), batch.last_offset));
        }
        while open.peek().is_some_and(|(_, last)| last < first) {
            open.pop();
        }
        let Some(&((delivery_count, delivery_state), _)) = open.peek() else { continue };
        // Only what reaches to the last offset of all has no edge behind it.
        let last_offset = edges.get(index + 1).map_or(i64::MAX, |next| next - 1);
        let first_offset = *first;
        append(
            &mut combined,
            StateBatch { first_offset, last_offset, delivery_state, delivery_count },
        );
    }
    combined
}

/// Ranges that adjoin and are in the same state are one.
fn append(combined: &mut Vec<StateBatch>, batch: StateBatch) {
    match combined.last_mut() {
        Some(before)
            if before.weight() == batch.weight()
                && before.last_offset.checked_add(1) == Some(batch.first_offset) =>
        {
            before.last_offset = batch.last_offset;
        }
        _ => combined.push(batch),
    }
}

#[cfg(test)]
mod tests;
