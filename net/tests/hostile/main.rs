//! Any bytes decode to a message or to an error: never a panic, never more memory than `DECODE_BYTES_BASE` +
//! `DECODE_BYTES_PER_FRAME_BYTE` x the frame. Every API and version is fed honest frames that were then cut, flipped,
//! inflated or made up, by seed.
//!
//! SEED and ROUNDS may be set; the long form is `ROUNDS=20000`. A failure prints the seed of its frame.

mod samples;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bytes::{BufMut, Bytes, BytesMut};
use net::{
    send::{Part, Parts},
    wire::*,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Counts what its thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: the system's allocator does the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `run` held beyond what was held before.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = run();
    (result, (PEAK.get() - before).max(0).cast_unsigned())
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// Frames are drawn from an honest one: the message with which decoding begins to be interesting.
fn honest<R: Request>(version: i16, request: &R, response: &R::Response) -> [Vec<u8>; 2] {
    let client = "hostile".into();
    let frames = [
        net::wire::request(7, Some(&client), version, request).expect("a request"),
        net::wire::response::<R>(7, version, response).expect("a response"),
    ];
    frames.map(|parts| flat(parts)[4..].to_vec())
}

fn flat(parts: Parts) -> Bytes {
    let mut bytes = BytesMut::new();
    for part in parts {
        match part {
            Part::Bytes(part) => bytes.put(part),
            Part::File(_) => unreachable!("records are in memory here"),
        }
    }
    bytes.freeze()
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut,
    Flip,
    Inflate,
    Repeat,
    Noise,
}

fn damage(frame: &[u8], random: &mut SmallRng) -> (Vec<u8>, Damage) {
    use Damage::*;
    let mut bytes = frame.to_vec();
    let damage = [Cut, Flip, Inflate, Repeat, Noise][random.random_range(0..5)];
    // Behind the key and the version: they say what is under test.
    let index = random.random_range(4..bytes.len());
    match damage {
        Cut => bytes.truncate(index),
        Flip => {
            for _ in 0..random.random_range(1..=4) {
                let index = random.random_range(4..bytes.len());
                bytes[index] ^= 1 << random.random_range(0..8);
            }
        }
        Inflate => {
            let length = LENGTHS[random.random_range(0..LENGTHS.len())];
            let end = bytes.len().min(index + length.len());
            bytes.splice(index..end, length.iter().copied());
        }
        Repeat => {
            // A count that the bytes seem to bear out.
            let tail = bytes.split_off(index);
            bytes.extend_from_slice(&random.random_range(0..60_000u32).to_be_bytes());
            bytes.resize(bytes.len() + random.random_range(0..60_000), tail[0]);
            bytes.extend_from_slice(&tail);
        }
        Noise => random.fill(&mut bytes[index..]),
    }
    (bytes, damage)
}

/// Lengths that no frame here has, in all forms.
const LENGTHS: [&[u8]; 6] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x00, 0x10, 0x00, 0x00],
    &[0x80, 0x80, 0x40],
    &[0x7f, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

fn attack<R: Request>(version: i16, messages: (R, R::Response), rounds: u64) -> Tally {
    let mut tally = Tally::default();
    let [request, response] = honest(version, &messages.0, &messages.1);
    let decode_request = |frame: Bytes| {
        let mut d = Decoder::new(frame);
        let header = RequestHeader::decode(&mut d)?;
        AnyRequest::decode(&header, &mut d).map(drop)
    };
    let decode_response = |frame: Bytes| net::wire::decode_response::<R>(frame, version).map(drop);
    assert_eq!(decode_request(request.clone().into()), Ok(()), "{} version {version}", R::KEY);
    assert_eq!(decode_response(response.clone().into()), Ok(()), "{} version {version}", R::KEY);

    let base = variable("SEED", 1);
    for round in 0..rounds {
        let seed = base
            ^ (u64::from(R::KEY.unsigned_abs()) << 48)
            ^ (u64::from(version.unsigned_abs()) << 40)
            ^ round << 8;
        let mut random = SmallRng::seed_from_u64(seed);
        for (kind, frame) in [("request", &request), ("response", &response)] {
            let (frame, damage) = damage(frame, &mut random);
            let (length, frame) = (frame.len(), Bytes::from(frame));
            let (result, peak) = match kind {
                "request" => peak(|| decode_request(frame)),
                _ => peak(|| decode_response(frame)),
            };
            let most = DECODE_BYTES_BASE + DECODE_BYTES_PER_FRAME_BYTE * length;
            assert!(
                peak <= most,
                "key {} version {version} {kind}, {damage:?}, seed {seed}: {peak} bytes for a frame of {length}",
                R::KEY
            );
            tally.add(&result, peak, length);
        }
    }
    tally
}

#[derive(Default)]
struct Tally {
    frames: usize,
    refused: usize,
    over_allowance: usize,
    /// Greatest share of what a frame may take.
    share_max: f64,
}

impl Tally {
    fn add(&mut self, result: &Result<(), DecodeError>, peak: usize, length: usize) {
        self.frames += 1;
        self.refused += usize::from(result.is_err());
        self.over_allowance += usize::from(matches!(result, Err(DecodeError::Allocation { .. })));
        let most = DECODE_BYTES_BASE + DECODE_BYTES_PER_FRAME_BYTE * length;
        self.share_max = self.share_max.max(peak as f64 / most as f64);
    }
}

#[test]
fn damaged_frames_of_every_api_and_version() {
    let rounds = variable("ROUNDS", 400);
    println!("seed {}, {rounds} rounds", variable("SEED", 1));
    for api in apis() {
        let mut all = Tally::default();
        for version in api.versions.clone() {
            let tally = samples::attack(api, version, rounds);
            all.frames += tally.frames;
            all.refused += tally.refused;
            all.over_allowance += tally.over_allowance;
            all.share_max = all.share_max.max(tally.share_max);
        }
        let Tally { frames, refused, over_allowance, share_max } = all;
        println!(
            "{}: {frames} frames, {refused} refused, {over_allowance} by allowance, at most {share_max:.2} of it",
            api.name
        );
        assert!(refused > 0, "{}: nothing was damaged", api.name);
    }
}

#[test]
fn the_worst_honest_shape_stays_within_its_allowance() {
    // Elements of few bytes on the wire and many in memory: names of one letter.
    for count in [1_000u16, 8_000, 30_000] {
        let names = vec!["a".into(); count.into()];
        let frame = net::wire::request(
            1,
            None,
            5,
            &delete_topics::DeleteTopicsRequest { topic_names: names, ..Default::default() },
        );
        let frame = flat(frame.expect("a request")).slice(4..);
        let length = frame.len();
        let (_, peak) = peak(|| {
            let mut d = Decoder::new(frame);
            let header = RequestHeader::decode(&mut d)?;
            AnyRequest::decode(&header, &mut d)
        });
        assert!(peak <= DECODE_BYTES_BASE + DECODE_BYTES_PER_FRAME_BYTE * length);
    }
}
