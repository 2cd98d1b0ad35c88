//! Moves a file as often as makes 256 MiB, and compares.

use std::{fs, os::fd::AsRawFd, path::Path, thread};

use net::send::FilePath;

use super::{Client, Report, Server, Setup, pattern};

pub(crate) const FILE: u64 = 64 << 20;
pub(crate) const ROUNDS: u64 = 4;

pub(crate) fn request(position: u64, length: u64) -> Vec<u8> {
    [&b"F"[..], &position.to_be_bytes(), &length.to_be_bytes()].concat()
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
pub(crate) fn transfer(path: FilePath, cold: bool) -> Report {
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
        let mut writer = Client { stream: client.stream.try_clone().unwrap() };
        let asking = thread::Builder::new().spawn({
            let ranges = ranges.clone();
            move || {
                ranges
                    .iter()
                    .for_each(|(position, length)| writer.send(&request(*position, *length)))
            }
        });
        for (position, length) in ranges {
            let answer = client.receive();
            let (first, rest) = answer.split_first().unwrap();
            let (last, rest) = rest.split_last().unwrap();
            assert_eq!((*first, *last, rest.len() as u64), (b'F', b'F', length));
            let expected = &bytes[position as usize..(position + length) as usize];
            assert!(rest == expected, "{length} bytes at {position} differ");
        }
        asking.unwrap().join().unwrap();
    }
    server.stop()
}
