use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::resume::remove_unknown_files;
use crate::batch::{BatchBuilder, Checked};
use crate::commit_log::GroupSequence;
use crate::commit_log::group::GroupHeader;
use crate::config::{Durability, LogConfig, StoreName, StoreOptions};
use crate::given_up::GivenUp;
use crate::log::Stamp;
use crate::planted::{Bug, plant};
use crate::producer::SequenceCheck;
use crate::runtime::simulated::Disk;
use crate::runtime::{BLOCK, Runtime};
use crate::simulation::hand::{append, disk, id, open, run};
use crate::simulation::life::options;
use crate::store::{Placed, Store};
use crate::units::{Epoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

fn file(base: u64) -> PathBuf {
    PathBuf::from(format!("/data/t-0/{base:020}.log"))
}

/// Found by the simulation: retention had given up a segment whose log start entry was not durable yet, the first write after an
/// unclean start took its files for strays, and after the next crash the segment was the log's again, without them.
#[test]
fn what_is_given_up_is_no_stray_before_that_is_recorded() {
    let disk = disk();
    let files = disk.clone();
    run(1, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 10).await.ticket.await.unwrap();
        runtime.mkdir(Path::new("/data/t-0")).await.unwrap();
        for base in [7, 8] {
            files.put(&file(base), b"bytes").unwrap();
        }
        log.core().given_up.borrow_mut().push_back(GivenUp {
            since: GroupSequence(1_000),
            renames: vec![(file(7), file(7).with_extension("log.deleted"))],
            parent: PathBuf::from("/data/t-0"),
            unlink_after: Duration::ZERO,
            log: None,
        });
        log.state_mut().unchecked = true;
        remove_unknown_files(log.core(), &log).await.unwrap();
        assert!(files.content(&file(7)).is_some());
        assert!(files.content(&file(8)).is_none());
    });
}

/// Found by the simulation: a power cut may keep a directory's name and lose all that was in it.
#[test]
fn strays_are_put_aside_and_nothing_else() {
    let disk = disk();
    let life = run(2, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 10).await.ticket.await.unwrap();
    });
    life.kill();
    let files = disk.clone();
    run(3, &disk, async move |runtime| {
        let metadata = crate::checkpoint::PartitionMetadata { topic: id(9).topic }.print();
        for (directory, name) in [
            // Without metadata; of an unknown topic; of an earlier topic of a known name; another store's; somebody else's.
            ("gone-3", "00000000000000000000.log"),
            ("old-0", "partition.metadata"),
            ("t-0", "partition.metadata"),
            ("other-0", "partition.metadata"),
            ("photos-2024", "cat.jpg"),
        ] {
            let directory = Path::new("/data").join(directory);
            runtime.mkdir(&directory).await.unwrap();
            files.put(&directory.join(name), metadata.as_bytes()).unwrap();
        }
        let (store, _log) = open(&runtime).await;
        store.begin_serving([(id(9), "other")]).await.unwrap();
        runtime.sleep(Duration::from_millis(100)).await;
        let names = files.names(Path::new("/data"));
        let names = names.iter().filter(|name| !name.starts_with("odradek"));
        // Kafka's `<topic>-<partition>.<32 hex>-stray`, which nobody removes.
        let left = names.map(|name| match name.split_once('.') {
            Some((name, random)) => {
                assert!(random.len() == 32 + 6 && random.ends_with("-stray"), "{random}");
                name
            }
            None => name,
        });
        let left: Vec<&str> = left.collect();
        assert_eq!(left, ["gone-3", "old-0", "other-0", "photos-2024", "t-0"]);
    });
}

/// A directory whose partitions no manifest of ours names is somebody else's, or has lost ours.
#[test]
fn what_is_there_before_a_first_start_is_not_touched() {
    for (name, file, is_refused) in [
        ("old-0", "partition.metadata", true),
        // Of a Kafka before 2.8.
        ("old-0", "00000000000000000042.log", true),
        // What a first start leaves that ended before every store had its manifest.
        ("__cluster_metadata-0", "quorum-state", false),
        ("__cluster_metadata-0", "00000000000000000000.log", false),
        ("photos-2024", "cat.jpg", false),
    ] {
        let disk = disk();
        let files = disk.clone();
        run(8, &disk, async move |runtime| {
            let directory = Path::new("/data").join(name);
            runtime.mkdir(&directory).await.unwrap();
            files.put(&directory.join(file), b"bytes").unwrap();
            let opened = Store::open(runtime.clone(), options(0, Durability::Sync), Vec::new());
            let refused = opened.await.err().map(|error| error.to_string());
            assert_eq!(refused.is_some(), is_refused, "{refused:?}");
            assert!(files.content(&directory.join(file)).is_some());
            if let Some(refused) = refused {
                assert!(refused.contains("name an empty directory in log.dirs"), "{refused}");
                assert_eq!(files.names(Path::new("/data")), [name]);
            }
        });
    }
}

