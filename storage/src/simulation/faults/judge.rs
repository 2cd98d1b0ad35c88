//! What came of a fault: three lives in which everything is read, and what must be true of them.

use std::rc::Rc;

use rand::Rng;

use super::check::{Look, Read, read_all};
use super::feed::open;
use super::trial::{End, Outcome, STEPS, Trial, cut, finish, is_torn};
use super::wound::Wound;
use super::{Kind, Target};
use crate::config::StoreName;
use crate::error::OpenError;
use crate::segment::files::{Kind as FileKind, directory_name, file_name};
use crate::units::PartitionId;

/// What one life found.
pub(super) struct Judged {
    read: Read,
    rebuilt: u64,
    torn: bool,
}

impl Trial {
    /// Three lives: without the scrubber, with it, and without.
    pub(super) fn judge(&mut self, wound: Option<Wound>, answered: bool) -> Outcome {
        let mut lives = Vec::new();
        for (scrub, look) in [(false, Look::First), (true, Look::Strict), (false, Look::Strict)] {
            let end = [End::Clean, End::Kill, End::PowerCut][self.random.random_range(0..3)];
            match self.life(scrub, look, end) {
                Ok(Some(life)) => lives.push(life),
                Ok(None) if lives.is_empty() && self.changes_bytes() => return Outcome::Refused,
                Ok(None) => return Outcome::Violation("a start is refused".to_owned()),
                Err(what) => {
                    let life = lives.len() + 1;
                    return Outcome::Violation(format!("life {life}: {what} ({wound:?})"));
                }
            }
        }
        match self.compare(&lives, wound.as_ref()) {
            Err(what) => Outcome::Violation(format!("{what} ({wound:?})")),
            Ok(_) if answered => Outcome::Answered,
            Ok(_) if self.kind == Kind::TornTail => match self.torn || lives[0].torn {
                true => Outcome::TornCut,
                false => Outcome::NotInjected,
            },
            Ok(beside) if !lives[0].read.marks.is_empty() => Outcome::MarkedByRead(beside),
            Ok(beside) if !lives[1].read.marks.is_empty() => Outcome::MarkedByScrubber(beside),
            Ok(_) if lives.iter().any(|life| life.rebuilt > 0) => Outcome::IndexRebuilt,
            Ok(_) => Outcome::Harmless,
        }
    }

    /// Whether bytes that were on the disk are not what they were: only then may a start say no, or something be marked.
    fn changes_bytes(&self) -> bool {
        !matches!(
            self.kind,
            Kind::WritesFail
                | Kind::SyncsFail
                | Kind::ReadsFail
                | Kind::SyncFailsOnce
                | Kind::Full
                | Kind::Stalls
                | Kind::TornTail
        )
    }

    /// Marks stay, and are where the fault was. How many batches they take with them that it did not touch.
    fn compare(&self, lives: &[Judged], wound: Option<&Wound>) -> Result<usize, String> {
        let [first, second, third] = lives else { return Err("three lives".to_owned()) };
        let marks = &second.read.marks;
        if *marks != third.read.marks {
            return Err(format!("marked was {marks:?}, is {:?}", third.read.marks));
        }
        if first.read.marks.len() > marks.len() {
            return Err(format!("marks were forgotten: {:?}", first.read.marks));
        }
        if !self.changes_bytes() && !marks.is_empty() {
            return Err(format!("taken for damaged: {marks:?}"));
        }
        let Some(wound) = wound.filter(|_| {
            !matches!(self.kind, Kind::Flipped(Target::Marks) | Kind::Zeroed(Target::Marks))
        }) else {
            return Ok(0);
        };
        let mut beside = 0;
        for (id, mark) in marks {
            let path = self.path(*id, &file_name(mark.segment, FileKind::Log));
            if !wound.touches(&path, mark.position, mark.end) {
                return Err(format!("{mark:?} is not where it is damaged"));
            }
            let logs = self.logs.borrow();
            let mut position = 0;
            for batch in logs[id].batches.iter().filter(|batch| batch.base >= mark.segment) {
                let end = position + batch.bytes.len() as u64;
                let is_marked = mark.from <= batch.base && batch.base < mark.to;
                beside += usize::from(is_marked && !wound.touches(&path, position, end));
                position = end;
            }
        }
        Ok(beside)
    }

    fn path(&self, id: PartitionId, name: &str) -> std::path::PathBuf {
        let topic = match id.topic.0.as_u128() {
            _ if self.options.name == StoreName::Controller => "__cluster_metadata",
            1 => "a",
            2 => "b",
            _ => "c",
        };
        self.options.directory.join(directory_name(topic, 0)).join(name)
    }

    /// None if the start was refused.
    pub(super) fn life(
        &mut self,
        scrub: bool,
        look: Look,
        end: End,
    ) -> Result<Option<Judged>, String> {
        let runtime = self.process();
        let (options, logs) = (self.options(scrub), Rc::clone(&self.logs));
        let main = {
            let runtime = runtime.clone();
            async move {
                let (life, report) = match open(&runtime, options.clone(), &logs).await {
                    Ok(opened) => opened,
                    Err(
                        OpenError::Rot { .. } | OpenError::Manifest { .. } | OpenError::Foreign(_),
                    ) => return Ok(None),
                    Err(error) => return Err(error.to_string()),
                };
                cut(&life)?;
                let begun = life.store.stats().scrubs;
                while scrub && life.store.stats().scrubs < begun + 2 {
                    life.pause(5).await;
                }
                let read = read_all(&life, look).await?;
                life.feed(6).await;
                let stopped = finish(&life, &options, end, None).await?;
                if stopped {
                    return Err("it went offline".to_owned());
                }
                let rebuilt = life.store.stats().indexes_rebuilt;
                Ok(Some(Judged { read, rebuilt, torn: is_torn(&report) }))
            }
        };
        let judged = runtime.run(STEPS, main).ok_or("it does not come to an end")?;
        self.end(runtime, end);
        judged
    }
}
