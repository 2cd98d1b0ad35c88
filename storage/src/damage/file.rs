//! The file in a partition's directory that says what of it is damaged: `odradek.damage`. Kafka ignores it.
//!
//! ```text
//! 0
//! <topic id>
//! <number of lines that follow, but for the last>
//! <segment> <position> <end> <first lost offset> <next good offset> <found, ms since 1970> <what was wrong>
//! <CRC-32C of all that, in hexadecimal>
//! ```
//! Written whole: another name, synced, renamed, the directory synced. A file that is damaged itself is as good as none, since whoever
//! comes across the damage again marks it again.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::Mark;
use crate::core::Core;
use crate::log::Log;
use crate::recycle::{let_go, take_alone};
use crate::runtime::{Runtime, is_full, read_file, replace_file};
use crate::units::{Offset, TopicId};

pub(crate) const NAME: &str = "odradek.damage";
/// Longer ones are not of ours.
const BYTES_MAX: usize = 16 << 20;

/// What was marked. Nothing where there is no file, or none that can be believed.
pub(crate) async fn read<R: Runtime>(runtime: &R, directory: &Path, topic: TopicId) -> Vec<Mark> {
    let path = directory.join(NAME);
    let what = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => error.to_string(),
        Ok(text) => match parse(&text) {
            Some((of, marks)) if of == topic => return marks,
            // A partition that had this name before.
            Some(_) => return Vec::new(),
            None => "it is damaged itself".to_owned(),
        },
    };
    tracing::error!(path = %path.display(), what, "what was marked as damaged is not known; the scrubber will find it again");
    Vec::new()
}

/// Writes down what is marked. The directory keeps its name meanwhile, for it may be another partition's otherwise.
pub(crate) async fn write<R: Runtime>(core: &Rc<Core<R>>, log: &Log<R>) {
    if take_alone(core, log).await.is_err() {
        return;
    }
    let (directory, text) = {
        let state = log.state();
        let marks: Vec<Mark> = state.marks().cloned().collect();
        (state.directory.clone(), (!state.deleted).then(|| print(log.id().topic, &marks)))
    };
    let written = async {
        let Some(text) = text else { return Ok(()) };
        replace_file(&core.runtime, &directory.join(NAME), text.as_bytes()).await?;
        core.runtime.sync_directory(&directory).await
    };
    let written = written.await;
    let_go(core, log);
    match written {
        Ok(()) => {}
        Err(error) if is_full(&error) => {
            tracing::warn!(directory = %directory.display(), "no room to write down what is damaged; it is known until the next start");
        }
        Err(error) => core.go_offline(&format!("damage cannot be marked: {error}")),
    }
}

fn print(topic: TopicId, marks: &[Mark]) -> String {
    let mut text = format!("0\n{}\n{}\n", topic.0, marks.len());
    for mark in marks {
        let Mark { segment, position, end, from, to, found, what } = mark;
        let what = what.replace(['\n', '\r'], " ");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} {position} {end} {} {} {found} {what}", segment.0, from.0, to.0);
    }
    let checksum = crc32c::crc32c(text.as_bytes());
    let _ = writeln!(text, "{checksum:08x}");
    text
}

/// None for anything that `print` did not write whole.
pub(crate) fn parse(text: &[u8]) -> Option<(TopicId, Vec<Mark>)> {
    let text = str::from_utf8(text).ok().filter(|text| text.len() <= BYTES_MAX)?;
    let (body, checksum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = &text[..body.len() + 1];
    if u32::from_str_radix(checksum, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != "0" {
        return None;
    }
    let topic = TopicId(lines.next()?.parse().ok()?);
    let announced: usize = lines.next()?.parse().ok()?;
    let marks: Vec<Mark> = lines.map(mark).collect::<Option<_>>()?;
    (marks.len() == announced).then_some((topic, marks))
}

fn mark(line: &str) -> Option<Mark> {
    let mut words = line.splitn(7, ' ');
    let mut number = || words.next()?.parse::<i64>().ok();
    let segment = Offset(number()?);
    let (position, end) = (u64::try_from(number()?).ok()?, u64::try_from(number()?).ok()?);
    let (from, to, found) = (Offset(number()?), Offset(number()?), number()?);
    let what = words.next()?.to_owned();
    (position < end && from < to).then_some(Mark { segment, position, end, from, to, found, what })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mark = |position| Mark {
            segment: Offset(40),
            position,
            end: position + 10,
            from: Offset(41),
            to: Offset(50),
            found: 1,
            what: "CRC-32C is 0, the batch says 1".to_owned(),
        };
        let topic = TopicId(Uuid::from_u128(7));
        for marks in [vec![], vec![mark(0)], vec![mark(0), mark(100)]] {
            let text = print(topic, &marks);
            assert_eq!(parse(text.as_bytes()), Some((topic, marks)));
            for at in 0..text.len() {
                let mut damaged = text.clone().into_bytes();
                damaged[at] ^= 1;
                assert_eq!(parse(&damaged), None, "{at} of {text}");
                assert_eq!(parse(&text.as_bytes()[..at]), None, "{at} of {text}");
            }
        }
    }
}
