//! Topic names that would collide as names of metrics, where '.' becomes '_'. What a name may be at all: `topic_name`.

/// Can the name collide with another?
pub(super) fn may_collide(name: &str) -> bool {
    name.contains(['.', '_'])
}

/// What colliding names have in common.
pub(super) fn unified(name: &str) -> String {
    name.replace('.', "_")
}
