//! `server.properties` and the command line: what is read, what is refused and where, what is warned about.

use std::path::PathBuf;

use broker::config::command_line::{Command, parse as parse_command_line};
use broker::config::settings::Source;
use broker::config::{Durability, Invocation, Loaded, Refused, load};

/// Loads a file of these lines under these overrides.
fn load_text(text: &str, overrides: &[(&str, &str)]) -> Result<Loaded, Refused> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("server.properties");
    std::fs::write(&path, text).expect("written");
    let overrides =
        overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    load(&Invocation { file: Some(path), overrides })
}

/// A file of this one line must be refused, with its place and these words.
#[track_caller]
fn check_refused(line: &str, words: &[&str]) {
    let refused = load_text(&format!("# first\n{line}\n"), &[]).expect_err("refused").to_string();
    assert!(refused.contains("server.properties:2: "), "{refused}");
    for word in words {
        assert!(refused.contains(word), "{word:?} is missing in: {refused}");
    }
}

#[test]
fn without_arguments_there_is_a_broker_to_try_out() {
    let Loaded { config, warnings } = load(&Invocation::default()).expect("defaults are right");
    assert_eq!((config.node_id(), config.durability), (1, Durability::Sync));
    assert_eq!(config.log_dirs(), [PathBuf::from("./data")]);
    assert_eq!(config.listeners()[0].address().expect("an address").to_string(), "127.0.0.1:9092");
    assert_eq!(config.advertised("PLAINTEXT", 9092), Some(("127.0.0.1", 9092)));
    assert_eq!(config.admin.expect("an admin listener").to_string(), "127.0.0.1:9644");
    assert!(config.controller_listeners.is_empty());
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.topic_defaults.retention_ms, 7 * 24 * 3600 * 1000);
    assert_eq!(
        config.settings.text("listeners"),
        Some(("PLAINTEXT://127.0.0.1:9092", Source::Default))
    );
}

#[test]
fn the_file_that_kafka_ships_starts_as_it_is() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/config/server.properties");
    let Loaded { config, warnings } =
        load(&Invocation { file: Some(file), overrides: vec![] }).expect("taken");
    assert_eq!(config.log_dirs(), [PathBuf::from("/tmp/kraft-combined-logs")]);
    assert_eq!(config.listeners().len(), 1);
    assert_eq!(config.controller_listeners[0].port, 9093);
    assert_eq!(config.advertised("PLAINTEXT", 9092), Some(("localhost", 9092)));
    assert_eq!(config.inter_broker_listener, "PLAINTEXT");
    let about = |word: &str| warnings.iter().any(|warning| warning.contains(word));
    for word in [
        "num.io.threads is not needed",
        "num.network.threads is not needed",
        "listener CONTROLLER on port 9093",
    ] {
        assert!(about(word), "{word}: {warnings:?}");
    }
    assert!(about("socket.send.buffer.bytes=102400 ends the kernel's own sizing"), "{warnings:?}");
}

