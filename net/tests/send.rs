//! Every path by which bytes leave moves 256 MiB and is compared.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]

use std::{fs, io::Read, os::fd::AsRawFd, path::Path, thread, time::Duration};

use common::{Report, Server, Setup, pattern};
use net::{connection::CloseReason, send::FilePath};

mod common;

const FILE: u64 = 64 << 20;
const ROUNDS: u64 = 4;

fn request(kind: u8, position: u64, length: u64) -> Vec<u8> {
    [&[kind][..], &position.to_be_bytes(), &length.to_be_bytes()].concat()
}

/// Drops the file from the page cache.
fn cool(path: &Path) {
    let file = fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(result, 0);
}

/// Asks for the whole file in uneven ranges, several at once, as often as makes 256 MiB.
fn transfer(path: FilePath, kind: u8, cold: bool) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let bytes = pattern(FILE as usize, 7);
    fs::write(&file, &bytes).unwrap();
    let server = Server::start(Setup { path, file: Some(file.clone()), ..Setup::default() });
    let mut client = server.connect();
    for _ in 0..ROUNDS {
        if cold {
            cool(&file);
        }
        let mut ranges = Vec::new();
        let mut position = 0;
        for length in
            [1, 4095, 4097, 100, 3 << 20, 1 << 18, 65_537, 20 << 20, 11].into_iter().cycle()
        {
            let length = length.min(FILE - position);
            ranges.push((position, length));
            position += length;
            if position == FILE {
                break;
            }
        }
        let mut writer = common::Client { stream: client.stream.try_clone().unwrap() };
        let asking = thread::Builder::new().spawn({
            let ranges = ranges.clone();
            move || {
                ranges
                    .iter()
                    .for_each(|(position, length)| writer.send(&request(kind, *position, *length)))
            }
        });
        for (position, length) in ranges {
            let answer = client.receive();
            let (first, rest) = answer.split_first().unwrap();
            let (last, rest) = rest.split_last().unwrap();
            assert_eq!((*first, *last, rest.len() as u64), (kind, kind, length));
            let expected = &bytes[position as usize..(position + length) as usize];
            assert!(rest == expected, "{length} bytes at {position} differ");
        }
        asking.unwrap().join().unwrap();
    }
    server.stop()
}

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
    let report = transfer(FilePath::Auto, b'F', false);
    assert_eq!(report.sendfile_bytes + report.read_bytes, ROUNDS * FILE, "{report:?}");
    // The kernel may take a page back at any time, and a chunk that misses one is read: a few chunks, not a path.
    assert!(report.read_bytes < FILE / 16, "{report:?}");
}

#[test]
fn cold_files_by_read_and_send() {
    let report = transfer(FilePath::Auto, b'F', true);
    assert_eq!(report.sendfile_bytes + report.read_bytes, ROUNDS * FILE, "{report:?}");
    // The kernel reads ahead of us: a chunk whose pages are there already is sent from them.
    assert!(report.read_bytes > 0, "{report:?}");
}

#[test]
fn cold_files_with_followers_are_read_ahead() {
    let report = transfer(FilePath::Auto, b'R', true);
    assert_eq!(report.sendfile_bytes + report.read_bytes, ROUNDS * FILE, "{report:?}");
    assert!(
        report.sendfile_bytes > report.read_bytes && report.read_ahead_bytes > FILE,
        "{report:?}"
    );
}

#[test]
fn by_reading_alone() {
    let report = transfer(FilePath::Read, b'F', false);
    assert_eq!((report.read_bytes, report.sendfile_bytes), (ROUNDS * FILE, 0), "{report:?}");
}

#[test]
fn by_splice() {
    let report = transfer(FilePath::Splice, b'F', false);
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
        client.send(&request(b'F', 5000, 6000));
        let mut answer = Vec::new();
        client.stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client.stream.read_to_end(&mut answer).unwrap();
        assert!(answer.len() <= 5005, "{path:?}: {} bytes", answer.len());
        assert_eq!(server.stop().closed(CloseReason::File), 1, "{path:?}");
    }
}
