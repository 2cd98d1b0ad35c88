//! Cold files while something is written. In a process of its own, for a write through any ring of a process counts.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(clippy::disallowed_methods, reason = "a test may wait")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use common::transfer::{FILE, ROUNDS, transfer};
use glommio::{LocalExecutorBuilder, Placement};
use net::send::FilePath;
use ring::{Ring, RingOptions};

mod common;

/// Writes a few bytes every few milliseconds until it is told to stop.
fn write_until(stop: &AtomicBool) {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create(directory.path().join("written")).unwrap();
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).make().unwrap();
    executor.run(async move {
        let (ring, file) = (Ring::new(&RingOptions::default()).unwrap(), Arc::new(file.into()));
        while !stop.load(Ordering::Relaxed) {
            ring.write_at(&file, Bytes::from_static(b"some"), 0, true).await.unwrap();
            glommio::timer::sleep(Duration::from_millis(5)).await;
        }
        ring.close().await;
    });
}

#[test]
fn cold_files_are_read_ahead_in_pieces() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| write_until(&stop));
        while !ring::writes::lately() {
            thread::yield_now();
        }
        let report = transfer(FilePath::Auto, true);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(report.sendfile_bytes + report.read_bytes, ROUNDS * FILE, "{report:?}");
        // The kernel may take pages back before they are sent, and reads nothing ahead of what it is asked for.
        assert!(report.sendfile_bytes > report.read_bytes * 4, "{report:?}");
        assert!(report.read_ahead_bytes > ROUNDS * FILE * 3 / 4, "{report:?}");
    });
    thread::sleep(Duration::from_millis(1100));
    assert!(!ring::writes::lately(), "nothing was written for more than a second");
    let report = transfer(FilePath::Auto, true);
    assert_eq!(report.read_ahead_bytes, 0, "{report:?}");
    assert!(report.read_bytes > 0, "{report:?}");
}
