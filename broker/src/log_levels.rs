//! How much is logged, by logger: `root` and our crates. Changed while the process runs (KIP-412), forgotten when it ends.
//!
//! One state for the process, as its log is one. Nothing on the data path asks here: what is logged is decided by the subscriber.

use std::collections::BTreeMap;
#[expect(
    clippy::disallowed_types,
    reason = "an administrator changes a level; nobody else comes here"
)]
use std::sync::{Mutex, OnceLock};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

pub(crate) const ROOT: &str = "root";
/// Our crates, by the names under which they log.
const CRATES: [&str; 6] = ["broker", "net", "odradek", "replication", "ring", "storage"];
/// The levels that a logger may be set to; there is none above ERROR here.
pub(crate) const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// Puts a filter in force; given by `logging` when it starts.
type Apply = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// What `RUST_LOG` said, and how a filter is put in force.
static SINK: OnceLock<(String, Apply)> = OnceLock::new();
/// What was set since, by logger.
#[expect(clippy::disallowed_types, reason = "as above")]
static SET: Mutex<BTreeMap<&'static str, &'static str>> = Mutex::new(BTreeMap::new());

/// Tells where filters go. The first call in a process counts.
pub(crate) fn begin(base: String, apply: Apply) {
    let _ = SINK.set((base, apply));
}

/// Every logger with its level.
pub(crate) fn all() -> Vec<(&'static str, &'static str)> {
    let set = set();
    let root = set.get(ROOT).copied().unwrap_or_else(current);
    let level = |name: &'static str| (name, set.get(name).copied().unwrap_or(root));
    std::iter::once((ROOT, root)).chain(CRATES.into_iter().map(level)).collect()
}

/// The logger of this name, if there is one.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    std::iter::once(ROOT).chain(CRATES).find(|known| *known == name)
}

/// The level of this name, if there is one.
pub(crate) fn level(name: &str) -> Option<&'static str> {
    LEVELS.into_iter().find(|level| *level == name)
}

/// Sets a logger's level; with none it has the root's again.
pub(crate) fn change(logger: &'static str, level: Option<&'static str>) {
    let mut set = set();
    match level {
        Some(level) => drop(set.insert(logger, level)),
        None => drop(set.remove(logger)),
    }
    if let Some((base, apply)) = SINK.get() {
        apply(filter(base, &set));
    }
    tracing::warn!(logger, level = level.unwrap_or("the root's"), "log level changed");
}

fn set() -> std::sync::MutexGuard<'static, BTreeMap<&'static str, &'static str>> {
    // Whoever panicked has changed nothing by halves.
    SET.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn filter(base: &str, set: &BTreeMap<&'static str, &'static str>) -> EnvFilter {
    let directive = |(logger, level): (&&str, &&str)| {
        let level = if *level == "FATAL" { "error" } else { level };
        if *logger == ROOT { level.to_owned() } else { format!("{logger}={level}") }
    };
    let set: Vec<String> = set.iter().map(directive).collect();
    // What is said last counts.
    EnvFilter::new(std::iter::once(base.to_owned()).chain(set).collect::<Vec<_>>().join(","))
}

fn current() -> &'static str {
    match LevelFilter::current() {
        LevelFilter::TRACE => "TRACE",
        LevelFilter::DEBUG => "DEBUG",
        LevelFilter::INFO => "INFO",
        LevelFilter::WARN => "WARN",
        LevelFilter::ERROR => "ERROR",
        _ => "OFF",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_counts_over_what_was_there() {
        let text = |set: &[(&'static str, &'static str)]| {
            filter("info,net=warn", &set.iter().copied().collect()).to_string()
        };
        assert_eq!(text(&[]), "net=warn,info");
        assert_eq!(text(&[("net", "TRACE"), ("root", "FATAL")]), "net=trace,error");
    }
}
