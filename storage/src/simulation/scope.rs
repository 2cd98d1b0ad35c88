//! What of a seed is run, as text: `SEED`, or `SEED:key=value,..` with less than all of it.
//!
//! Whatever is left out changes the random numbers that follow, so that a smaller run is another one. A failure that does not need what was
//! left out is found again by one of a few *salts*: that is how [`super::shrink`] comes to a short story.

use std::fmt;
use std::str::FromStr;

/// What may be left out of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Rot,
    Errors,
    FullDisk,
    SlowWrites,
    Lies,
    Shards,
    Compaction,
    Retention,
    Reads,
    Truncation,
    Deletion,
    Creation,
    Reconfiguration,
    LogStarts,
    Idempotence,
    Codecs,
    Large,
    Stops,
    Pauses,
}

impl Part {
    pub(super) const ALL: [Part; 19] = [
        Part::Rot,
        Part::Errors,
        Part::FullDisk,
        Part::SlowWrites,
        Part::Lies,
        Part::Shards,
        Part::Compaction,
        Part::Retention,
        Part::Reads,
        Part::Truncation,
        Part::Deletion,
        Part::Creation,
        Part::Reconfiguration,
        Part::LogStarts,
        Part::Idempotence,
        Part::Codecs,
        Part::Large,
        Part::Stops,
        Part::Pauses,
    ];
}

/// See the head of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) seed: u64,
    pub(super) salt: u64,
    /// At most so many of each.
    pub(super) lives: u64,
    pub(super) steps: u64,
    pub(super) topics: u32,
    pub(super) without: Vec<Part>,
}

impl Scope {
    pub(super) fn all(seed: u64) -> Scope {
        let (lives, steps, topics) = (u64::MAX, u64::MAX, u32::MAX);
        Scope { seed, salt: 0, lives, steps, topics, without: Vec::new() }
    }

    pub(super) fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }

    /// The same without this part; none if it is out already.
    pub(super) fn without(&self, part: Part) -> Option<Scope> {
        let mut less = self.clone();
        less.without.push(part);
        self.has(part).then_some(less)
    }

    /// What the random numbers of the run begin with.
    pub(super) fn random_seed(&self) -> u64 {
        self.seed ^ self.salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let all = Scope::all(self.seed);
        let mut differs = |key: &str, own: u64, of_all: u64| {
            if own != of_all {
                words.push(format!("{key}={own}"));
            }
        };
        differs("salt", self.salt, all.salt);
        differs("lives", self.lives, all.lives);
        differs("steps", self.steps, all.steps);
        differs("topics", u64::from(self.topics), u64::from(all.topics));
        words.extend(self.without.iter().map(|part| format!("without={part:?}")));
        match words.is_empty() {
            true => write!(f, "{}", self.seed),
            false => write!(f, "{}:{}", self.seed, words.join(",")),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Scope, String> {
        let (seed, words) = text.split_once(':').unwrap_or((text, ""));
        let bad = || format!("{text:?} is no seed");
        let mut scope = Scope::all(seed.parse().map_err(|_| bad())?);
        for word in words.split(',').filter(|word| !word.is_empty()) {
            let (key, value) = word.split_once('=').ok_or_else(bad)?;
            let number = || value.parse::<u64>().map_err(|_| bad());
            match key {
                "salt" => scope.salt = number()?,
                "lives" => scope.lives = number()?,
                "steps" => scope.steps = number()?,
                "topics" => scope.topics = u32::try_from(number()?).map_err(|_| bad())?,
                "without" => {
                    let part = Part::ALL.into_iter().find(|part| format!("{part:?}") == value);
                    scope.without.push(part.ok_or_else(bad)?);
                }
                _ => return Err(bad()),
            }
        }
        Ok(scope)
    }
}

#[test]
fn a_scope_is_its_text() {
    let mut scope = Scope::all(7);
    assert_eq!(scope.to_string(), "7");
    (scope.salt, scope.lives, scope.topics) = (3, 2, 1);
    let scope = scope.without(Part::Reads).and_then(|scope| scope.without(Part::Rot));
    let scope = scope.expect("both were there");
    assert_eq!(scope.to_string(), "7:salt=3,lives=2,topics=1,without=Reads,without=Rot");
    assert_eq!(scope.to_string().parse(), Ok(scope));
    assert!("7:lives".parse::<Scope>().is_err() && "7:without=Nothing".parse::<Scope>().is_err());
}
