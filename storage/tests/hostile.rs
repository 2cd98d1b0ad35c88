//! Batches made to hurt: however they are built, memory stays near the size of what was sent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;

use bytes::Bytes;
use storage::batch::scan::{Step, TimestampScan};
use storage::batch::{
    Batch, BatchError, Codec, HEADER_BYTES, Progress, Rules, TimestampType, Validation,
};
use storage::units::{Offset, Timestamp};

/// Counts what this thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator as it is; counting touches no allocated memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` held beyond what was held before it.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before).unsigned_abs()
}

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A batch with these bytes as its compressed records.
fn batch(codec: Codec, count: i32, payload: &[u8]) -> Batch {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.extend_from_slice(payload);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    bytes[21..23].copy_from_slice(&codec.bits().to_be_bytes());
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[27..35].copy_from_slice(&NOW.0.to_be_bytes());
    bytes[35..43].copy_from_slice(&NOW.0.to_be_bytes());
    bytes[43..57].fill(0xff);
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Batch::parse(bytes.into()).unwrap()
}

fn compress(codec: Codec, write: impl Fn(&mut dyn Write)) -> Vec<u8> {
    match codec {
        Codec::None => {
            let mut out = Vec::new();
            write(&mut out);
            out
        }
        Codec::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            write(&mut out);
            out.finish().unwrap()
        }
        Codec::Snappy => {
            let mut plain = Vec::new();
            write(&mut plain);
            snap::raw::Encoder::new().compress_vec(&plain).unwrap()
        }
        Codec::Lz4 => {
            let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
            write(&mut out);
            out.finish().unwrap()
        }
        Codec::Zstd => {
            let mut out = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            write(&mut out);
            out.finish().unwrap()
        }
    }
}

fn rules() -> Rules {
    Rules {
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        message_bytes_max: i32::MAX,
        compacted: false,
        now: NOW,
    }
}

fn validate(batch: &Batch) -> Result<(), BatchError> {
    let mut validation = Validation::new(batch, &rules());
    while validation.step(1 << 20)? == Progress::More {}
    Ok(())
}

const COMPRESSED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// The head of a record whose value has `length` bytes.
fn head(length: i32) -> Vec<u8> {
    let varint = |value: i32| {
        let mut raw = ((value << 1) ^ (value >> 31)).cast_unsigned();
        let mut out = Vec::new();
        while raw >= 0x80 {
            out.push(raw.to_le_bytes()[0] | 0x80);
            raw >>= 7;
        }
        out.push(raw.to_le_bytes()[0]);
        out
    };
    let value = varint(length);
    let body = 4 + i32::try_from(value.len()).unwrap() + length + 1;
    [varint(body), vec![0, 0, 0, 1], value].concat()
}

#[test]
fn a_bomb_costs_no_memory() {
    // One record of 64 MiB of zeros.
    const VALUE: i32 = 64 << 20;
    for codec in COMPRESSED {
        if codec == Codec::Snappy {
            continue;
        }
        let payload = compress(codec, |out| {
            out.write_all(&head(VALUE)).unwrap();
            let zeros = vec![0; 1 << 20];
            for _ in 0..VALUE >> 20 {
                out.write_all(&zeros).unwrap();
            }
            out.write_all(&[0]).unwrap();
        });
        let bomb = batch(codec, 1, &payload);
        let held = peak(|| validate(&bomb).unwrap());
        assert!(held < 256 << 10, "{codec:?} held {held} bytes");
        // A search by time does not need the value either.
        let held = peak(|| {
            let mut scan = TimestampScan::new(NOW, Offset(0), 0);
            let bytes: Bytes = bomb.bytes().clone();
            while scan.feed(&bytes, 1 << 20).unwrap() == Step::Busy {}
        });
        assert!(held < 256 << 10, "{codec:?} held {held} bytes");
    }
}

#[test]
fn a_snappy_block_is_bounded_by_its_size() {
    let payload = compress(Codec::Snappy, |out| {
        out.write_all(&head(8 << 20)).unwrap();
        out.write_all(&vec![0; (8 << 20) + 1]).unwrap();
    });
    let bomb = batch(Codec::Snappy, 1, &payload);
    let held = peak(|| validate(&bomb).unwrap());
    assert!(held < 23 * payload.len() + (256 << 10), "held {held} bytes of {}", payload.len());
    // A block that only announces much.
    let liar = batch(Codec::Snappy, 1, &[0xff, 0xff, 0xff, 0x7f, 0, 0]);
    let held = peak(|| drop(validate(&liar).unwrap_err()));
    assert!(held < 256 << 10, "held {held} bytes");
}

#[test]
fn lengths_inside_are_not_believed() {
    for codec in Codec::ALL {
        for length in [1 << 20, 1 << 30] {
            let payload = compress(codec, |out| out.write_all(&head(length)).unwrap());
            let liar = batch(codec, 1, &payload);
            let held = peak(|| drop(validate(&liar).unwrap_err()));
            assert!(held < 256 << 10, "{codec:?} held {held} bytes");
            let held = peak(|| drop(liar.records().next_record().unwrap_err()));
            assert!(held < 256 << 10, "{codec:?} held {held} bytes");
        }
        // As many records as there can be, none there.
        let payload = compress(codec, |_| {});
        let empty = batch(codec, i32::MAX, &payload);
        let held = peak(|| drop(validate(&empty).unwrap_err()));
        assert!(held < 256 << 10, "{codec:?} held {held} bytes");
    }
}

#[test]
fn errors_of_many_records_are_bounded() {
    // A million records without keys, in 14 KB.
    let payload = compress(Codec::Zstd, |out| {
        for i in 0..1_000_000u32 {
            let mut offset = i << 1;
            let mut delta = Vec::new();
            while offset >= 0x80 {
                delta.push(offset.to_le_bytes()[0] | 0x80);
                offset >>= 7;
            }
            delta.push(offset.to_le_bytes()[0]);
            let length = u8::try_from((5 + delta.len()) << 1).unwrap();
            out.write_all(&[&[length, 0, 0][..], &delta, &[1, 1, 0]].concat()).unwrap();
        }
    });
    let batch = batch(Codec::Zstd, 1_000_000, &payload);
    let held = peak(|| {
        let mut validation = Validation::new(&batch, &Rules { compacted: true, ..rules() });
        let error = loop {
            if let Err(error) = validation.step(1 << 20) {
                break error;
            }
        };
        let BatchError::Records(errors) = error else { panic!("{error}") };
        assert_eq!((errors.total, errors.listed.len()), (1_000_000, 1000));
        assert!(errors.message(false, "t", 0).len() < 1000);
    });
    assert!(held < 512 << 10, "held {held} bytes");
}