/// With the controller's files gone the image is empty, and every partition would be one that was deleted.
#[test]
fn lost_metadata_is_not_taken_for_a_first_start() {
    let disk = disk();
    let files = disk.clone();
    run(9, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 10).await.ticket.await.unwrap();
        let options = StoreOptions { name: StoreName::Controller, ..options(0, Durability::Sync) };
        let refused = Store::open(runtime.clone(), options, Vec::new()).await.err().unwrap();
        assert!(refused.to_string().contains("odradek-0.manifest is there"), "{refused}");
        // The other store goes on meanwhile, and makes files of its own.
        let names = files.names(Path::new("/data"));
        assert!(!names.iter().any(|name| name.starts_with("odradek-controller")), "{names:?}");
    });
}

/// Found by the simulation: the directory of a partition waited for its name until its own deletion was done, which waited for it.
#[test]
fn a_partition_is_deleted_while_it_waits_for_its_name() {
    for seed in 0..40 {
        let disk = disk();
        run(seed, &disk, async move |runtime| {
            let (store, log) = open(&runtime).await;
            append(&store, &log, 12_000).await.ticket.await.unwrap();
            for topic in 2..6 {
                store.delete(id(topic - 1)).await.unwrap();
                let log = store.create(id(topic), "t", Arc::new(LogConfig::default())).await;
                append(&store, &log.unwrap(), 12_000).await.ticket.await.unwrap();
            }
            store.close().await.unwrap();
        });
    }
}

/// Found by the simulation: nothing in the log says that retention had rolled the segment that it gave up, so that it was the log's
/// again after a crash, without its files.
#[test]
fn a_segment_that_retention_rolled_and_gave_up_stays_away() {
    let disk = disk();
    let first = "00000000000000000000.log".to_owned();
    let names = |disk: &Disk| disk.names(Path::new("/data/t-0"));
    let life = run(4, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 12_000).await.ticket.await.unwrap();
        log.state_mut().roll(runtime.now());
        log.request_drain();
        runtime.sleep(Duration::from_millis(100)).await;
        log.advance_log_start(log.end()).unwrap();
        runtime.sleep(Duration::from_secs(1)).await;
    });
    assert!(!names(&disk).contains(&first));
    life.kill();
    run(5, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 10).await.ticket.await.unwrap();
        store.close().await.unwrap();
    });
    assert!(!names(&disk).contains(&first));
}

/// Found by the simulation, as soon as it let a partition come back under its id, as a replica does that moves away and back.
#[test]
fn what_a_deleted_partition_had_is_not_what_it_has_when_it_comes_back() {
    let disk = disk();
    let life = run(6, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 12_000).await.ticket.await.unwrap();
        append(&store, &log, 12_000).await.ticket.await.unwrap();
        store.delete(id(1)).await.unwrap();
        let log = store.create(id(1), "t", Arc::new(LogConfig::default())).await.unwrap();
        append(&store, &log, 10).await.ticket.await.unwrap();
    });
    life.kill();
    run(7, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        assert_eq!((log.log_start(), log.end()), (Offset(0), Offset(1)));
        store.close().await.unwrap();
    });
    assert!(disk.content(&file(0)).unwrap().len() < 100);
}

