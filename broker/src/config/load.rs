//! From the command line to a `Config`: read the file, lay the overrides over it, refuse what is wrong with its place and what would be
//! right, warn of what has no effect here.
//!
//! All problems are told at once, so that a file is corrected once.

use std::fmt;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use storage::checkpoint::{Property, parse_properties};

use super::broker::Config;
use super::build::build;
use super::command_line::Invocation;
use super::key::{Effect, Key};
use super::settings::Settings;
use super::table::{BROKER_KEYS, TOPIC_KEYS, legacy, nearest, of_one_listener};
use super::topic;

/// A usable configuration, and what its writer should know about it.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<String>,
}

/// Everything that is wrong with a configuration, one problem a line.
#[derive(Debug, thiserror::Error)]
pub struct Refused(pub Vec<Problem>);

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub text: String,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Line(PathBuf, usize),
    File(PathBuf),
    Override,
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Override => f.write_str("--override"),
            Place::Default => f.write_str("configuration"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.0.iter().map(|problem| format!("{}: {}", problem.place, problem.text)).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// One `key=value` and its place, the last of equal keys only.
struct Given {
    place: Place,
    key: String,
    value: String,
}

/// Reads what the command line names.
pub fn load(invocation: &Invocation) -> Result<Loaded, Refused> {
    let given = given(invocation)?;
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut settings =
        Settings { profile: profile(invocation.file.is_some()), ..Settings::default() };
    for Given { place, key, value } in &given {
        let mut refuse = |text| problems.push(Problem { place: place.clone(), text });
        match judge(key, value) {
            Verdict::Taken => drop(settings.fixed.insert(key.clone(), value.clone())),
            Verdict::Warned(text) => {
                warnings.push(format!("{place}: {text}"));
                settings.fixed.insert(key.clone(), value.clone());
            }
            Verdict::Refused(text) => refuse(text),
        }
    }
    if !problems.is_empty() {
        return Err(Refused(problems));
    }
    node_id_synonyms(&mut settings);
    let place_of =
        |name: &str| given.iter().find(|given| given.key == name).map(|given| given.place.clone());
    match build(settings) {
        Ok(config) => {
            warnings.extend(notes(&config));
            Ok(Loaded { config, warnings })
        }
        Err(faults) => {
            let problem = |(key, text): (&str, String)| Problem {
                place: place_of(key).unwrap_or(Place::Default),
                text: format!("{key}: {text}"),
            };
            Err(Refused(faults.into_iter().map(problem).collect()))
        }
    }
}

fn given(invocation: &Invocation) -> Result<Vec<Given>, Refused> {
    let mut given = match &invocation.file {
        Some(path) => read(path).map_err(|problem| Refused(vec![problem]))?,
        None => Vec::new(),
    };
    let overrides = invocation.overrides.iter();
    given.extend(overrides.map(|(key, value)| Given {
        place: Place::Override,
        key: key.clone(),
        value: value.clone(),
    }));
    let last = |i: usize| !given[i + 1..].iter().any(|later| later.key == given[i].key);
    let keep: Vec<bool> = (0..given.len()).map(last).collect();
    Ok(given.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(given, _)| given).collect())
}

fn read(path: &Path) -> Result<Vec<Given>, Problem> {
    let file = |text: String| Problem { place: Place::File(path.to_owned()), text };
    let text =
        fs::read_to_string(path).map_err(|error| file(format!("cannot be read: {error}")))?;
    let given = |property: Property| Given {
        place: Place::Line(path.to_owned(), property.line),
        key: property.key,
        value: property.value,
    };
    Ok(parse_properties(&text).into_iter().map(given).collect())
}

/// Our own defaults where Kafka has none or means another: with a file only what Kafka requires, without one a broker to try out.
fn profile(with_file: bool) -> super::settings::Layer {
    let both = [
        ("node.id", "1"),
        ("broker.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", ""),
    ];
    let alone = [("listeners", "PLAINTEXT://127.0.0.1:9092"), ("log.dirs", "./data")];
    let alone = alone.iter().filter(|_| !with_file);
    both.iter().chain(alone).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// `node.id` and `broker.id` name the same thing; whichever is set speaks for the other.
fn node_id_synonyms(settings: &mut Settings) {
    for (from, to) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let (Some(id), false) =
            (settings.fixed.get(from).cloned(), settings.fixed.contains_key(to))
        {
            settings.fixed.insert(to.to_owned(), id);
        }
    }
}

enum Verdict {
    Taken,
    Warned(String),
    Refused(String),
}

