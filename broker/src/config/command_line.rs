//! `odradek [server.properties] [--override key=value]...`, as Kafka's own start script takes it.

use std::path::PathBuf;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Run(Invocation),
    /// Says what is in a log directory.
    Inspect(PathBuf),
    Help,
    Version,
}

/// A run's file and overrides, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    pub file: Option<PathBuf>,
    pub overrides: Vec<(String, String)>,
}

/// What `--help` prints.
pub const USAGE: &str = "\
Usage: odradek [server.properties] [--override key=value]...
       odradek inspect DIR

Starts a broker. Without a file: node 1, broker and controller in one, on 127.0.0.1:9092, data in ./data,
/health and /metrics on 127.0.0.1:9644.

  server.properties      a file of Kafka's broker keys, and of these:
                           odradek.shards          threads that serve (every core)
                           odradek.durability      sync: acknowledged means on stable storage; written: write completed (sync)
                           odradek.memory          bytes, or 64MiB, 2GiB (a quarter of what there is)
                           odradek.admin.listener  host:port of /health and /metrics (127.0.0.1:9644)
  --override key=value   sets a key over the file's value; may be given again
  inspect DIR            says what is in a log directory and what a start would do, and changes nothing
  --help, --version

RUST_LOG sets what is logged (info).
";

/// Reads the arguments, the program's name not among them.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut invocation = Invocation::default();
    let mut arguments = arguments.into_iter().peekable();
    if arguments.next_if(|first| first == "inspect").is_some() {
        return match (arguments.next(), arguments.next()) {
            (Some(directory), None) => Ok(Command::Inspect(PathBuf::from(directory))),
            _ => Err("inspect needs one directory after it".to_owned()),
        };
    }
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--override" => {
                let pair = arguments.next().ok_or("--override needs key=value after it")?;
                invocation.overrides.push(key_value(&pair)?);
            }
            other => match other.strip_prefix("--override=") {
                Some(pair) => invocation.overrides.push(key_value(pair)?),
                None if other.starts_with('-') => {
                    return Err(format!(
                        "unknown option {other}: --override key=value, --help and --version are known"
                    ));
                }
                None if invocation.file.is_some() => {
                    return Err(format!("one properties file at most, but {other} is a second"));
                }
                None => invocation.file = Some(PathBuf::from(other)),
            },
        }
    }
    Ok(Command::Run(invocation))
}

fn key_value(pair: &str) -> Result<(String, String), String> {
    match pair.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("--override takes key=value, but got {pair:?}")),
    }
}