/// Found by the simulation: a truncation said that a segment's indexes were in their files although the segment had none yet. A replay that
/// began with the deletion of the partition that had been there before took the directory for that one's, and renamed it with the indexes.
#[test]
fn the_indexes_of_a_truncated_log_without_files_are_in_the_entry() {
    let disk = disk();
    let life = run(11, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 10).await.ticket.await.unwrap();
        store.delete(id(1)).await.unwrap();
        let config = LogConfig { index_interval_bytes: 1, ..LogConfig::default() };
        let log = store.create(id(1), "t", Arc::new(config)).await.unwrap();
        for _ in 0..4 {
            append(&store, &log, 10).await.ticket.await.unwrap();
            runtime.sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(log.truncate_to(Offset(3)).await.unwrap(), Offset(3));
        assert!(log.state().segments[0].times.length() > 0);
    });
    life.kill();
    run(12, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        let newest = log.state().segments[0].max_timestamp;
        let found = log.offset_for_timestamp(newest, log.end()).await.unwrap();
        assert_eq!(found.map(|found| found.offset), Some(Offset(2)));
        store.close().await.unwrap();
        assert_eq!((store.stats().indexes_rebuilt, log.damage()), (0, Vec::new()));
    });
    assert_eq!(disk.length(&file(0).with_extension("timeindex")), Some(2 * 12));
}

/// Found by the simulation: a start goes by the manifest, which knew of no file. A truncation to the beginning then gave up a segment whose
/// file an earlier life had made, and left that under its name: after a clean stop Kafka would have served it.
#[test]
fn a_truncation_takes_the_files_that_an_earlier_life_made() {
    let disk = disk();
    let life = run(13, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        append(&store, &log, 10).await.ticket.await.unwrap();
        log.state_mut().roll(runtime.now());
        log.request_drain();
        runtime.sleep(Duration::from_millis(100)).await;
    });
    life.kill();
    assert!(disk.length(&file(0)) > Some(0));
    run(14, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        assert_eq!(log.end(), Offset(1));
        log.truncate_to(Offset(0)).await.unwrap();
        store.close().await.unwrap();
    });
    assert_eq!(disk.length(&file(0)), None);
}

/// A start that has replayed a truncation leaves it behind before it writes a manifest. The simulation meets what is wrong otherwise
/// (`TruncationReplayedAgain`) once in some thousand seeds only.
#[test]
fn what_a_replayed_truncation_has_cut_is_not_replayed_again() {
    for bug in [None, Some(Bug::TruncationReplayedAgain)] {
        let disk = disk();
        let life = run(15, &disk, async move |runtime| {
            let (store, log) = open(&runtime).await;
            for _ in 0..2 {
                append(&store, &log, 10).await.ticket.await.unwrap();
            }
            assert_eq!(log.truncate_to(Offset(1)).await.unwrap(), Offset(1));
        });
        life.kill();
        plant(bug);
        let life = run(16, &disk, async move |runtime| {
            let (_store, log) = open(&runtime).await;
            crate::recycle::record(log.core(), None).await.unwrap();
        });
        plant(None);
        life.kill();
        run(17, &disk, async move |runtime| {
            let placed = vec![(id(1), "t".to_owned(), Arc::new(LogConfig::default()))];
            let opened = Store::open(runtime.clone(), options(0, Durability::Sync), placed).await;
            let end = opened.ok().and_then(|(store, _)| store.log(id(1))).map(|log| log.end());
            assert_eq!(end, bug.is_none().then_some(Offset(1)));
        });
    }
}

/// Another store in the directory knows nothing of the deletion: it must find the name free.
#[test]
fn a_deleted_partition_has_left_its_name_when_that_is_said_to_be_free() {
    for seed in 0..40 {
        let disk = disk();
        let files = disk.clone();
        run(seed, &disk, async move |runtime| {
            let (store, log) = open(&runtime).await;
            append(&store, &log, 12_000).await.ticket.await.unwrap();
            log.request_drain();
            runtime.sleep(Duration::from_millis(20)).await;
            store.delete(id(1)).await.unwrap();
            store.names_are_free().await.unwrap();
            assert!(!files.names(Path::new("/data")).contains(&"t-0".to_owned()));
            store.close().await.unwrap();
        });
    }
}

