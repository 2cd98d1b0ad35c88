//! The clean stop: see the head of `run`.

use std::path::Path;
use std::rc::Rc;

use storage::{CheckpointLine, Marker};

use super::shards::Shards;
use super::{Served, State, Worker, text};
use crate::clock;
use crate::controller::registration;

impl Worker {
    pub(super) async fn stop(&mut self) -> Result<(), String> {
        let count = usize::from(self.own.config.shards());
        let shards = Shards { calls: Rc::clone(&self.calls), count };
        let stopped = shards.stop().await;
        let State::Serving(served) = std::mem::replace(&mut self.state, State::Stopped) else {
            return stopped.map(drop);
        };
        let Served { mut desk, store, site, in_use, .. } = *served;
        // The shards have stopped: nobody is left to follow.
        let records = registration::stop(desk.ledger.image(), &site, desk.broker_epoch());
        desk.ledger.commit(&records, clock::wall()).await.map_err(text)?;
        let epoch = desk.broker_epoch();
        drop(desk);
        let closed = store.close().await.map_err(text)?;
        // Where a shard could not drain, the directory is not marked: the next start recovers it.
        let mut lines = stopped?;
        let metadata = self.own.directories.metadata.clone();
        let places = |number: usize| in_use.get(number).and_then(|place| place.as_ref().ok());
        let own = (0..in_use.len())
            .find(|number| places(*number).is_some_and(|directory| directory.id == metadata.id));
        let mut markers = Vec::with_capacity(lines.len());
        for (number, lines) in
            lines.iter_mut().enumerate().filter(|(number, _)| Some(*number) != own)
        {
            let marked = match (places(number), lines.take()) {
                (Some(directory), Some(lines)) => Some(mark(&directory.path, epoch, lines).await),
                _ => None,
            };
            markers.push((number, marked.transpose()?));
        }
        // The metadata's directory may be none of log.dirs. Its marker says that all of it was drained.
        let own_lines = match own {
            Some(number) => lines.get_mut(number).and_then(Option::take),
            None => Some(Vec::new()),
        };
        let marker = match own_lines {
            Some(lines) => Some(mark(&metadata.path, epoch, lines).await?),
            None => None,
        };
        markers.extend(own.map(|number| (number, marker.clone())));
        markers.sort_by_key(|(number, _)| *number);
        shards.seal(markers.into_iter().map(|(_, marker)| marker).collect()).await?;
        match marker {
            Some(marker) => closed.seal(marker).await.map_err(text),
            None => Err(format!(
                "{} could not be drained: the next start recovers it",
                metadata.path.display()
            )),
        }
    }
}

/// Writes a directory's checkpoints and the marker of its clean stop.
async fn mark(path: &Path, epoch: i64, lines: Vec<CheckpointLine>) -> Result<Marker, String> {
    let path = path.to_owned();
    let marked =
        glommio::executor().spawn_blocking(move || storage::write_marker(&path, epoch, &lines));
    marked.await.map_err(text)
}
