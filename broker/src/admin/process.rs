//! What the kernel says of this process. Read on the admin thread, which may block.

use std::fs;

use crate::metrics::Sample;

/// Processor time, memory, descriptors and threads, under the names that Prometheus's libraries use; and our version.
pub(super) fn samples() -> Vec<Sample> {
    let mut samples = vec![
        Sample::gauge("odradek_build_info", "1; the version is in the label", 1.0)
            .with("version", env!("CARGO_PKG_VERSION")),
    ];
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let mut gauge = |name, help, value: Option<f64>| {
        samples.extend(value.map(|value| Sample::gauge(name, help, value)));
    };
    gauge(
        "process_resident_memory_bytes",
        "Resident memory",
        field("VmRSS").map(|kib| kib * 1024.0),
    );
    gauge("process_threads", "Threads", field("Threads"));
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    gauge("process_open_fds", "Open file descriptors", descriptors);
    samples.extend(cpu_seconds());
    samples
}

/// User and system time, the kernel's io_uring workers included.
fn cpu_seconds() -> Option<Sample> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The command's name may hold anything, and ends at the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |at: usize| fields.split_whitespace().nth(at)?.parse::<f64>().ok();
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    let mut sample =
        Sample::counter("process_cpu_seconds_total", "Processor time, user and system", 0);
    sample.value = crate::metrics::Reading::Number((ticks(11)? + ticks(12)?) / per_second as f64);
    Some(sample)
}
