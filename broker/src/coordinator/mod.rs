//! Coordinators: state machines whose state is what the records of one partition of an internal topic say, and the host in which such a
//! machine meets its partition and the clock.
//!
//! A machine has neither I/O nor clock nor randomness. Each call brings the time and says, in [`Effects`], who is to be answered what,
//! and which records are to be appended; what depends on records is answered when they are durable. Loading is the same machine, given
//! the partition's records from the start. There are two: `group` keeps groups in `__consumer_offsets`, `share::state` the state of
//! share partitions in `__share_group_state`.

pub(crate) mod alarm;
pub(crate) mod host;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::EncodeError;
use storage::batch::Codec;
use storage::units::{Offset, PartitionId};
use uuid::Uuid;

use crate::config::Config;
use crate::coordinator::host::Host;
use crate::metadata::image::{Delta, Image};

/// Who waits for an answer: a number that whoever asks has chosen.
pub(crate) type Waiter = u64;

/// The time of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Milliseconds since 1970: what records say.
    pub(crate) wall_ms: i64,
    /// Milliseconds since whenever, never backwards: what timeouts count.
    pub(crate) ticks: u64,
}

/// What is to be done after a call.
#[derive(Debug)]
pub(crate) struct Effects<M: Machine> {
    pub(crate) answers: Vec<(Waiter, M::Answer)>,
    /// To be appended in this order, each as one batch. One without records waits for those before it.
    pub(crate) writes: Vec<Write<M>>,
    /// Records below this offset say nothing any more: they may be deleted.
    pub(crate) obsolete: Option<Offset>,
}

#[derive(Debug)]
pub(crate) struct Write<M: Machine> {
    pub(crate) records: Vec<M::Record>,
    pub(crate) then: M::Then,
}

/// Why a host refuses a request or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    #[error("the partition is being loaded")]
    Loading,
    #[error("this shard does not lead the partition")]
    NotCoordinator,
    #[error("there is no room for what was to be recorded")]
    NotAvailable,
    #[error("what was to be recorded is too large for the log")]
    TooLarge,
}

/// A coordinator. A call changes the state at once and says what is to be written; the host appends the writes in their order, tells the
/// machine of each append and of its durability, and answers whom the effects name. What was refused before it got its offset is told to
/// `written` as well, with the reason.
pub(crate) trait Machine: Sized + 'static {
    type Request;
    type Answer: Debug;
    type Record: Debug;
    /// What follows when a write is durable, or failed.
    type Then: Debug;

    /// The topic whose partitions hold its records.
    const TOPIC: &'static str;

    /// Without state: `replay` brings that of the log, `loaded` ends it.
    fn new(config: &Config, image: Arc<Image>) -> Self;
    /// The codec of its batches, and how many bytes of the log are read at once.
    fn storing(config: &Config) -> (Codec, usize);

    /// One record of the log. `producer` is the transaction's that it belongs to, if it belongs to one.
    fn replay(
        &mut self,
        now: Now,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        producer: Option<i64>,
        offset: Offset,
    ) -> Result<(), String>;
    /// A marker of the log: a producer's transaction was committed or aborted.
    fn replay_marker(&mut self, producer: i64, committed: bool);
    /// The log has been read.
    fn loaded(&mut self, now: Now, out: &mut Effects<Self>);

    /// Does what is asked; `waiter` is answered by the effects of this call or of a later one.
    fn handle(&mut self, now: Now, request: Self::Request, waiter: Waiter, out: &mut Effects<Self>);
    /// The write got its offsets, from `base` on.
    fn appended(&mut self, now: Now, write: &Write<Self>, base: Offset, out: &mut Effects<Self>);
    /// The write is durable, or was refused.
    fn written(
        &mut self,
        now: Now,
        then: Self::Then,
        outcome: Result<(), Unserved>,
        out: &mut Effects<Self>,
    );
    /// Key and value as the log holds them.
    fn encode(record: &Self::Record) -> Result<(Bytes, Option<Bytes>), EncodeError>;

    /// When `fire` is to be called next, in ticks.
    fn next_timer(&self) -> Option<u64>;
    fn fire(&mut self, now: Now, out: &mut Effects<Self>);

    /// The topics, and what is configured, are these from now on.
    fn configured(&mut self, config: &Config, image: Arc<Image>, delta: &Delta);
    /// Topics are no more.
    fn topics_deleted(&mut self, deleted: &[(ByteString, Uuid)], out: &mut Effects<Self>);
    /// Everybody who waits is told that the answer is elsewhere.
    fn resign(&mut self, out: &mut Effects<Self>);

    /// The answer to what cannot be asked.
    fn refused(request: &Self::Request, why: Unserved) -> Self::Answer;
}

impl<M: Machine> Default for Effects<M> {
    fn default() -> Effects<M> {
        Effects { answers: Vec::new(), writes: Vec::new(), obsolete: None }
    }
}

impl<M: Machine> Effects<M> {
    pub(crate) fn answer(&mut self, waiter: Waiter, answer: M::Answer) {
        self.answers.push((waiter, answer));
    }

    pub(crate) fn write(&mut self, records: Vec<M::Record>, then: M::Then) {
        self.writes.push(Write { records, then });
    }
}

/// The hosts of one shard, by their partition.
pub(crate) struct Hosts<M: Machine>(RefCell<HashMap<PartitionId, Rc<Host<M>>>>);

impl<M: Machine> Default for Hosts<M> {
    fn default() -> Hosts<M> {
        Hosts(RefCell::default())
    }
}

impl<M: Machine> Hosts<M> {
    pub(crate) fn get(&self, id: PartitionId) -> Option<Rc<Host<M>>> {
        self.0.borrow().get(&id).map(Rc::clone)
    }

    pub(crate) fn insert(&self, host: Rc<Host<M>>) {
        self.0.borrow_mut().insert(host.id, host);
    }

    pub(crate) fn all(&self) -> Vec<Rc<Host<M>>> {
        self.0.borrow().values().map(Rc::clone).collect()
    }

    /// The partition is no more.
    pub(crate) fn close(&self, id: PartitionId) {
        let host = self.0.borrow_mut().remove(&id);
        host.iter().for_each(|host| host.close());
    }

    /// The log directory is no more.
    pub(crate) fn close_in(&self, directory: usize) {
        let is_in = |host: &Rc<Host<M>>| host.directory() == directory;
        let left: Vec<_> = self.0.borrow_mut().extract_if(|_, host| is_in(host)).collect();
        left.iter().for_each(|(_, host)| host.close());
    }

    pub(crate) fn close_all(&self) {
        let all: Vec<_> = self.0.borrow_mut().drain().collect();
        all.iter().for_each(|(_, host)| host.close());
    }
}
