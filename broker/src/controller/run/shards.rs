//! The shards, all of them asked at once.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use futures::future::join_all;
use storage::{CheckpointLine, Marker};

use super::text;
use crate::calls::Calls;
use crate::controller::desk::Followers;
use crate::directories::InUse;
use crate::message::{Answer, Ask, Opened};
use crate::metadata::image;

/// See the head of the file.
pub(super) struct Shards {
    pub(super) calls: Rc<Calls>,
    pub(super) count: usize,
}

impl Shards {
    async fn ask_all(&self, ask: impl Fn() -> Ask) -> Result<Vec<Answer>, String> {
        let asked: Vec<_> = (0..self.count).map(|shard| self.calls.ask(shard, ask())).collect();
        join_all(asked).await.into_iter().collect::<Result<_, _>>().map_err(text)
    }

    /// Returns the partitions whose logs were stopped uncleanly. Directories that some shard could not open have failed.
    pub(super) async fn open(
        &self,
        image: Arc<image::Image>,
        in_use: &InUse,
        failed: &mut BTreeSet<usize>,
    ) -> Result<Opened, String> {
        // Those that have failed already are not tried.
        let tried = in_use.iter().enumerate().map(|(number, directory)| match directory {
            Ok(directory) if failed.contains(&number) => {
                Err((directory.path.clone(), "it is offline".to_owned()))
            }
            other => other.clone(),
        });
        let tried: InUse = tried.collect();
        let mut all = Opened::default();
        for answer in self.ask_all(|| Ask::Open(Arc::clone(&image), Arc::clone(&tried))).await? {
            let Answer::Opened(opened) = answer else { return Err(OTHER.to_owned()) };
            let opened = opened?;
            all.raise_epochs.extend(opened.raise_epochs);
            all.elsewhere.extend(opened.elsewhere);
            for (number, why) in opened.failed {
                tracing::error!(why, "a log directory is offline, with the partitions in it");
                failed.insert(number);
            }
        }
        Ok(all)
    }

    /// Every shard leaves a directory.
    pub(super) async fn fail(&self, number: usize, why: &str) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Fail(number, why.to_owned())).await? {
            let Answer::Failed = answer else { return Err(OTHER.to_owned()) };
        }
        Ok(())
    }

    pub(super) async fn serve(&self) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Serve).await? {
            match answer {
                Answer::Serving(serving) => serving?,
                _ => return Err(OTHER.to_owned()),
            }
        }
        Ok(())
    }

    /// The lines for each directory that every shard has drained.
    pub(super) async fn stop(&self) -> Result<Vec<Option<Vec<CheckpointLine>>>, String> {
        let mut lines: Option<Vec<Option<Vec<CheckpointLine>>>> = None;
        for answer in self.ask_all(|| Ask::Stop).await? {
            let Answer::Stopped(stopped) = answer else { return Err(OTHER.to_owned()) };
            lines = Some(match lines {
                None => stopped,
                Some(lines) => lines
                    .into_iter()
                    .zip(stopped)
                    .map(|(lines, more)| {
                        lines.zip(more).map(|(lines, more)| [lines, more].concat())
                    })
                    .collect(),
            });
        }
        Ok(lines.unwrap_or_default())
    }

    pub(super) async fn seal(&self, markers: Vec<Option<Marker>>) -> Result<(), String> {
        for answer in self.ask_all(|| Ask::Seal(markers.clone())).await? {
            match answer {
                Answer::Sealed(sealed) => sealed?,
                _ => return Err(OTHER.to_owned()),
            }
        }
        Ok(())
    }
}

const OTHER: &str = "a shard gave another answer than was asked";

impl Followers for Shards {
    async fn follow(&self, image: Arc<image::Image>) {
        if let Err(error) = self.ask_all(|| Ask::Apply(Arc::clone(&image))).await {
            tracing::error!(error, "a shard does not follow the metadata");
        }
    }
}
