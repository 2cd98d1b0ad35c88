//! Random writes, flushes and cuts against a model that keeps every content that a sector had since the last flush.

use super::*;

const SECTORS: u64 = 64;
const BYTES: usize = 64 * SECTOR;

fn drive(cache_bytes: usize) -> Drive {
    let image = tempfile::tempfile().unwrap();
    image.set_len(BYTES as u64).unwrap();
    Drive::new(image, cache_bytes).unwrap()
}

fn again(drive: Drive) -> Drive {
    Drive::new(drive.image, drive.cache_bytes).unwrap()
}

fn read(drive: &mut Drive, sector: u64) -> Vec<u8> {
    drive.read(sector * SECTOR as u64, SECTOR).unwrap().unwrap()
}

/// One life of a drive: afterwards each sector holds one of the contents that it may hold. How many are not the newest.
fn life(seed: u64, cache_bytes: usize) -> usize {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut drive = drive(cache_bytes);
    let mut may: Vec<Vec<Vec<u8>>> = vec![vec![vec![0; SECTOR]]; usize::try_from(SECTORS).unwrap()];
    drive.cut(seed, random.random_range(1..60)).unwrap();
    let mut fill = 0u8;
    loop {
        if random.random_bool(0.1) {
            if drive.flush().unwrap().is_err() {
                break;
            }
            may.iter_mut().for_each(|contents| drop(contents.drain(..contents.len() - 1)));
            continue;
        }
        let first = random.random_range(0..SECTORS);
        let count = random.random_range(1..=(SECTORS - first).min(12));
        fill = fill.wrapping_add(1);
        let data = vec![fill; usize::try_from(count).unwrap() * SECTOR];
        if drive.write(first * SECTOR as u64, &data).unwrap().is_err() {
            break;
        }
        for sector in first..first + count {
            let contents = &mut may[usize::try_from(sector).unwrap()];
            contents.push(vec![fill; SECTOR]);
            assert_eq!(&read(&mut drive, sector), contents.last().unwrap(), "read after write");
        }
    }
    assert_eq!(drive.read(0, SECTOR).unwrap(), Err(Off));
    assert_eq!(drive.write(0, &[1; SECTOR]).unwrap(), Err(Off));
    assert_eq!(drive.flush().unwrap(), Err(Off));
    let mut drive = again(drive);
    let mut old = 0;
    for (sector, contents) in (0..).zip(&may) {
        let found = read(&mut drive, sector);
        assert!(contents.contains(&found), "seed {seed}: sector {sector}");
        old += usize::from(contents.last() != Some(&found));
    }
    old
}

#[test]
fn flushed_sectors_survive_and_others_hold_what_they_held_once() {
    let lost: usize = (0..400).map(|seed| life(seed, CACHE_BYTES)).sum();
    assert!(lost > 1000, "only {lost} sectors lost");
}

#[test]
fn a_full_cache_changes_nothing_that_may_be_relied_on() {
    let lost: usize = (0..200).map(|seed| life(seed, 20 * SECTOR)).sum();
    assert!(lost > 100, "only {lost} sectors lost");
}

#[test]
fn the_same_seed_cuts_the_same() {
    let cut = || {
        let mut drive = drive(CACHE_BYTES);
        for n in 0..40 {
            drive.write(n * SECTOR as u64, &[7; 8 * SECTOR]).unwrap().unwrap();
        }
        drive.cut(11, 0).unwrap();
        let outcome = drive.outcome();
        (outcome, again(drive).read(0, BYTES).unwrap().unwrap())
    };
    assert_eq!(cut(), cut());
}

#[test]
fn seeds_keep_lose_and_tear() {
    let mut sum = Outcome::default();
    for seed in 0..100 {
        let mut drive = drive(CACHE_BYTES);
        for n in 0..4 {
            drive.write((8 + 8 * n) * SECTOR as u64, &[7; 8 * SECTOR]).unwrap().unwrap();
        }
        drive.cut(seed, 0).unwrap();
        let outcome = drive.outcome().unwrap();
        assert_eq!(outcome.kept + outcome.torn + outcome.lost, 4);
        sum.kept += outcome.kept;
        sum.torn += outcome.torn;
        sum.lost += outcome.lost;
    }
    assert!(sum.kept > 50 && sum.torn > 20 && sum.lost > 100, "{sum:?}");
}

#[test]
fn the_superblock_is_never_torn() {
    for seed in 0..300 {
        let mut drive = drive(CACHE_BYTES);
        drive.write(0, &[7; 8 * SECTOR]).unwrap().unwrap();
        drive.cut(seed, 0).unwrap();
        assert_eq!(drive.outcome().unwrap().torn, 0);
    }
}

#[test]
fn a_flush_that_fails_once_loses_what_it_had_and_the_next_succeeds() {
    let mut drive = drive(1 << 20);
    drive.write(0, &[1; SECTOR]).unwrap().unwrap();
    drive.flush().unwrap().unwrap();
    drive.write(0, &[2; SECTOR]).unwrap().unwrap();
    drive.trouble(Some(Trouble { request: Request::Flush, times: 1, stall: None }));
    assert_eq!(drive.flush().unwrap(), Err(Off));
    assert_eq!(drive.flush().unwrap(), Ok(()));
    assert_eq!(read(&mut drive, 0), [1; SECTOR]);
    assert_eq!(drive.counts().troubled, 1);
}

#[test]
fn requests_fail_as_often_as_they_are_told_to() {
    let mut drive = drive(1 << 20);
    drive.trouble(Some(Trouble { request: Request::Read, times: 2, stall: None }));
    let reads = [(); 3].map(|()| drive.read(0, SECTOR).unwrap().is_ok());
    assert_eq!(reads, [false, false, true]);
    let stall = Some(Duration::from_millis(7));
    drive.trouble(Some(Trouble { request: Request::Write, times: 1, stall }));
    assert_eq!([(); 2].map(|()| drive.stall(Request::Write)), [stall, None]);
    assert!(drive.write(0, &[2; SECTOR]).unwrap().is_ok());
}