fn judge(name: &str, text: &str) -> Verdict {
    if name.contains(char::REPLACEMENT_CHARACTER) || text.contains(char::REPLACEMENT_CHARACTER) {
        return Verdict::Refused(format!(
            "{name}: \\u must be followed by four hexadecimal digits of a character"
        ));
    }
    if let Some(key) = BROKER_KEYS.get(name) {
        return judge_value(key, text);
    }
    if legacy::known(name) {
        return Verdict::Warned(format!("{name} is not needed here and has no effect"));
    }
    if let Some(key) = of_one_listener(name) {
        return match key.parse(text) {
            Ok(_) => Verdict::Warned(format!("{name} has no effect yet")),
            Err(error) => Verdict::Refused(format!("{error} ({})", expects(key))),
        };
    }
    let hint = match (topic::synonyms(name).first(), nearest(name)) {
        (Some((broker_key, _)), _) => format!("it is a topic's key; the broker's is {broker_key}"),
        (None, _) if TOPIC_KEYS.contains_key(name) => {
            "it is a topic's key, to be set on a topic".to_owned()
        }
        (None, Some(nearest)) => format!("did you mean {nearest}?"),
        (None, None) => "Kafka 4.3 has no such key, nor has Odradek".to_owned(),
    };
    Verdict::Refused(format!("unknown key {name}: {hint}"))
}

fn judge_value(key: &Key, text: &str) -> Verdict {
    let value = match key.parse(text) {
        Ok(value) => value,
        Err(error) => return Verdict::Refused(format!("{error} ({})", expects(key))),
    };
    let is_default = key.default_value().is_some_and(|default| default == value)
        || (key.default.is_none() && value.text().is_empty());
    match key.effect {
        Effect::Used => Verdict::Taken,
        Effect::Unneeded => {
            Verdict::Warned(format!("{} is not needed here and has no effect", key.name))
        }
        Effect::Later | Effect::NotBuilt if is_default => Verdict::Taken,
        Effect::Later => Verdict::Warned(format!("{} has no effect yet", key.name)),
        Effect::NotBuilt => Verdict::Refused(format!(
            "{}: what it asks for is not built yet, and ignoring it would be wrong; leave it out{}",
            key.name,
            key.default.map(|default| format!(" or at {default:?}")).unwrap_or_default()
        )),
    }
}

/// What would be right for a key, in a few words.
fn expects(key: &Key) -> String {
    use super::key::{Kind, Valid};
    let kind = match key.kind {
        Kind::Boolean => "true or false",
        Kind::Int | Kind::Short | Kind::Long => "a whole number",
        Kind::Double => "a number",
        Kind::List => "a list, separated by commas",
        Kind::String | Kind::Class | Kind::Password => "text",
    };
    let range = match key.valid {
        Valid::AtLeast(least) => format!(", at least {least}"),
        Valid::Between(least, most) => format!(", {least} to {most}"),
        Valid::Fraction(least, most) => format!(", {least} to {most}"),
        Valid::OneOf(set) | Valid::OneOfAnyCase(set) => format!(", one of {}", set.join(", ")),
        Valid::Entries { of, .. } if !of.is_empty() => format!(", of {}", of.join(", ")),
        _ => String::new(),
    };
    let default = key.default.map(|default| format!("; default {default}")).unwrap_or_default();
    format!("{kind}{range}{default}")
}

/// What holds, but may surprise.
fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    for listener in &config.controller_listeners {
        notes.push(format!(
            "listener {} on port {} is the controller's: its port stays closed, because the controller is in this process and no other \
             node can join yet",
            listener.name, listener.port
        ));
    }
    let buffers = [
        ("socket.send.buffer.bytes", config.socket_send_buffer_bytes),
        ("socket.receive.buffer.bytes", config.socket_receive_buffer_bytes),
    ];
    for (key, bytes) in buffers.into_iter().filter_map(|(key, bytes)| Some((key, bytes?))) {
        notes.push(format!("{key}={bytes} ends the kernel's own sizing of the buffer, which is faster; -1 leaves it on"));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if usize::from(config.shards) > cores {
        notes.push(format!(
            "odradek.shards={} is more than the {cores} cores of this machine",
            config.shards
        ));
    }
    let shard = config.shard_memory();
    if shard.receive_bytes as u64 > config.memory.bytes / u64::from(config.shards) {
        notes.push(format!(
            "odradek.memory={} is little for socket.request.max.bytes={}: each shard may use {} for requests",
            config.memory.bytes, config.request_bytes_max, shard.receive_bytes
        ));
    }
    notes
}