/// What a partition had that is not placed here any more says nothing of the others: another store may have its name by now.
#[test]
fn an_extent_of_a_partition_that_is_gone_cuts_nothing() {
    let disk = disk();
    let options = || StoreOptions {
        extent_bytes_min: 6 << 10,
        sync_every: Duration::from_secs(1000),
        idle_after: Duration::from_secs(1000),
        ..options(0, Durability::Written)
    };
    let placed = |topics: &[(u128, &str)]| -> Vec<Placed> {
        let config = Arc::new(LogConfig::default());
        topics.iter().map(|(n, topic)| (id(*n), (*topic).to_owned(), Arc::clone(&config))).collect()
    };
    let both = placed(&[(1, "t"), (2, "u")]);
    let ended = Rc::new(Cell::new(Offset(0)));
    let end = Rc::clone(&ended);
    let life = run(10, &disk, async move |runtime| {
        let (store, _) = Store::open(runtime.clone(), options(), both).await.unwrap();
        store.serve();
        let (t, u) = (store.log(id(1)).unwrap(), store.log(id(2)).unwrap());
        for size in [12_000, 12_000] {
            append(&store, &u, size).await.ticket.await.unwrap();
            runtime.sleep(Duration::from_millis(100)).await;
        }
        // Until a manifest knows both.
        while store.stats().recycled == 0 {
            append(&store, &t, 5_000).await.ticket.await.unwrap();
        }
        append(&store, &u, 12_000).await.ticket.await.unwrap();
        append(&store, &t, 10).await.ticket.await.unwrap();
        assert!(store.stats().extents > 0);
        end.set(t.end());
    });
    life.kill();
    disk.remove(Path::new("/data/u-0")).unwrap();
    let t = placed(&[(1, "t")]);
    run(11, &disk, async move |runtime| {
        let (store, report) = Store::open(runtime.clone(), options(), t).await.unwrap();
        assert_eq!(store.log(id(1)).unwrap().end(), ended.get(), "{report}");
    });
}

/// Found by the simulation: a power cut lost the first group after a link and kept the second. The next start went on under the link's id,
/// its first group was the same as the one that was lost, and so the second followed it again.
#[test]
fn what_was_lost_after_a_link_does_not_come_back() {
    let options = || StoreOptions {
        sync_every: Duration::from_secs(1000),
        idle_after: Duration::from_secs(1000),
        ..options(0, Durability::Written)
    };
    let placed = || vec![(id(1), "t".to_owned(), Arc::new(LogConfig::default()))];
    let disk = disk();
    let live = |seed, appends: usize, expected: i64| {
        let life = run(seed, &disk, async move |runtime| {
            let (store, _) = Store::open(runtime.clone(), options(), placed()).await.unwrap();
            let log = store.log(id(1)).unwrap();
            assert_eq!(log.end(), Offset(expected));
            let batch = BatchBuilder::new().record(Timestamp(1), None, Some(&[7; 10])).build();
            let checked = Checked::own(&batch).unwrap();
            for _ in 0..appends {
                let stamp = Stamp { leader_epoch: Epoch(0), append_time: None };
                log.append(&batch, &checked, stamp).unwrap().ticket.await.unwrap();
            }
        });
        life.kill();
    };
    live(20, 1, 0);
    // Group 1, the link, and these: 3 and 4.
    live(21, 2, 1);
    for name in disk.names(Path::new("/data")).iter().filter(|name| name.ends_with(".commit")) {
        let path = Path::new("/data").join(name);
        let mut content = disk.content(&path).unwrap();
        for block in content.chunks_mut(BLOCK) {
            let header = GroupHeader::decode(block);
            if header.is_some_and(|(header, _)| header.sequence == GroupSequence(3)) {
                block.fill(0);
            }
        }
        disk.put(&path, &content).unwrap();
    }
    live(22, 1, 1);
    live(23, 0, 2);
}

/// The epochs are raised by a record in the metadata. A stop before that must not take away what says that it is needed.
#[test]
fn who_gets_a_higher_epoch_is_known_until_the_store_serves() {
    let disk = disk();
    let placed = || {
        let config = Arc::new(LogConfig::default());
        vec![(id(1), "t".to_owned(), Arc::clone(&config)), (id(2), "u".to_owned(), config)]
    };
    let life = run(12, &disk, async move |runtime| {
        let (store, _) =
            Store::open(runtime.clone(), options(0, Durability::Sync), placed()).await.unwrap();
        store.serve();
        let (t, u) = (store.log(id(1)).unwrap(), store.log(id(2)).unwrap());
        while store.stats().recycled < 2 {
            append(&store, &t, 10).await.ticket.await.unwrap();
        }
        // A whole block, of which nothing need be logged again.
        let size = |bytes: usize| {
            let record = vec![7; bytes];
            BatchBuilder::new().record(Timestamp(0), None, Some(&record)).build().size()
        };
        let bytes = (3_900..4_096).find(|bytes| size(*bytes) == 4_096).unwrap();
        append(&store, &u, bytes).await.ticket.await.unwrap();
    });
    life.kill();
    for seed in 13..18 {
        let life = run(seed, &disk, async move |runtime| {
            let opened = Store::open(runtime.clone(), options(0, Durability::Sync), placed()).await;
            let (store, report) = opened.unwrap();
            assert!(report.raise_epochs.contains(&id(2)), "start {seed}: {report}");
            runtime.sleep(Duration::from_secs(5)).await;
            drop(store);
        });
        life.kill();
    }
}

