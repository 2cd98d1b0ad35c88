//! Operations on files and names, and what a dropped future must not do.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    fs,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use common::with_ring;
use futures::future::join_all;
use ring::{
    Ring, RingOptions,
    buffer::{Aligned, AppendBuffer},
    op::{At, now},
};

mod common;

async fn open(ring: &Ring, path: &Path, flags: i32) -> Arc<OwnedFd> {
    Arc::new(ring.openat(At::WorkingDirectory, path, flags, 0o644).unwrap().await.unwrap())
}

#[test]
fn writes_reads_and_syncs() {
    let directory = tempfile::tempdir().unwrap();
    with_ring(RingOptions::default(), |ring| async move {
        let path = directory.path().join("a");
        let file = open(&ring, &path, libc::O_RDWR | libc::O_CREAT | libc::O_DIRECT).await;
        ring.fallocate(&file, 0, 0, 1 << 16).await.unwrap();
        let mut buffer = AppendBuffer::new(8192);
        let range = buffer.append_with(8192, |bytes| bytes.fill(7));
        assert_eq!(ring.write_at(&file, buffer.slice(range), 4096, true).await.unwrap(), 8192);
        ring.fdatasync(&file).await.unwrap();
        ring.fsync(&file).await.unwrap();
        let (read, bytes) = ring.read_at(&file, Aligned::with_capacity(16384), 16384, 0).await;
        assert_eq!(read.unwrap(), 16384);
        let bytes = bytes.freeze(..);
        assert!(bytes[..4096].iter().all(|byte| *byte == 0));
        assert!(bytes[4096..12288].iter().all(|byte| *byte == 7));
        ring.ftruncate(&file, 4096).await.unwrap();
        assert_eq!(ring.fstat(&file).await.unwrap().len, 4096);
        let (read, bytes) = ring.read_at(&file, Aligned::with_capacity(8192), 8192, 4096).await;
        assert_eq!((read.unwrap(), bytes.len()), (0, 0));
        ring.close_file(file).unwrap().await.unwrap();
    });
}

#[test]
fn names() {
    let root = tempfile::tempdir().unwrap();
    with_ring(RingOptions::default(), |ring| async move {
        ring.mkdirat(At::WorkingDirectory, &root.path().join("d"), 0o755).unwrap().await.unwrap();
        let directory = open(&ring, &root.path().join("d"), libc::O_DIRECTORY).await;
        let at = At::Directory(&directory);
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
        drop(ring.openat(at, Path::new("x"), flags, 0o600).unwrap().await.unwrap());
        let again = ring.openat(at, Path::new("x"), flags, 0o600).unwrap().await;
        assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        ring.renameat((at, Path::new("x")), (at, Path::new("y")), 0).unwrap().await.unwrap();
        let status = ring.statx(at, Path::new("y")).unwrap().await.unwrap();
        assert!(!status.is_directory && status.inode > 0 && status.changed.as_secs() > 0);
        ring.fsync(&directory).await.unwrap();
        ring.unlinkat(at, Path::new("y"), 0).unwrap().await.unwrap();
        assert!(ring.statx(at, Path::new("y")).unwrap().await.is_err());
        assert!(ring.statx(at, Path::new("a\0b")).is_err());
        let d = root.path().join("d");
        assert!(ring.statx(At::WorkingDirectory, &d).unwrap().await.unwrap().is_directory);
        ring.unlinkat(At::WorkingDirectory, &d, libc::AT_REMOVEDIR).unwrap().await.unwrap();
    });
}

#[test]
fn a_dropped_write_is_not_cancelled_and_keeps_its_memory() {
    struct Owner(Vec<u8>, Arc<AtomicBool>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.fill(0);
            self.1.store(true, Ordering::Relaxed);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    with_ring(RingOptions::default(), |ring| async move {
        let path = directory.path().join("a");
        let file = open(&ring, &path, libc::O_RDWR | libc::O_CREAT).await;
        let dropped = Arc::new(AtomicBool::new(false));
        let bytes = Bytes::from_owner(Owner(vec![9; 1 << 20], Arc::clone(&dropped)));
        drop(ring.write_at(&file, bytes, 0, true));
        assert!(!dropped.load(Ordering::Relaxed), "the kernel has not even seen it");
        assert_eq!(ring.stats().abandoned, 1);
        drop(file);
        ring.idle().await;
        assert!(dropped.load(Ordering::Relaxed));
        let written = fs::read(&path).unwrap();
        assert!(written.len() == 1 << 20 && written.iter().all(|byte| *byte == 9));
    });
}

#[test]
fn a_dropped_read_keeps_its_memory_and_a_dropped_open_leaks_no_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    with_ring(RingOptions::default(), |ring| async move {
        let path = directory.path().join("a");
        fs::write(&path, vec![1; 1 << 20]).unwrap();
        let file = open(&ring, &path, libc::O_RDONLY).await;
        for _ in 0..100 {
            drop(ring.read_at(&file, Aligned::with_capacity(1 << 20), 1 << 20, 0));
            drop(ring.openat(At::WorkingDirectory, &path, libc::O_RDONLY, 0).unwrap());
        }
        ring.idle().await;
        assert_eq!(ring.stats().in_flight, 0);
        assert_eq!(descriptors(&path.to_string_lossy()), 1, "the file that we hold, and no other");
    });
}

