//! Every path by which bytes leave moves 256 MiB and is compared.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]

use std::{fs, io::Read, time::Duration};

use common::{
    Server, Setup, pattern,
    transfer::{FILE, ROUNDS, request, transfer},
};
use net::{connection::CloseReason, send::FilePath};

mod common;

#[test]
fn memory() {
    let server = Server::start(Setup::default());
    let mut client = server.connect();
    for round in 0..16 {
        let bytes = 16_u64 << 20;
        let mut request = vec![b'Z'];
        request.extend_from_slice(&(bytes - round).to_be_bytes());
        client.send(&request);
        let answer = client.receive();
        assert!(answer.len() as u64 == bytes - round && answer.iter().all(|byte| *byte == 0));
    }
    assert!(server.stop().memory_bytes > (256 << 20) - 1000);
}

#[test]
fn warm_files_by_sendfile() {
    let report = transfer(FilePath::Auto, false);
    assert_eq!(report.sendfile_bytes + report.read_bytes, ROUNDS * FILE, "{report:?}");
    // The kernel may take a page back at any time, and a chunk that misses one is read: a few chunks, not a path.
    assert!(report.read_bytes < FILE / 16, "{report:?}");
}

#[test]
fn cold_files_by_read_and_send() {
    let report = transfer(FilePath::Auto, true);
    assert_eq!(report.sendfile_bytes + report.read_bytes, ROUNDS * FILE, "{report:?}");
    // The kernel reads ahead of us: a chunk whose pages are there already is sent from them.
    assert!(report.read_bytes > 0, "{report:?}");
}

#[test]
fn by_reading_alone() {
    let report = transfer(FilePath::Read, false);
    assert_eq!((report.read_bytes, report.sendfile_bytes), (ROUNDS * FILE, 0), "{report:?}");
}

#[test]
fn by_splice() {
    let report = transfer(FilePath::Splice, false);
    assert_eq!((report.splice_bytes, report.sendfile_bytes), (ROUNDS * FILE, 0), "{report:?}");
}

#[test]
fn a_file_that_is_too_short_closes_the_connection() {
    for path in [FilePath::Auto, FilePath::SendFile, FilePath::Read, FilePath::Splice] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, pattern(10_000, 7)).unwrap();
        let server = Server::start(Setup { path, file: Some(file), ..Setup::default() });
        let mut client = server.connect();
        client.send(&request(5000, 6000));
        let mut answer = Vec::new();
        client.stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client.stream.read_to_end(&mut answer).unwrap();
        assert!(answer.len() <= 5005, "{path:?}: {} bytes", answer.len());
        assert_eq!(server.stop().closed(CloseReason::File), 1, "{path:?}");
    }
}