/// Found by `scripts/chaos/power-cut`: a manifest kept only the last batch of a producer. One whose answers a crash had taken sent again
/// what it had in flight, and of that everything but the last was out of order.
#[test]
fn what_was_in_flight_below_the_manifest_is_known_when_it_comes_again() {
    let sent = |sequence| {
        BatchBuilder::new()
            .producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence))
            .record(Timestamp(1), None, Some(&[7; 10]))
            .build()
    };
    let disk = disk();
    let life = run(30, &disk, async move |runtime| {
        let (store, log) = open(&runtime).await;
        for sequence in 0..7 {
            let batch = sent(sequence);
            let checked = Checked::own(&batch).unwrap();
            let stamp = Stamp { leader_epoch: Epoch(0), append_time: None };
            log.append(&batch, &checked, stamp).unwrap().ticket.await.unwrap();
        }
        // Until the log has gone round: replay begins behind them.
        while store.stats().recycled < 5 {
            append(&store, &log, 10).await.ticket.await.unwrap();
        }
    });
    life.power_cut();
    run(31, &disk, async move |runtime| {
        let (_store, log) = open(&runtime).await;
        for sequence in 2..7 {
            let found = log.check_sequence(sent(sequence).info()).unwrap();
            let base_offset = Offset(i64::from(sequence));
            assert!(
                matches!(found, SequenceCheck::Duplicate { base_offset: b, .. } if b == base_offset),
                "{sequence}: {found:?}"
            );
        }
        assert_eq!(log.check_sequence(sent(7).info()).unwrap(), SequenceCheck::Append);
    });
}

/// Kafka begins with a record of its own at the end of the metadata log's file, whatever our commit log holds beside it.
#[test]
fn what_kafka_wrote_after_a_crash_of_ours_is_found_and_not_written_over() {
    let path = file(0);
    for (seed, kafkas, refused) in [
        (1, None, false),
        (2, Some((false, &b"a batch"[..])), true),
        (3, Some((false, &[0; 5000][..])), false),
        (4, Some((true, &b"a batch"[..])), true),
    ] {
        let disk = disk();
        let controllers = || StoreOptions {
            name: StoreName::Controller,
            extent_bytes_min: usize::MAX,
            ..options(0, Durability::Sync)
        };
        let placed = || vec![(id(1), "t".to_owned(), Arc::new(LogConfig::default()))];
        let life = run(seed, &disk, async move |runtime| {
            let opened = Store::open(runtime.clone(), controllers(), placed()).await;
            let (store, _) = opened.expect("it can be opened");
            store.serve();
            let log = store.log(id(1)).expect("it is placed here");
            append(&store, &log, 12_000).await.ticket.await.unwrap();
            log.request_drain();
            runtime.sleep(Duration::from_millis(100)).await;
            // These stay in the commit log alone.
            append(&store, &log, 100).await.ticket.await.unwrap();
        });
        life.kill();
        if let Some((rolled, bytes)) = kafkas {
            let path = if rolled { file(1) } else { path.clone() };
            let content = disk.content(&path).unwrap_or_default();
            disk.put(&path, &[&content[..], bytes].concat()).unwrap();
        }
        let files = disk.clone();
        let before = disk.content(&path);
        let path = path.clone();
        run(seed, &disk, async move |runtime| {
            let opened = Store::open(runtime.clone(), controllers(), placed()).await;
            let said = opened.err().map(|error| error.to_string());
            assert_eq!(said.is_some(), refused, "{seed}: {said:?}");
            if let Some(said) = said {
                assert!(said.contains("Kafka ran on this directory"), "{said}");
                assert_eq!(files.content(&path), before);
            }
        });
    }
}
