//! The process's limits of open files and of locked memory: raised to the hard limit, then checked.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// glommio refuses to make an executor below this.
const LOCKED_BYTES_MIN: u64 = 512 << 10;
/// Segment files that a shard's store keeps open, and some connections.
const FILES_PER_SHARD: u64 = 1100;
/// Log files, sockets of the process, standard streams.
const FILES_OF_PROCESS: u64 = 256;

/// A limit that is too low, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    #[error(
        "the limit of open files is {found}, but {shards} shards need {needed}: raise it with `ulimit -n {needed}` (as root \
         `ulimit -Hn`), LimitNOFILE={needed} in a systemd unit, or --ulimit nofile={needed} for docker"
    )]
    Files { found: u64, needed: u64, shards: u16 },
    #[error(
        "the limit of locked memory is {found} bytes, but io_uring needs {needed}: raise it with `ulimit -l {}`, LimitMEMLOCK={needed} in a \
         systemd unit, or --ulimit memlock={needed} for docker", needed / 1024
    )]
    Locked { found: u64, needed: u64 },
}

/// What this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub files: u64,
    pub locked_bytes: u64,
}

impl Limits {
    /// Raises both soft limits to their hard limits. What cannot be raised stays, and is judged by `check`.
    pub fn raise() -> Limits {
        Limits {
            files: raise(Resource::RLIMIT_NOFILE),
            locked_bytes: raise(Resource::RLIMIT_MEMLOCK),
        }
    }

    pub fn check(&self, shards: u16) -> Result<(), LimitError> {
        let needed = FILES_OF_PROCESS + FILES_PER_SHARD * u64::from(shards);
        if self.files < needed {
            return Err(LimitError::Files { found: self.files, needed, shards });
        }
        if self.locked_bytes < LOCKED_BYTES_MIN {
            return Err(LimitError::Locked { found: self.locked_bytes, needed: LOCKED_BYTES_MIN });
        }
        Ok(())
    }
}

fn raise(resource: Resource) -> u64 {
    let Ok((soft, hard)) = getrlimit(resource) else { return u64::MAX };
    match soft < hard && setrlimit(resource, hard, hard).is_ok() {
        true => hard,
        false => soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_low_limits_are_refused_with_the_fix() {
        let enough = Limits { files: 100_000, locked_bytes: 8 << 20 };
        assert_eq!(enough.check(2), Ok(()));
        let error = Limits { files: 1024, ..enough }.check(2).expect_err("too few").to_string();
        assert!(error.contains("ulimit -n 2456") && error.contains("LimitNOFILE=2456"), "{error}");
        let error =
            Limits { locked_bytes: 65536, ..enough }.check(2).expect_err("too little").to_string();
        assert!(
            error.contains("ulimit -l 512") && error.contains("LimitMEMLOCK=524288"),
            "{error}"
        );
    }
}
