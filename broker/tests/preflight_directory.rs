//! `meta.properties`: written on the first start, compared on every later one.

use std::fs;
use std::path::Path;

use broker::preflight::directory::{DirectoryError, Identity, Use, create, identify};
use storage::checkpoint::MetaProperties;

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn formatted(path: &Path) -> Identity {
    create(Use::Log, path).expect("made");
    identify(Use::Log, path, 1, None).expect("formatted")
}

#[test]
fn a_new_directory_gets_an_identity_and_keeps_it() {
    let root = temporary();
    let path = root.path().join("a/b/data");
    let first = formatted(&path);
    assert!(first.formatted);
    assert_eq!(first.cluster_id.len(), 22);
    let text = fs::read_to_string(path.join("meta.properties")).expect("there");
    for line in
        ["version=1", "node.id=1", &format!("cluster.id={}", first.cluster_id), "directory.id="]
    {
        assert!(text.contains(line), "{text}");
    }
    let second = formatted(&path);
    assert_eq!(second, Identity { formatted: false, ..first });
}

#[test]
fn two_directories_get_two_clusters_and_a_named_one_is_kept() {
    let root = temporary();
    let (a, b) = (formatted(&root.path().join("a")), formatted(&root.path().join("b")));
    assert_ne!(a.cluster_id, b.cluster_id);
    let path = root.path().join("c");
    create(Use::Log, &path).expect("made");
    let named = identify(Use::Log, &path, 1, Some("4L6g3nShT-eMCtK--X86sw")).expect("formatted");
    assert_eq!(named.cluster_id, "4L6g3nShT-eMCtK--X86sw");
}

#[test]
fn anothers_directory_is_refused_with_the_fix() {
    let root = temporary();
    formatted(root.path());
    let error = identify(Use::Log, root.path(), 2, None).expect_err("another node's");
    assert!(matches!(error, DirectoryError::OtherNode { found: 1, expected: 2, .. }));
    assert!(error.to_string().contains("set node.id=1"), "{error}");
    let error = identify(Use::Log, root.path(), 1, Some("4L6g3nShT-eMCtK--X86sw"))
        .expect_err("another cluster's");
    assert!(error.to_string().contains("odradek.cluster.id"), "{error}");
}

#[test]
fn what_is_no_log_directory_is_not_formatted() {
    let root = temporary();
    fs::create_dir(root.path().join("photos")).expect("made");
    let error = identify(Use::Log, root.path(), 1, None).expect_err("not ours");
    assert!(error.to_string().contains("photos is in it"), "{error}");
    assert!(!root.path().join("meta.properties").exists());
}

#[test]
fn a_fresh_file_system_and_an_interrupted_first_start_are_formatted() {
    let root = temporary();
    fs::create_dir(root.path().join("lost+found")).expect("made");
    fs::write(root.path().join(".lock"), "").expect("written");
    fs::write(root.path().join("meta.properties.part"), "version=").expect("written");
    assert!(identify(Use::Log, root.path(), 1, None).expect("formatted").formatted);
}

#[test]
fn a_damaged_file_is_refused() {
    let root = temporary();
    fs::write(root.path().join("meta.properties"), "version=7\n").expect("written");
    let error = identify(Use::Log, root.path(), 1, None).expect_err("damaged");
    assert!(error.to_string().contains("meta.properties: version 7 is unknown"), "{error}");
}

#[test]
fn kafkas_directory_without_an_id_gets_one() {
    let root = temporary();
    let properties = MetaProperties { cluster_id: "abc".into(), node_id: 1, directory_id: None };
    fs::write(root.path().join("meta.properties"), properties.print()).expect("written");
    let first = identify(Use::Log, root.path(), 1, None).expect("taken");
    assert_eq!((first.cluster_id.as_str(), first.formatted), ("abc", false));
    assert_eq!(identify(Use::Log, root.path(), 1, None).expect("taken"), first);
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let root = temporary();
    fs::write(root.path().join("file"), "").expect("written");
    let error = create(Use::Log, &root.path().join("file/data")).expect_err("no directory");
    assert!(error.to_string().contains("log.dirs"), "{error}");
}

#[test]
fn a_directory_for_commit_logs_is_told_from_a_log_directory() {
    let (logs, commit) = (temporary(), temporary());
    let owner = formatted(logs.path());
    let begin = |path: &Path, node, cluster| identify(Use::CommitLogs, path, node, Some(cluster));
    let first = begin(commit.path(), 1, &owner.cluster_id).expect("formatted");
    assert!(first.formatted && first.directory_id != owner.directory_id);
    assert!(!begin(commit.path(), 1, &owner.cluster_id).expect("ours").formatted);
    for (error, message) in [
        (begin(commit.path(), 2, &owner.cluster_id), "set node.id=1"),
        (
            begin(commit.path(), 1, "4L6g3nShT-eMCtK--X86sw"),
            "name another directory in odradek.commit.log.dir",
        ),
        (begin(logs.path(), 1, &owner.cluster_id), "has no odradek.commit.logs"),
        (
            identify(Use::Log, commit.path(), 1, None),
            "has no meta.properties: name an empty directory in log.dirs",
        ),
    ] {
        let error = error.expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
}
