//! The process's limits of open files and of locked memory: raised to the hard limit, then checked.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// glommio refuses to make an executor below this, whoever asks. And a new kernel charges the rings of an executor (ours, glommio's three
/// and what they register) to the user: 200 to 450 KiB were measured.
const LOCKED_BYTES_PER_EXECUTOR: u64 = 512 << 10;
/// `CAP_IPC_LOCK`: whoever has it is not charged.
const MAY_LOCK: u32 = 14;
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
        "the limit of locked memory is {found} bytes, but the rings of {executors} executors need {needed}: raise it with `ulimit -l {}`, LimitMEMLOCK={needed} in a \
         systemd unit, or --ulimit memlock={needed} for docker", needed / 1024
    )]
    Locked { found: u64, needed: u64, executors: u64 },
}

/// What this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub files: u64,
    pub locked_bytes: u64,
    /// Whether the limit of locked memory does not hold for this process.
    pub may_lock: bool,
}

impl Limits {
    /// Raises both soft limits to their hard limits. What cannot be raised stays, and is judged by `check`.
    pub fn raise() -> Limits {
        Limits {
            files: raise(Resource::RLIMIT_NOFILE),
            locked_bytes: raise(Resource::RLIMIT_MEMLOCK),
            may_lock: has_capability(MAY_LOCK),
        }
    }

    pub fn check(&self, shards: u16) -> Result<(), LimitError> {
        let needed = FILES_OF_PROCESS + FILES_PER_SHARD * u64::from(shards);
        if self.files < needed {
            return Err(LimitError::Files { found: self.files, needed, shards });
        }
        // The controller has an executor of its own.
        let executors = if self.may_lock { 1 } else { u64::from(shards) + 1 };
        let needed = LOCKED_BYTES_PER_EXECUTOR * executors;
        if self.locked_bytes < needed {
            return Err(LimitError::Locked { found: self.locked_bytes, needed, executors });
        }
        Ok(())
    }
}

/// Of the effective set.
fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    bits >> number & 1 == 1
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
        let enough = Limits { files: 100_000, locked_bytes: 8 << 20, may_lock: false };
        assert_eq!(enough.check(2), Ok(()));
        let error = Limits { files: 1024, ..enough }.check(2).expect_err("too few").to_string();
        assert!(error.contains("ulimit -n 2456") && error.contains("LimitNOFILE=2456"), "{error}");
        let plain = Limits { locked_bytes: 1 << 20, ..enough };
        let error = plain.check(2).expect_err("too little").to_string();
        assert!(
            error.contains("3 executors need 1572864") && error.contains("ulimit -l 1536"),
            "{error}"
        );
        assert_eq!(plain.check(1), Ok(()));
        assert_eq!(Limits { may_lock: true, ..plain }.check(8), Ok(()));
        let error = Limits { locked_bytes: 65536, may_lock: true, ..enough }
            .check(8)
            .expect_err("too little");
        assert!(error.to_string().contains("LimitMEMLOCK=524288"), "{error}");
    }
}
