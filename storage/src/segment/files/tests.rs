use std::path::Path;

use super::*;
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
