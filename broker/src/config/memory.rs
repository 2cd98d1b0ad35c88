//! How much memory there is, and how a shard divides its share.
//!
//! `odradek.memory` covers what grows with load: the tail cache (bytes not yet in a segment, and bytes kept for readers), the
//! cleaner's map of keys, and the receive buffers. Everything that divides it is here and nowhere else.

use std::fs;
use std::path::Path;

/// `odradek.memory`: what the process may use for records and requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub bytes: u64,
}

/// One shard's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardMemory {
    /// Appended and not yet in a segment; when it is used up the shard stops reading its sockets.
    pub dirty_bytes: usize,
    /// In a segment, kept for readers near the end.
    pub clean_bytes: usize,
    /// The cleaner's map of keys, while it cleans.
    pub cleaner_bytes: usize,
    /// Requests on their way in. At least enough for one request of the largest size beside a quarter for small ones, whatever the memory.
    pub receive_bytes: usize,
}

/// The least that a shard works with.
pub(super) const SHARD_BYTES_MIN: u64 = 16 << 20;

impl Memory {
    /// A quarter of what the process may have: the tightest of its cgroups, or the machine's memory.
    pub fn default_of_machine() -> Memory {
        let machine = machine_bytes().unwrap_or(1 << 30);
        let limit = cgroup_bytes(Path::new("/sys/fs/cgroup"), &own_cgroup().unwrap_or_default());
        Memory { bytes: limit.map_or(machine, |limit| limit.min(machine)) / 4 }
    }

    /// The share of one of `shards`. An eighth is for requests, a sixteenth for the cleaner, half of the rest for what is not yet
    /// in segments.
    pub fn shard(self, shards: usize, request_bytes_max: usize) -> ShardMemory {
        let share = usize::try_from(self.bytes).unwrap_or(usize::MAX) / shards.max(1);
        let one_request = request_bytes_max.saturating_add(request_bytes_max / 3).saturating_add(1);
        let cleaner_bytes = share / 16;
        let tail = share - share / 8 - cleaner_bytes;
        ShardMemory {
            dirty_bytes: tail / 2,
            clean_bytes: tail - tail / 2,
            cleaner_bytes,
            receive_bytes: (share / 8).max(one_request),
        }
    }
}

/// `1048576`, `64MiB`, `2GiB`, `512KiB`.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn machine_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The path of this process in the unified cgroup hierarchy.
fn own_cgroup() -> Option<String> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// The smallest `memory.max` from the process's cgroup up to the root (version 2), or version 1's limit.
fn cgroup_bytes(root: &Path, own: &str) -> Option<u64> {
    let number =
        |path: &Path| -> Option<u64> { fs::read_to_string(path).ok()?.trim().parse().ok() };
    let own = root.join(own.trim_start_matches('/'));
    let limits =
        own.ancestors().take_while(|dir| dir.starts_with(root)).map(|dir| dir.join("memory.max"));
    limits
        .filter_map(|path| number(&path))
        .min()
        .or_else(|| number(&root.join("memory/memory.limit_in_bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("64MiB", Some(64 << 20)),
            ("2 GiB", Some(2 << 30)),
            ("", None),
            ("64MB", None),
            ("-1", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn the_tightest_cgroup_counts() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("a/b");
        fs::create_dir_all(&dir).expect("directories");
        assert_eq!(cgroup_bytes(root.path(), "/a/b"), None);
        fs::write(dir.join("memory.max"), "max\n").expect("written");
        assert_eq!(cgroup_bytes(root.path(), "/a/b"), None);
        fs::write(root.path().join("a/memory.max"), "1000000\n").expect("written");
        assert_eq!(cgroup_bytes(root.path(), "/a/b"), Some(1_000_000));
    }

    #[test]
    fn shares_add_up() {
        let shard = Memory { bytes: 8 << 30 }.shard(2, 100 << 20);
        let tail = shard.dirty_bytes + shard.clean_bytes;
        assert_eq!(tail + shard.cleaner_bytes + shard.receive_bytes, 4 << 30);
        let small = Memory { bytes: 64 << 20 }.shard(2, 100 << 20);
        assert!(
            small.receive_bytes * 3 / 4 >= 100 << 20,
            "one request of the largest size fits beside the small ones' quarter"
        );
    }
}
