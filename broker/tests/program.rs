//! The program from its command line to its exit: the ready line, `/health`, signals, a second start, and who may not start.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    ready: String,
}

impl Program {
    /// Starts it with its data in `directory`, on free ports, and waits for the ready line.
    fn start(directory: &Path, overrides: &[&str]) -> Program {
        let mut child =
            command(directory, overrides).stdout(Stdio::piped()).spawn().expect("started");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut ready = String::new();
        out.read_line(&mut ready).expect("a line");
        assert!(ready.starts_with("odradek ready "), "{ready:?}");
        Program { child, out, ready }
    }

    /// A field of the ready line.
    fn field(&self, name: &str) -> &str {
        let prefix = format!("{name}=");
        self.ready.split_whitespace().find_map(|word| word.strip_prefix(&prefix)).expect("a field")
    }

    fn health(&self) -> String {
        let mut stream = TcpStream::connect(self.field("admin")).expect("connected");
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(id), signal).expect("sent");
    }

    /// Waits for the end, and that the ready line was the only one.
    fn end(mut self) -> ExitStatus {
        let status = wait(&mut self.child);
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("read");
        assert_eq!(rest, "");
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(directory: &Path, overrides: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odradek"));
    let data = format!("log.dirs={}", directory.join("data").display());
    let own =
        [data.as_str(), "listeners=PLAINTEXT://127.0.0.1:0", "odradek.admin.listener=127.0.0.1:0"];
    let small = ["odradek.commit.log.bytes=4MiB", "odradek.memory=128MiB", "odradek.shards=2"];
    for pair in own.iter().chain(&small).chain(overrides) {
        command.args(["--override", pair]);
    }
    command.env("RUST_LOG", "warn").stdin(Stdio::null());
    command
}

#[expect(clippy::disallowed_methods, reason = "a test waits for a process")]
fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("waited") {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A second start that must fail with these words.
#[track_caller]
fn check_refused(directory: &Path, overrides: &[&str], words: &[&str]) {
    let output = command(directory, overrides).output().expect("it ran");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

/// Starts, looks around, and stops cleanly by a signal.
fn serve_once(directory: &Path, signal: Signal, shards: &str) {
    let program = Program::start(directory, &[&format!("odradek.shards={shards}")]);
    assert_eq!(program.field("shards"), shards);
    assert!(program.field("ms").parse::<u64>().is_ok());
    let address =
        program.field("listeners").strip_prefix("PLAINTEXT://").expect("a listener").to_owned();
    TcpStream::connect(&address).expect("it listens");
    assert!(program.health().starts_with("HTTP/1.1 200"));
    program.signal(signal);
    assert_eq!(program.end().code(), Some(0));
    assert!(TcpStream::connect(&address).is_err());
    assert!(directory.join("data/.kafka_cleanshutdown").exists());
}

#[test]
fn it_serves_until_a_signal_and_starts_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let identity = || {
        std::fs::read_to_string(directory.path().join("data/meta.properties")).expect("formatted")
    };
    serve_once(directory.path(), Signal::SIGTERM, "2");
    let first = identity();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        serve_once(directory.path(), signal, "2");
        assert_eq!(identity(), first);
    }
}

#[test]
fn the_number_of_shards_may_change() {
    let directory = tempfile::tempdir().expect("a directory");
    for shards in ["2", "3", "1", "2"] {
        serve_once(directory.path(), Signal::SIGTERM, shards);
    }
}

#[test]
fn a_directory_has_one_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    check_refused(directory.path(), &[], &["in use by another process", "log.dirs"]);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_directory_of_another_node_or_cluster_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().code(), Some(0));
    check_refused(directory.path(), &["node.id=2"], &["belongs to node 1", "set node.id=1"]);
    let other = "odradek.cluster.id=4L6g3nShT-eMCtK--X86sw";
    check_refused(directory.path(), &[other], &["belongs to cluster", "odradek.cluster.id"]);
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("an address");
    check_refused(
        directory.path(),
        &[&format!("listeners=PLAINTEXT://{address}")],
        &["PLAINTEXT: cannot bind", "ss -ltnp"],
    );
    check_refused(
        directory.path(),
        &[&format!("odradek.admin.listener={address}")],
        &["odradek.admin.listener: cannot bind"],
    );
}