#[test]
fn unknown_keys_and_bad_values_are_refused_with_their_place_and_what_would_be_right() {
    check_refused(
        "num.partitionz=3",
        &["unknown key num.partitionz", "did you mean num.partitions?"],
    );
    check_refused("qwertyuiop=3", &["unknown key qwertyuiop", "no such key"]);
    check_refused("retention.ms=3", &["it is a topic's key; the broker's is log.retention.ms"]);
    check_refused(
        "num.partitions=0",
        &["Invalid value 0 for configuration num.partitions: Value must be at least 1"],
    );
    check_refused(
        "num.partitions=many",
        &["Not a number of type INT", "a whole number, at least 1; default 1"],
    );
    check_refused("delete.topic.enable=yes", &["Expected value to be either true or false"]);
    check_refused("odradek.durability=never", &["String must be one of: sync, written"]);
    check_refused("odradek.memory=64MB", &["Invalid value 64MB", "64MiB"]);
    check_refused("odradek.memory=1MiB\nodradek.shards=2", &["too few"]);
    check_refused("odradek.admin.listener=nowhere", &["host:port"]);
    check_refused("listeners=PLAINTEXT//:9092", &["NAME://host:port"]);
    check_refused("listeners=SSL://:9092", &["SSL, which is not served yet"]);
    check_refused(
        "listeners=INSIDE://:9092",
        &["No security protocol defined for listener INSIDE"],
    );
    check_refused("listeners=PLAINTEXT://:9092,PLAINTEXT://:9093", &["different name"]);
    check_refused("listeners=", &["must not be empty"]);
    check_refused("advertised.listeners=PLAINTEXT://0.0.0.0:9092", &["0.0.0.0"]);
    check_refused("advertised.listeners=SSL://localhost:9092", &["SSL"]);
    check_refused("inter.broker.listener.name=OTHER", &["OTHER", "advertised.listeners"]);
    check_refused("controller.listener.names=CONTROLLER", &["CONTROLLER is not one of listeners"]);
    check_refused("process.roles=broker", &["broker,controller"]);
    check_refused("process.roles=broker,zookeeper", &["String must be one of: broker, controller"]);
    check_refused("controller.quorum.voters=2@localhost:9093", &["not node 1"]);
    check_refused("log.retention.ms=0", &["unlimited (-1)"]);
    check_refused("authorizer.class.name=org.example.Authorizer", &["not built yet"]);
    check_refused("max.connections.per.ip=0", &["can be set to zero only if"]);
    check_refused("max.connections.per.ip.overrides=127.0.0.1", &["address:count"]);
    check_refused(
        "queued.max.request.bytes=1000",
        &["larger or equal to socket.request.max.bytes"],
    );
    check_refused("broker.rack=\\u00zz", &["four hexadecimal digits"]);
    check_refused("odradek.cluster.id=mine", &["22 characters"]);
    check_refused("listener.name.inside.ssl.keystore.lokation=x", &["unknown key"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let refused = load_text("num.partitionz=3\n\nnum.partitions=x\n", &[("log.dirz", "/d")])
        .expect_err("refused");
    let text = refused.to_string();
    assert_eq!(refused.0.len(), 3, "{text}");
    for place in ["server.properties:1: ", "server.properties:3: ", "--override: "] {
        assert!(text.contains(place), "{text}");
    }
}

#[test]
fn known_keys_without_effect_are_warned_about() {
    let text = "zookeeper.connect=localhost:2181\nnum.io.threads=4\nnum.network.threads=3\nlog.message.format.version=2.8\n\
                listener.name.plaintext.ssl.keystore.location=/x\n";
    let Loaded { warnings, .. } = load_text(text, &[]).expect("taken");
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    assert!(
        warnings[0].contains("server.properties:1: zookeeper.connect is not needed"),
        "{warnings:?}"
    );
}

#[test]
fn overrides_win_over_the_file_and_the_last_of_equal_keys_wins() {
    let text = "num.partitions=3\nnum.partitions=4\nnode.id=7\n";
    let config = load_text(text, &[]).expect("taken").config;
    assert_eq!((config.num_partitions, config.node_id()), (4, 7));
    assert_eq!(config.settings.text("broker.id"), Some(("7", Source::Static)));
    let overrides = [
        ("num.partitions", "5"),
        ("num.partitions", "6"),
        ("odradek.shards", "3"),
        ("odradek.memory", "1GiB"),
    ];
    let config = load_text(text, &overrides).expect("taken").config;
    assert_eq!((config.num_partitions, config.shards(), config.memory().bytes), (6, 3, 1 << 30));
}

#[test]
fn broker_keys_stand_behind_topic_keys_the_finest_unit_first() {
    let hours = 3600 * 1000;
    for (text, retention_ms, segment_ms) in [
        ("log.retention.hours=2\nlog.roll.hours=3", 2 * hours, 3 * hours),
        ("log.retention.hours=2\nlog.retention.minutes=5", 300_000, 168 * hours),
        ("log.retention.minutes=5\nlog.retention.ms=7\nlog.roll.ms=9", 7, 9),
        ("log.retention.hours=-1", -1, 168 * hours),
        ("log.retention.ms=-1", -1, 168 * hours),
    ] {
        let defaults = load_text(text, &[]).expect("taken").config.topic_defaults;
        assert_eq!(
            (defaults.retention_ms, defaults.segment_ms),
            (retention_ms, segment_ms),
            "{text}"
        );
    }
}

#[test]
fn socket_buffers_are_the_kernels_unless_asked_for() {
    for (text, buffer) in [
        ("", None),
        ("socket.send.buffer.bytes=-1", None),
        ("socket.send.buffer.bytes=65536", Some(65536)),
    ] {
        assert_eq!(
            load_text(text, &[]).expect("taken").config.socket_send_buffer_bytes,
            buffer,
            "{text}"
        );
    }
}

#[test]
fn a_missing_file_is_refused() {
    let refused =
        load(&Invocation { file: Some("/nowhere/server.properties".into()), overrides: vec![] });
    assert!(
        refused
            .expect_err("refused")
            .to_string()
            .starts_with("/nowhere/server.properties: cannot be read")
    );
}

#[test]
fn command_lines() {
    let run = |file: Option<&str>, overrides: &[(&str, &str)]| {
        let overrides =
            overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Ok(Command::Run(Invocation { file: file.map(PathBuf::from), overrides }))
    };
    let cases: [(&[&str], Result<Command, &str>); 10] = [
        (&[], run(None, &[])),
        (&["f.properties"], run(Some("f.properties"), &[])),
        (
            &["f", "--override", "a=b", "--override", "c=d=e"],
            run(Some("f"), &[("a", "b"), ("c", "d=e")]),
        ),
        (&["--override=a=b", "f"], run(Some("f"), &[("a", "b")])),
        (&["--help"], Ok(Command::Help)),
        (&["--version"], Ok(Command::Version)),
        (&["f", "g"], Err("one properties file at most")),
        (&["--override"], Err("needs key=value")),
        (&["--override", "a"], Err("takes key=value")),
        (&["--daemon"], Err("unknown option --daemon")),
    ];
    for (arguments, expected) in cases {
        let actual = parse_command_line(arguments.iter().map(|argument| (*argument).to_owned()));
        match (actual, expected) {
            (Ok(actual), Ok(expected)) => assert_eq!(actual, expected),
            (Err(actual), Err(words)) => assert!(actual.contains(words), "{actual}"),
            (actual, expected) => panic!("{arguments:?}: {actual:?}, not {expected:?}"),
        }
    }
}