#[test]
fn more_operations_than_the_queues_have_room_for() {
    let directory = tempfile::tempdir().unwrap();
    with_ring(RingOptions { entries: 4, ..RingOptions::default() }, |ring| async move {
        let path = directory.path().join("a");
        let file = open(&ring, &path, libc::O_RDWR | libc::O_CREAT).await;
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let writes = (0..5000_u32).map(|n| {
            let write = ring.write_at(
                &file,
                Bytes::from(n.to_be_bytes().to_vec()),
                u64::from(n) * 4,
                false,
            );
            let order = Rc::clone(&order);
            async move {
                assert_eq!(write.await.unwrap(), 4);
                order.borrow_mut().push(n);
            }
        });
        join_all(writes).await;
        assert_eq!(order.borrow().len(), 5000);
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.chunks(4).zip(0_u32..).all(|(bytes, n)| bytes == n.to_be_bytes()));
        let stats = ring.stats();
        assert!(stats.queue_full > 0 && stats.submissions == stats.completions, "{stats:?}");
    });
}

#[test]
fn one_system_call_for_all_that_is_pushed_in_a_turn() {
    with_ring(RingOptions::default(), |ring| async move {
        for _ in 0..10 {
            join_all((0..100).map(|_| ring.nop()))
                .await
                .into_iter()
                .for_each(|result| result.unwrap());
        }
        let stats = ring.stats();
        assert_eq!(stats.completions, 1000);
        assert!(stats.enters <= 20, "{stats:?}");
    });
}

#[test]
fn a_held_lock_file_stays_locked_until_it_is_released() {
    let directory = tempfile::tempdir().unwrap();
    with_ring(RingOptions::default(), |ring| async move {
        let path = directory.path().join("lock");
        let try_lock = || {
            let file = fs::File::create(&path).unwrap();
            // SAFETY: the descriptor is open.
            let locked =
                unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
            locked.then_some(file)
        };
        let file = try_lock().unwrap();
        let held = ring.hold_file(OwnedFd::from(file)).unwrap();
        assert!(try_lock().is_none());
        ring.release_file(held).unwrap();
        // The kernel lets go of it soon, not at once.
        for _ in 0..1000 {
            ring.nop().await.unwrap();
            if try_lock().is_some() {
                return;
            }
            glommio::timer::sleep(std::time::Duration::from_millis(1)).await;
        }
        panic!("the lock is still held");
    });
}

/// Open descriptors of this process whose file's name contains `name`.
fn descriptors(name: &str) -> usize {
    let links = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().contains(name)).count()
}

#[test]
fn a_closed_ring_leaves_no_descriptor() {
    let before = descriptors("io_uring");
    for _ in 0..50 {
        with_ring(RingOptions::default(), |ring| async move { ring.nop().await.unwrap() });
    }
    // Glommio keeps its own; other tests of this binary have some.
    let after = descriptors("io_uring");
    assert!(after < before + 40, "{before} rings became {after}");
}

/// Who removes a file in slices asks this first.
#[test]
fn a_file_tells_whether_it_is_open_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fs::write(&path, b"bytes").unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    assert!(!now::is_open_elsewhere(&file).unwrap());
    let reader = fs::File::open(&path).unwrap();
    assert!(now::is_open_elsewhere(&file).unwrap());
    drop(reader);
    let writer = fs::OpenOptions::new().write(true).open(&path).unwrap();
    assert!(now::is_open_elsewhere(&file).unwrap());
    drop(writer);
    assert!(!now::is_open_elsewhere(&file).unwrap());
    assert!(now::is_open_elsewhere(fs::File::open("/dev/null").unwrap()).is_err());
}
