//! Whether the kernel gives us the io_uring that the shards need, and if not, who takes it away.

use std::fs;

use ring::support::{self, Unsupported};

/// No usable io_uring, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KernelError(String);

/// What the kernel says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As in `uname -r`.
    pub release: String,
    /// `kernel.io_uring_disabled`: 0 for everyone, 1 for a group and the privileged, 2 for nobody. `None` where there is no such switch.
    pub disabled: Option<u8>,
}

/// Tries a ring.
pub(super) fn check() -> Result<(), KernelError> {
    support::check().map_err(|error| Kernel::ask().explain(&error))
}

impl Kernel {
    fn ask() -> Kernel {
        let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        Kernel {
            release: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
            disabled: read("/proc/sys/kernel/io_uring_disabled").and_then(|text| text.parse().ok()),
        }
    }

    /// What the failure means on this kernel.
    pub fn explain(&self, error: &Unsupported) -> KernelError {
        let release = &self.release;
        KernelError(match (error, self.disabled) {
            (Unsupported::Forbidden, Some(2)) => {
                "io_uring is disabled on this machine: `sysctl -w kernel.io_uring_disabled=0` enables it".to_owned()
            }
            (Unsupported::Forbidden, Some(1)) => "io_uring is only for the group kernel.io_uring_group and for CAP_SYS_ADMIN on this \
                 machine: `sysctl -w kernel.io_uring_disabled=0`, or `sysctl -w kernel.io_uring_group=<gid>` with a group of this user"
                .to_owned(),
            (Unsupported::Forbidden | Unsupported::Absent, _) => format!(
                "io_uring is not available to this process (Linux {release}): a seccomp filter forbids it, as containers' default \
                 profiles do, or the kernel is built without it. Allow io_uring_setup, io_uring_enter and io_uring_register (docker: \
                 --security-opt seccomp=<profile that has them, or unconfined>), or use a kernel with CONFIG_IO_URING"
            ),
            (Unsupported::Flags, _) => format!(
                "the kernel is too old: io_uring of Linux {release} lacks single issuer and deferred task work. Use Linux 6.9 or later"
            ),
            (Unsupported::Operations(missing), _) => format!(
                "the kernel is too old: io_uring of Linux {release} lacks {}. Use Linux 6.9 or later",
                missing.join(", ")
            ),
            (Unsupported::Memory, _) => format!(
                "there is no memory for io_uring (Linux {release}): raise the limit of locked memory (`ulimit -l unlimited`, \
                 LimitMEMLOCK=infinity) or the cgroup's memory"
            ),
            (Unsupported::Other(error), _) => format!("io_uring cannot be set up on Linux {release}: {error}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_to_do() {
        for (error, disabled, words) in [
            (Unsupported::Forbidden, Some(2), "sysctl -w kernel.io_uring_disabled=0"),
            (Unsupported::Forbidden, Some(1), "kernel.io_uring_group"),
            (Unsupported::Forbidden, Some(0), "--security-opt seccomp="),
            (Unsupported::Forbidden, None, "--security-opt seccomp="),
            (Unsupported::Absent, Some(0), "CONFIG_IO_URING"),
            (Unsupported::Flags, None, "Use Linux 6.9 or later"),
            (Unsupported::Operations(vec!["FTRUNCATE (Linux 6.9)"]), None, "lacks FTRUNCATE"),
            (Unsupported::Memory, None, "LimitMEMLOCK=infinity"),
        ] {
            let text = Kernel { release: "5.4.0".into(), disabled }.explain(&error).to_string();
            assert!(text.contains(words), "{text}");
        }
    }
}
