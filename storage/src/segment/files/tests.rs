use std::path::Path;

use super::*;
use crate::runtime::simulated::{Class, Fault, Injection};
use crate::runtime::{Dsync, Runtime};
use crate::simulation::hand::{disk, open, run};

/// Found by the simulation: a sync takes what was written when it began. What was only being written must be left to the next.
#[test]
fn a_manifest_syncs_what_was_written_and_not_what_was_being_written() {
    let path = Path::new("/data/t-0/00000000000000000000.log");
    for seed in 0..20 {
        let disk = disk();
        let life = run(seed, &disk, async move |runtime| {
            let (_store, log) = open(&runtime).await;
            let (core, base) = (log.core(), Offset(0));
            let file = core.files.writable(core, &log, base).await.unwrap();
            sync_names(core, &log).await.unwrap();
            let bytes = crate::buffers::padded(&[7; 4096]);
            let write = runtime.write_at(&file, bytes, 0, Dsync::No);
            core.files.sync_written(core).await.unwrap();
            write.await.unwrap();
            log.filed(base, 0, 4096);
            core.files.sync_written(core).await.unwrap();
        });
        life.power_cut();
        assert_eq!(disk.content(path).unwrap(), [7; 4096], "seed {seed}");
    }
}

/// Found by the simulation: a truncation's sync of a segment failed, and lost what it was to write. The one of the manifest, begun beside
/// it, had nothing left to do and succeeded, and the manifest said that the segment had those bytes.
#[test]
fn of_two_syncs_of_a_file_none_succeeds_where_one_fails() {
    for seed in 0..20 {
        let disk = disk();
        let drive = disk.clone();
        run(seed, &disk, async move |runtime| {
            let (_store, log) = open(&runtime).await;
            let (core, base) = (log.core(), Offset(0));
            let file = core.files.writable(core, &log, base).await.unwrap();
            let bytes = crate::buffers::padded(&[7; 4096]);
            runtime.write_at(&file, bytes, 0, Dsync::No).await.unwrap();
            log.filed(base, 0, 4096);
            // The recycler is done with its own.
            runtime.sleep(std::time::Duration::from_secs(1)).await;
            let (class, fault) = (Class::Sync, Fault::Error);
            drive.inject(Some(Injection { class, fault, after: 0, times: 1 }));
            let both = futures::join!(
                sync_file(core, &log, (base, Kind::Log), &file),
                core.files.sync_written(core)
            );
            assert!(both.0.is_err() && both.1.is_err(), "seed {seed}: {both:?}");
        });
    }
}

/// A partition that moves gets its name while a manifest is being written: its files are synced under whichever name.
#[test]
fn a_manifest_syncs_what_gets_another_name_meanwhile() {
    for seed in 0..40 {
        let disk = disk();
        disk.set_syncfs(false);
        let life = run(seed, &disk, async move |runtime| {
            let (store, log) = open(&runtime).await;
            let (core, base) = (log.core(), Offset(0));
            let name = "t-0.0123456789abcdef0123456789abcdef-future";
            log.state_mut().directory = Path::new("/data").join(name);
            let file = core.files.writable(core, &log, base).await.unwrap();
            let bytes = crate::buffers::padded(&[7; 4096]);
            runtime.write_at(&file, bytes, 0, Dsync::No).await.unwrap();
            log.filed(base, 0, 4096);
            core.files.forget(&log, None);
            let (synced, promoted) =
                futures::join!(core.files.sync_written(core), store.promote(log.id()));
            synced.unwrap();
            promoted.unwrap();
        });
        life.power_cut();
        let content = disk.content(Path::new("/data/t-0/00000000000000000000.log"));
        assert_eq!(content.unwrap(), [7; 4096], "seed {seed}");
    }
}

/// Two tasks want files of a log whose directory is looked through first: no file is made, and taken for an unknown one, meanwhile.
#[test]
fn nobody_makes_a_file_while_unknown_ones_are_renamed() {
    for seed in 0..60 {
        let disk = disk();
        let files = disk.clone();
        run(seed, &disk, async move |runtime| {
            let (_store, log) = open(&runtime).await;
            let directory = log.state().directory.clone();
            runtime.mkdir(&directory).await.unwrap();
            for base in 100..110 {
                let path = directory.join(file_name(Offset(base), Kind::Log));
                files.put(&path, b"bytes").unwrap();
            }
            (log.state_mut().has_directory, log.state_mut().unchecked) = (true, true);
            let core = log.core();
            let first = core.files.writable(core, &log, Offset(7));
            let second = core.files.writable(core, &log, Offset(8));
            let (first, second) = futures::join!(first, second);
            first.and(second).unwrap();
            let mut names = files.names(&directory);
            names.retain(|name| !name.ends_with(".deleted"));
            assert_eq!(names, [7, 8].map(|base| file_name(Offset(base), Kind::Log)), "seed {seed}");
        });
    }
}