#[test]
fn a_killed_process_leaves_a_directory_that_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(directory.path(), &[]);
    program.child.kill().expect("killed");
    wait(&mut program.child);
    drop(program);
    let program = Program::start(directory.path(), &[]);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_commit_log_that_may_hold_records_is_not_left_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let key =
        |name: &str| format!("odradek.commit.log.dir={}", directory.path().join(name).display());
    let killed = |overrides: &[&str]| {
        let mut program = Program::start(directory.path(), overrides);
        program.child.kill().expect("killed");
        wait(&mut program.child);
    };
    let stopped = |overrides: &[&str]| {
        let program = Program::start(directory.path(), overrides);
        program.signal(Signal::SIGTERM);
        assert_eq!(program.end().code(), Some(0));
    };
    killed(&[]);
    check_refused(directory.path(), &[&key("log")], &["start once without odradek.commit.log.dir"]);
    stopped(&[]);
    killed(&[&key("log")]);
    let words = format!("start once with {}", key("log"));
    for other in [String::new(), key("other")] {
        let other: Vec<&str> = Some(&*other).filter(|key| !key.is_empty()).into_iter().collect();
        check_refused(directory.path(), &other, &[&words]);
    }
    let said = inspected(directory.path());
    assert!(said.contains("commit logs in") && said.contains("recover it first"), "{said}");
    stopped(&[&key("log")]);
    stopped(&[&key("other")]);
    stopped(&[]);
}

/// Every file below `directory`, with its content.
fn content(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

/// As a node of Kafka leaves it that is no controller: there is no `__cluster_metadata-0`.
#[test]
fn a_directory_of_kafka_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    std::fs::create_dir_all(data.join("orders-3")).expect("made");
    let topic = "version: 0\ntopic_id: 4L6g3nShT-eMCtK--X86sw\n";
    let own = "version=1\nnode.id=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qk\ndirectory.id=4L6g3nShT-eMCtK--X86sw\n";
    for (name, text) in [
        ("meta.properties", own),
        (".lock", ""),
        (".kafka_cleanshutdown", "{\"version\":0,\"brokerEpoch\":17}"),
        ("recovery-point-offset-checkpoint", "0\n1\norders 3 0\n"),
        ("orders-3/partition.metadata", topic),
        ("orders-3/00000000000000000000.log", ""),
    ] {
        std::fs::write(data.join(name), text).expect("written");
    }
    let before = content(&data);
    let said = inspected(directory.path());
    assert!(said.contains("A start would refuse it") && said.contains("orders-3"), "{said}");
    check_refused(directory.path(), &[], &["orders-3", "log.dirs"]);
    assert_eq!(content(&data), before);
}

/// What `odradek inspect` prints of the directory's data; it changes nothing.
fn inspected(directory: &Path) -> String {
    let data = directory.join("data");
    let before = content(&data);
    let output = Command::new(env!("CARGO_BIN_EXE_odradek"))
        .args([Path::new("inspect"), &data])
        .output()
        .expect("it ran");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(content(&data), before);
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn inspect_says_what_a_start_would_do() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("data")).expect("made");
    assert!(inspected(directory.path()).contains("A start would make it this node's"));
    serve_once(directory.path(), Signal::SIGTERM, "2");
    let clean = inspected(directory.path());
    for words in [
        "shard 1 of 2: closed cleanly",
        "topic __cluster_metadata: id AAAAAAAAAAAAAAAAAAAAAQ, 1 partitions",
        "A start would serve it at once",
    ] {
        assert!(clean.contains(words), "{words:?} is missing in {clean}");
    }
    let program = Program::start(directory.path(), &[]);
    drop(program);
    let killed = inspected(directory.path());
    assert!(killed.contains("A start would recover it first"), "{killed}");
    let nowhere = Command::new(env!("CARGO_BIN_EXE_odradek"))
        .args([Path::new("inspect"), &directory.path().join("nowhere")])
        .output()
        .expect("it ran");
    assert_eq!(nowhere.status.code(), Some(1));
}
