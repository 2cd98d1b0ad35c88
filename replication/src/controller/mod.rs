//! What a controller decides about partitions, apart from any log: where new replicas go (`placement`), and whether an
//! assignment that a client made up can be (`assignment`).

pub mod assignment;
pub mod placement;
