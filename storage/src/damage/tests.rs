use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::batch::BatchHeader;
use crate::error::ReadError;
use crate::runtime::Runtime;
use crate::runtime::simulated::{Disk, Simulated};
use crate::segment::files::{Kind, file_name};
use crate::simulation::hand::{append, disk, open, run};
use crate::simulation::life::DIRECTORY;
use crate::units::Offset;

const BATCHES: usize = 60;

fn path(kind: Kind) -> PathBuf {
    Path::new(DIRECTORY).join("t-0").join(file_name(Offset(0), kind))
}

/// A log of batches of one record each, all in its segment's file. Where each begins.
fn filed(disk: &Disk) -> Vec<usize> {
    run(1, disk, async |runtime| {
        let (store, log) = open(&runtime).await;
        for _ in 0..BATCHES {
            append(&store, &log, 500).await.ticket.await.unwrap();
        }
        store.close().await.unwrap();
    })
    .kill();
    let bytes = disk.content(&path(Kind::Log)).unwrap();
    let (mut starts, mut at) = (Vec::new(), 0);
    while let Some(header) = BatchHeader::read(&bytes[at..]).filter(|h| h.check().is_ok()) {
        starts.push(at);
        at += header.size();
    }
    assert_eq!(starts.len(), BATCHES);
    starts
}

async fn scrubbed(runtime: &Simulated, store: &crate::store::Store<Simulated>) {
    let begun = store.stats().scrubs;
    while store.stats().scrubs < begun + 2 {
        runtime.sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_damaged_batch_is_not_served_and_its_neighbours_are() {
    let disk = disk();
    let starts = filed(&disk);
    disk.flip(&path(Kind::Log), starts[20] + 100);
    run(2, &disk, async |runtime| {
        let (store, log) = open(&runtime).await;
        scrubbed(&runtime, &store).await;
        let marks = log.damage();
        let found: Vec<_> = marks.iter().map(|mark| (mark.from, mark.to)).collect();
        assert_eq!(found, [(Offset(20), Offset(21))]);
        assert_eq!(store.stats().damaged_ranges, 1);
        // After a stop nobody has to find it again.
        store.close().await.unwrap();
    })
    .kill();
    run(3, &disk, async move |runtime| {
        let (_store, log) = open(&runtime).await;
        let refused = log.read(Offset(20), Offset(60), 1 << 20, true).await;
        assert!(matches!(refused, Err(ReadError::Damaged { .. })), "{refused:?}");
        let sizes = |from: usize, to: usize| starts[to] - starts[from];
        let before = log.read(Offset(3), Offset(60), 1 << 20, true).await.unwrap();
        assert_eq!(before.bytes, sizes(3, 20));
        let behind = log.read(Offset(21), Offset(50), 1 << 20, true).await.unwrap();
        assert_eq!(behind.bytes, sizes(21, 50));
        // What is taken out of the log is no damage of it.
        log.advance_log_start(Offset(21)).unwrap();
        assert_eq!(log.damage(), []);
    });
}

#[test]
fn a_damaged_index_is_built_anew() {
    for kind in [Kind::OffsetIndex, Kind::TimeIndex] {
        let disk = disk();
        filed(&disk);
        let before = disk.content(&path(kind)).unwrap();
        assert!(before.len() >= 48, "{kind:?} has {} bytes", before.len());
        disk.overwrite(&path(kind), 8, &[0x55; 24]);
        run(2, &disk, async |runtime| {
            let (store, log) = open(&runtime).await;
            scrubbed(&runtime, &store).await;
            assert_eq!((store.stats().indexes_rebuilt, log.damage()), (1, Vec::new()));
            let read = log.read(Offset(50), Offset(51), 1, true).await.unwrap();
            assert!(read.bytes > 500);
            store.close().await.unwrap();
        })
        .kill();
        assert_eq!(disk.content(&path(kind)).unwrap(), before, "{kind:?}");
    }
}
