//! `odradek`: reads the configuration, checks the machine, starts the node, waits for the signal to stop.
//!
//! Exit status: 0 after a clean stop, 1 if the node could not start or stop, 2 if the command line or the configuration is wrong, 130
//! if a signal ended it before it could stop cleanly.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use broker::admin::{Admin, Source};
use broker::config::command_line::{Command, USAGE, parse};
use broker::config::{Config, Loaded, load};
use broker::node::Node;
use broker::signals::Signals;
use broker::{logging, preflight};
use mimalloc::MiMalloc;

/// What one shard allocates another one frees, with every request that crosses the mesh. The C library's allocator takes a lock of the
/// allocating thread's for that, and shards waited for each other in the kernel; this one hands it back without.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The command line or the configuration is wrong.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the ready line tells how long the start took")]
    let begun = Instant::now();
    let invocation = match parse(std::env::args().skip(1)) {
        Ok(Command::Run(invocation)) => invocation,
        Ok(Command::Inspect(directory)) => return inspect(&directory),
        Ok(Command::Help) => return say(USAGE),
        Ok(Command::Version) => return say(&format!("odradek {}\n", env!("CARGO_PKG_VERSION"))),
        Err(text) => return refuse(&format!("{text}\n\n{USAGE}")),
    };
    let loaded = match load(&invocation) {
        Ok(loaded) => loaded,
        Err(refused) => return refuse(&format!("{refused}\n")),
    };
    match run(loaded, begun) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "odradek: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The node cannot go on. It stops at once, as Kafka's broker does: a clean stop would need what is gone.
fn end(why: &str) {
    tracing::error!(why, "the node ends");
    let _ = writeln!(std::io::stderr(), "odradek: {why}");
    std::process::exit(1);
}

fn inspect(directory: &Path) -> ExitCode {
    match broker::inspect::report(directory) {
        Ok(text) => say(&text),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "odradek: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(loaded: Loaded, begun: Instant) -> anyhow::Result<()> {
    let signals = Signals::catch().context("signals")?;
    let _logging = logging::start().context("the log's thread")?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    preflight::prepare(&loaded.config)?;
    let config = Arc::new(loaded.config);
    let admin = config.admin.map(Admin::start).transpose()?;
    let node = Node::start_with(Arc::clone(&config), Arc::new(end))?;
    signals.serving();
    if let Some(admin) = &admin {
        admin.serving(source(&node));
    }
    let ready = ready_line(&config, &node, admin.as_ref(), begun);
    tracing::info!("{}", ready.trim_end());
    say(&ready);
    let signal = signals.wait();
    tracing::info!(signal = signal.map(|signal| signal.as_str()), "stopping");
    if let Some(admin) = &admin {
        admin.stopping();
    }
    node.stop()?;
    tracing::info!("stopped cleanly");
    Ok(())
}

/// How the admin server asks the executors.
fn source(node: &Node) -> Source {
    let outside = node.outside();
    Arc::new(move || {
        let outside = Arc::clone(&outside);
        Box::pin(async move { outside.samples().await })
    })
}

fn ready_line(config: &Config, node: &Node, admin: Option<&Admin>, begun: Instant) -> String {
    let ready = node.ready();
    let listeners: Vec<String> =
        ready.listeners.iter().map(|(name, address)| format!("{name}://{address}")).collect();
    let admin = admin.map_or_else(|| "none".to_owned(), |admin| admin.address().to_string());
    format!(
        "odradek ready listeners={} admin={admin} shards={} ms={} node={} data={}\n",
        listeners.join(","),
        ready.shards,
        begun.elapsed().as_millis(),
        config.node_id(),
        config
            .log_dirs()
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(","),
    )
}

/// To standard output; that nobody reads it is no error.
fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    ExitCode::SUCCESS
}

fn refuse(text: &str) -> ExitCode {
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(USAGE_ERROR)
}
