//! Several log directories: where partitions go, and what is left when one fails.

use std::fs;
use std::path::{Path, PathBuf};

use net::wire::ErrorCode;
use net::wire::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use net::wire::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use net::wire::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use net::wire::metadata::{MetadataRequest, MetadataRequestTopic};
use tempfile::TempDir;

use crate::client::{Client, TestNode, batch};

/// Log directories that go with the test.
struct Directories {
    root: TempDir,
    names: Vec<&'static str>,
}

impl Directories {
    fn new(names: &[&'static str]) -> Directories {
        Directories { root: tempfile::tempdir().unwrap(), names: names.to_vec() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn setting(&self) -> String {
        let paths = self.names.iter().map(|name| self.path(name).display().to_string());
        paths.collect::<Vec<_>>().join(",")
    }

    fn partitions(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("t-")).collect();
        names.sort();
        names
    }
}

fn id_of(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("meta.properties")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("directory.id=")).unwrap().to_owned()
}

fn latest(client: &mut Client, partition: i32) -> (ErrorCode, i64) {
    let asked =
        ListOffsetsPartition { partition_index: partition, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = client.call(7, &request);
    let found = &answer.topics[0].partitions[0];
    (found.error_code, found.offset)
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// Leader and offline replicas of each partition.
fn placed(client: &mut Client) -> Vec<(i32, Vec<i32>)> {
    let asked = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    let mut answer = client.call(9, &request);
    let partitions = &mut answer.topics[0].partitions;
    partitions.sort_by_key(|partition| partition.partition_index);
    partitions.iter().map(|p| (p.leader_id, p.offline_replicas.clone())).collect()
}

#[test]
fn partitions_go_where_the_fewest_are_and_stay() {
    for shards in [1, 3] {
        let directories = Directories::new(&["a", "b"]);
        let mut node = TestNode::start(shards, &[("log.dirs", &directories.setting())]);
        let mut client = node.connect();
        let id = client.create("t", 5, &[]);
        for partition in 0..5 {
            client.produce("t", partition, -1, batch(&["x", "y"]));
        }
        drop(client);
        for clean in [true, false] {
            node.restart(shards);
            assert_eq!(directories.partitions("a"), ["t-0", "t-2", "t-4"], "clean: {clean}");
            assert_eq!(directories.partitions("b"), ["t-1", "t-3"]);
            let mut client = node.connect();
            for partition in 0..5 {
                let (error, found, end) = client.fetch(id, partition, 0, 0);
                assert_eq!((error, found.len(), end), (ErrorCode::NONE, 1, 2));
            }
        }
        assert_ne!(id_of(&directories.path("a")), id_of(&directories.path("b")));
        for name in ["a", "b"] {
            assert!(!directories.path(name).join(".kafka_cleanshutdown").exists());
        }
        node.stop();
        for name in ["a", "b"] {
            assert!(directories.path(name).join(".kafka_cleanshutdown").exists());
            let read = |file: &str| fs::read_to_string(directories.path(name).join(file)).unwrap();
            let lines = read("recovery-point-offset-checkpoint");
            assert_eq!(lines.lines().count() - 2, directories.partitions(name).len(), "{lines}");
        }
        node = TestNode::start(shards, &[("log.dirs", &directories.setting())]);
        drop(node);
    }
}

#[test]
fn a_failed_directory_takes_its_own_partitions_offline() {
    let directories = Directories::new(&["a", "b"]);
    let node = TestNode::start(2, &[("log.dirs", &directories.setting())]);
    let mut client = node.connect();
    let id = client.create("t", 4, &[]);
    for partition in 0..4 {
        client.produce("t", partition, -1, batch(&["x"]));
    }
    // What is open goes on, but no file can be made in it any more.
    fs::rename(directories.path("b"), directories.path("away")).unwrap();
    let large = "x".repeat(900_000);
    let mut code = ErrorCode::NONE;
    for _ in 0..50 {
        code = client.produce("t", 1, -1, batch(&[&large])).error_code;
        if code.is_error() {
            break;
        }
        pause();
    }
    assert_eq!(code, ErrorCode::KAFKA_STORAGE_ERROR);
    // The other shard's partition follows.
    let is_offline = |client: &mut Client| placed(client)[3] == (-1, vec![1]);
    assert!((0..100).any(|_| {
        pause();
        is_offline(&mut client)
    }));
    let found = placed(&mut client);
    assert_eq!(found, [(1, vec![]), (-1, vec![1]), (1, vec![]), (-1, vec![1])]);
    for partition in [1, 3] {
        let produced = client.produce("t", partition, -1, batch(&["y"]));
        assert_eq!(produced.error_code, ErrorCode::KAFKA_STORAGE_ERROR);
        assert_eq!(client.fetch(id, partition, 0, 0).0, ErrorCode::KAFKA_STORAGE_ERROR);
        assert_eq!(latest(&mut client, partition).0, ErrorCode::KAFKA_STORAGE_ERROR);
    }
    for partition in [0, 2] {
        assert_eq!(client.produce("t", partition, -1, batch(&["y"])).base_offset, 1);
        assert_eq!(client.fetch(id, partition, 0, 0).2, 2);
        assert_eq!(latest(&mut client, partition), (ErrorCode::NONE, 2));
    }
    // What comes new goes where there is a directory.
    let more = client.create("u", 2, &[]);
    for partition in 0..2 {
        client.produce("u", partition, -1, batch(&["z"]));
        assert_eq!(client.fetch(more, partition, 0, 0).2, 1);
    }
}

#[test]
fn a_directory_that_is_not_mounted_is_not_made_anew() {
    let directories = Directories::new(&["a", "b"]);
    let mut node = TestNode::start(1, &[("log.dirs", &directories.setting())]);
    let id = node.connect().create("t", 2, &[]);
    for partition in 0..2 {
        node.connect().produce("t", partition, -1, batch(&["x"]));
    }
    node.stop();
    fs::rename(directories.path("b"), directories.path("away")).unwrap();
    for empty in [false, true] {
        if empty {
            fs::create_dir(directories.path("b")).unwrap();
        }
        let error = TestNode::try_start(1, &[("log.dirs", &directories.setting())]).err().unwrap();
        assert!(error.contains("no meta.properties in log directory"), "{error}");
        assert!(error.contains(&id_of(&directories.path("away"))), "{error}");
    }
    // One that cannot be read is left out, with what is in it.
    fs::remove_dir_all(directories.path("b")).unwrap();
    fs::write(directories.path("b"), "").unwrap();
    let mut node = TestNode::start(1, &[("log.dirs", &directories.setting())]);
    let mut client = node.connect();
    assert_eq!(client.fetch(id, 0, 0, 0).2, 1);
    assert_eq!(client.fetch(id, 1, 0, 0).0, ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(placed(&mut client), [(1, vec![]), (-1, vec![1])]);
    drop(client);
    node.stop();
    // It comes back.
    fs::remove_file(directories.path("b")).unwrap();
    fs::rename(directories.path("away"), directories.path("b")).unwrap();
    let node = TestNode::start(1, &[("log.dirs", &directories.setting())]);
    let mut client = node.connect();
    for partition in 0..2 {
        assert_eq!(client.fetch(id, partition, 0, 0).2, 1);
    }
    assert_eq!(placed(&mut client), [(1, vec![]), (1, vec![])]);
}

#[test]
fn directories_of_others_are_refused() {
    let directories = Directories::new(&["a", "b"]);
    let mut node = TestNode::start(1, &[("log.dirs", &directories.setting())]);
    node.stop();
    let other = Directories::new(&["c"]);
    let mut node = TestNode::start(1, &[("log.dirs", &other.setting())]);
    node.stop();
    let refusal =
        |setting: String| TestNode::try_start(1, &[("log.dirs", &setting)]).err().unwrap();
    let both = format!("{},{}", directories.path("a").display(), other.path("c").display());
    assert!(refusal(both).contains("belongs to cluster"));
    // The metadata's directory is gone, its data is not.
    let fresh = directories.path("fresh");
    let setting = format!("{},{}", fresh.display(), directories.path("b").display());
    assert!(refusal(setting).contains("has no metadata"));
    assert!(!fresh.join("meta.properties").exists());
    // A copy.
    let copy = directories.path("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(directories.path("b").join("meta.properties"), copy.join("meta.properties")).unwrap();
    let setting = format!("{},{}", directories.setting(), copy.display());
    assert!(refusal(setting).contains("the same directory.id"));
}

#[test]
fn the_metadata_may_have_a_directory_of_its_own() {
    let directories = Directories::new(&["a", "b"]);
    let metadata = directories.path("metadata").display().to_string();
    let settings = [("log.dirs", &*directories.setting()), ("metadata.log.dir", &*metadata)];
    let mut node = TestNode::start(2, &settings);
    let id = node.connect().create("t", 2, &[]);
    for partition in 0..2 {
        node.connect().produce("t", partition, -1, batch(&["x"]));
    }
    node.restart(2);
    assert!(directories.path("metadata").join("__cluster_metadata-0").is_dir());
    assert_eq!(directories.partitions("metadata"), [""; 0]);
    assert_eq!(directories.partitions("a"), ["t-0"]);
    let mut client = node.connect();
    for partition in 0..2 {
        assert_eq!(client.fetch(id, partition, 0, 0).2, 1);
    }
}

/// The shards that have a manifest here.
fn manifests(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let of_shards =
        names.filter(|name| name.ends_with(".manifest") && !name.contains("controller"));
    of_shards.count()
}

#[test]
fn commit_logs_go_to_a_device_of_their_own_and_back() {
    let directories = Directories::new(&["a", "b"]);
    let path = |name: &str| directories.path(name).display().to_string();
    let (setting, more) = (directories.setting(), "x".repeat(300_000));
    let ids = || ["a", "b"].map(|name| id_of(&directories.path(name)));
    let mut id = None;
    let mut expected = 0;
    let wanted = [None, Some("log"), Some("log"), Some("other"), None, Some("log")];
    for (commit, shards) in wanted.into_iter().zip([2, 2, 1, 2, 2, 1]) {
        let commit_setting = commit.map(path).unwrap_or_default();
        let settings = [("log.dirs", &*setting), ("odradek.commit.log.dir", &*commit_setting)];
        let mut node = TestNode::start(shards, &settings);
        let mut client = node.connect();
        let id = *id.get_or_insert_with(|| client.create("t", 4, &[]));
        for partition in 0..4 {
            let (error, found, end) = client.fetch(id, partition, i64::max(expected - 2, 0), 0);
            assert_eq!((error, end), (ErrorCode::NONE, expected), "in {commit:?}");
            assert_eq!(found.len(), if expected > 0 { 2 } else { 0 });
            for batch in [batch(&["x"]), batch(&[&more])] {
                let produced = client.produce("t", partition, -1, batch);
                assert_eq!(produced.error_code, ErrorCode::NONE);
            }
        }
        expected += 2;
        drop(client);
        node.stop();
        // They are in one place, of the number of shards that there are now, and the controller's stays with the metadata.
        for (name, id) in ["a", "b"].into_iter().zip(ids()) {
            for (root, place) in [None, Some("log"), Some("other")].into_iter().map(|root| {
                let apart = root.map(|root| directories.path(root).join(&id));
                (root, apart.unwrap_or_else(|| directories.path(name)))
            }) {
                let there = if root == commit { shards } else { 0 };
                assert_eq!(manifests(&place), there, "of {name} in {}", place.display());
            }
            let said = broker::inspect::report(&directories.path(name)).unwrap();
            assert_eq!(said.contains("commit logs in"), commit.is_some(), "{said}");
            assert!(said.contains("shard 0 of"), "{said}");
        }
        assert!(directories.path("a").join("odradek-controller.manifest").exists());
    }
    let refusal = |commit: &str| {
        let settings = [("log.dirs", &*setting), ("odradek.commit.log.dir", commit)];
        TestNode::try_start(1, &settings).err().unwrap()
    };
    // It is not mounted, or what is there is another's.
    fs::rename(directories.path("log"), directories.path("away")).unwrap();
    let error = refusal(&path("log"));
    assert!(error.contains("has its commit log there: mount it"), "{error}");
    assert!(!directories.path("log").exists());
    for other in [path("other"), String::new()] {
        let error = refusal(&other);
        assert!(error.contains("and that is not there: mount it"), "{error}");
    }
    let error = broker::inspect::report(&directories.path("b")).unwrap_err();
    assert!(error.contains("and that is not there"), "{error}");
    // Wherever it is mounted, it is known by its id.
    let settings = [("log.dirs", &*setting), ("odradek.commit.log.dir", &*path("away"))];
    let mut node = TestNode::start(1, &settings);
    assert_eq!(node.connect().fetch(id.unwrap(), 3, expected - 1, 0).2, expected);
    node.stop();
    let stranger = Directories::new(&["c"]);
    let other_node =
        [("log.dirs", &*stranger.setting()), ("odradek.commit.log.dir", &*path("away"))];
    let error = TestNode::try_start(1, &other_node).err().unwrap();
    assert!(error.contains("but the log directories to"), "{error}");
    let inside = directories.path("a").join("log").display().to_string();
    let settings = [("log.dirs", setting.clone()), ("odradek.commit.log.dir", inside)];
    let overrides = settings.map(|(key, value)| (key.to_owned(), value)).to_vec();
    let refused = broker::config::load(&broker::config::Invocation { file: None, overrides });
    assert!(refused.err().unwrap().to_string().contains("is in log directory"));
}

/// Asks that partition 0 moves.
fn move_to(client: &mut Client, topic: &'static str, path: &str) -> ErrorCode {
    let topics = vec![AlterReplicaLogDirTopic { name: topic.into(), partitions: vec![0] }];
    let dirs = vec![AlterReplicaLogDir { path: path.into(), topics }];
    let answer = client.call(2, &AlterReplicaLogDirsRequest { dirs });
    answer.results[0].partitions[0].error_code
}

/// The directories in which there is something of partition 0: (its name, is it a future log).
fn where_is(client: &mut Client) -> Vec<(String, bool, i64)> {
    let topics = vec![DescribableLogDirTopic { topic: "t".into(), partitions: vec![0] }];
    let answer = client.call(4, &DescribeLogDirsRequest { topics: Some(topics) });
    let mut found = Vec::new();
    for result in &answer.results {
        assert_eq!(result.error_code, ErrorCode::NONE);
        assert!(result.total_bytes > result.usable_bytes && result.usable_bytes > 0);
        let name = result.log_dir.rsplit('/').next().unwrap().to_owned();
        let partitions = result.topics.iter().flat_map(|topic| &topic.partitions);
        found.extend(partitions.map(|p| (name.clone(), p.is_future_key, p.partition_size)));
    }
    found
}

fn wait_until_in(client: &mut Client, name: &str) {
    for _ in 0..1000 {
        let found = where_is(client);
        if let [(at, false, _)] = &found[..]
            && at == name
        {
            return;
        }
        pause();
    }
    panic!("it does not come to {name}: {:?}", where_is(client));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a client that works beside the other")]
fn a_partition_moves_while_it_is_written() {
    let directories = Directories::new(&["a", "b"]);
    let mut node = TestNode::start(2, &[("log.dirs", &directories.setting())]);
    let mut client = node.connect();
    let id = client.create("t", 1, &[("segment.bytes", "1048576")]);
    let large = "x".repeat(100_000);
    for _ in 0..30 {
        client.produce("t", 0, -1, batch(&[&large]));
    }
    let address = node.address();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let producer = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        let mut next = 30;
        while stopped.try_recv().is_err() {
            let produced = client.produce("t", 0, -1, batch(&["a record"]));
            assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, next));
            next += 1;
        }
        next
    });
    let path = |name: &str| directories.path(name).display().to_string();
    for name in ["b", "a", "b"] {
        assert_eq!(move_to(&mut client, "t", &path(name)), ErrorCode::NONE);
        wait_until_in(&mut client, name);
        let (error, found, _) = client.fetch(id, 0, 0, 0);
        assert_eq!((error, found[0].base_offset().0), (ErrorCode::NONE, 0));
    }
    stop.send(()).unwrap();
    let end = producer.join().unwrap();
    assert!(end > 60, "{end} records while it moved");
    // Where it is already, and what is not there.
    assert_eq!(move_to(&mut client, "t", &path("b")), ErrorCode::NONE);
    assert_eq!(move_to(&mut client, "t", &path("c")), ErrorCode::LOG_DIR_NOT_FOUND);
    assert_eq!(move_to(&mut client, "u", &path("a")), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    drop(client);
    for shards in [2, 1] {
        node.restart(shards);
        let mut client = node.connect();
        assert_eq!(where_is(&mut client).len(), 1);
        let mut next = 0;
        while next < end {
            let (error, found, high_watermark) = client.fetch(id, 0, next, 0);
            assert_eq!((error, high_watermark), (ErrorCode::NONE, end));
            for batch in found {
                assert_eq!(batch.base_offset().0, next);
                next = batch.last_offset().0 + 1;
            }
        }
        assert_eq!(next, end);
    }
    node.stop();
    assert_eq!(directories.partitions("b"), ["t-0"]);
    let left = directories.partitions("a");
    assert!(left.iter().all(|name| name.ends_with("-delete")), "{left:?}");
}
