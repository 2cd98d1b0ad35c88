use std::sync::Arc;
use std::time::Duration;

use crate::batch::Batch;
use crate::config::LogConfig;
use crate::log::{Log, Slice};
use crate::runtime::Runtime;
use crate::runtime::simulated::Simulated;
use crate::simulation::hand::{append, disk, id, open, run};

/// Values of the batches that a partition has at its end: an extent, small ones, both.
const QUIET: [&[usize]; 4] = [&[12_000], &[3_000, 3_000, 100], &[9_000, 50], &[20]];

/// Whatever a partition that has gone quiet has at its end, an extent or small batches, it does not keep others' memory.
#[test]
fn a_quiet_partition_keeps_nobodys_memory() {
    for (seed, sizes) in (0..).zip(QUIET) {
        run(seed, &disk(), async move |runtime| {
            let (store, quiet) = open(&runtime).await;
            for size in sizes {
                append(&store, &quiet, *size).await.ticket.await.unwrap();
            }
            let busy = store.create(id(2), "busy", Arc::new(LogConfig::default())).await.unwrap();
            for _ in 0..400 {
                append(&store, &busy, 2_000).await.ticket.await.unwrap();
            }
            runtime.sleep(Duration::from_millis(100)).await;
            let (counts, options) = (&busy.core().counts, &busy.core().options);
            let kept = counts.kept_bytes.get();
            assert!(
                kept <= options.clean_bytes_max
                    + counts.dirty_bytes.get()
                    + options.group_bytes_max,
                "{sizes:?}: {kept} bytes are kept"
            );
            let batches = read_back(&runtime, &quiet).await;
            assert_eq!(batches.len(), sizes.len());
            for (batch, size) in batches.iter().zip(sizes) {
                let payload = batch.payload();
                // Key, value and headers: the value comes last but for the count of headers.
                assert!(payload[..payload.len() - 1].ends_with(&vec![7; *size]));
            }
        });
    }
}

/// All batches, one after the other.
async fn read_back(runtime: &Simulated, log: &Log<Simulated>) -> Vec<Batch> {
    let (mut from, mut batches) = (log.log_start(), Vec::new());
    while from < log.end() {
        let plan = log.read(from, log.end(), 1, true).await.unwrap();
        let mut bytes = Vec::new();
        for slice in plan.slices {
            match slice {
                Slice::Memory(memory) => bytes.extend_from_slice(&memory),
                Slice::File { file, position, length } => {
                    let length = usize::try_from(length).unwrap();
                    bytes.extend(runtime.read_at(&file, position, length).await.unwrap());
                }
            }
        }
        // At least the first is whole.
        let (batch, _) = Batch::parse_first(&bytes.into()).unwrap();
        from = batch.last_offset().next();
        batches.push(batch);
    }
    batches
}
