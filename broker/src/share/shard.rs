//! A shard's part in share groups: the ways between the shard of a connection, that of a group's sessions, and those of the partitions.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::{Rc, Weak};

use bytestring::ByteString;
use futures::future::join_all;
use net::connection::Peer;
use storage::units::PartitionId;

use super::message::{
    AcknowledgeAsk, AcknowledgeRefusal, ReleaseAsk, SessionAnswer, SessionAsk, SessionWhat,
    ShareAnswer, ShareAsk, ShareNote,
};
use super::sessions::{ConnectionId, Ended, SessionRefusal};
use crate::group::partition_of;
use crate::message::{Answer, Ask, Message};
use crate::shard::Shard;

impl Shard {
    /// The shard that has the sessions of a group.
    fn share_owner(&self, group: &str) -> usize {
        usize::try_from(partition_of(group, i32::from(self.shards))).unwrap_or_default()
    }

    /// Asks for a member's session, wherever it is. The question has its place in the order of this shard's questions when this returns.
    pub(crate) fn share_session(
        self: &Rc<Self>,
        ask: SessionAsk,
    ) -> impl Future<Output = SessionAnswer> + use<> {
        let lost = lost(&ask.what);
        let owner = self.share_owner(&ask.group);
        let (here, there) = if owner == self.number {
            (Some(self.own_share_session(ask)), None)
        } else {
            (None, Some(self.ask(owner, Ask::Share(Box::new(ShareAsk::Session(ask))))))
        };
        async move {
            match (here, there) {
                (Some(here), _) => here.await,
                (None, Some(there)) => match there.await {
                    Ok(Answer::Share(answer)) => match *answer {
                        ShareAnswer::Session(answer) => answer,
                        _ => lost,
                    },
                    _ => lost,
                },
                (None, None) => lost,
            }
        }
    }

    fn own_share_session(
        self: &Rc<Self>,
        ask: SessionAsk,
    ) -> impl Future<Output = SessionAnswer> + use<> {
        let SessionAsk { group, member, what } = ask;
        let mut sessions = self.share_sessions.borrow_mut();
        let mut ended = None;
        let answer = match what {
            SessionWhat::Fetch(fetch) => {
                SessionAnswer::Fetch(sessions.fetch(&group, &member, fetch))
            }
            SessionWhat::Acknowledge { epoch } => {
                SessionAnswer::Acknowledge(sessions.acknowledge(&group, &member, epoch))
            }
            SessionWhat::Answer { epoch, told } => {
                SessionAnswer::Answer(sessions.answer(&group, &member, epoch, &told))
            }
            SessionWhat::End => {
                ended = sessions.end(&group, &member);
                SessionAnswer::Ended
            }
        };
        drop(sessions);
        let released = ended.map(|ended| self.share_session_ended(group, member, ended));
        async move {
            if let Some(released) = released {
                released.await;
            }
            answer
        }
    }

    /// What the member of a session has is released, wherever it is, and then, if it was the last session of its group, what is kept for it.
    fn share_session_ended(
        self: &Rc<Self>,
        group: ByteString,
        member: ByteString,
        ended: Ended,
    ) -> impl Future<Output = ()> + use<> {
        let mut asked = Vec::new();
        for (owner, partitions) in self.by_owner(ended.partitions) {
            let ask = ReleaseAsk { group: group.clone(), member: member.clone(), partitions };
            if owner == self.number {
                self.share_release(&ask);
            } else {
                asked.push(self.ask(owner, Ask::Share(Box::new(ShareAsk::Release(ask)))));
            }
        }
        if ended.group_is_empty {
            // It follows the releases on each way.
            for shard in (0..usize::from(self.shards)).filter(|shard| *shard != self.number) {
                let note = ShareNote::Empty { group: group.clone() };
                self.post(shard, Message::Share(Box::new(note)));
            }
            self.share_group_is_empty(&group);
        }
        async move { drop(join_all(asked).await) }
    }

    /// The partitions of each owner, in order; owners in the order of their first.
    pub(crate) fn by_owner(
        &self,
        partitions: impl IntoIterator<Item = PartitionId>,
    ) -> Vec<(usize, Vec<PartitionId>)> {
        let mut owners: Vec<(usize, Vec<PartitionId>)> = Vec::new();
        for id in partitions {
            let owner = self.owner(id);
            match owners.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, ids)) => ids.push(id),
                None => owners.push((owner, vec![id])),
            }
        }
        owners
    }

    /// A question that came over the mesh.
    pub(crate) fn serve_share(
        self: &Rc<Self>,
        ask: ShareAsk,
        answer: impl FnOnce(ShareAnswer) + 'static,
    ) {
        match ask {
            ShareAsk::Session(ask) => {
                let session = self.own_share_session(ask);
                self.spawn(async move { answer(ShareAnswer::Session(session.await)) });
            }
            ShareAsk::Look(ask) => {
                let looked = self.share_look(ask);
                self.spawn(async move { answer(ShareAnswer::Look(looked.await)) });
            }
            ShareAsk::Take(ask) => {
                let taken = self.share_take(ask);
                self.spawn(async move { answer(ShareAnswer::Take(taken.await)) });
            }
            ShareAsk::Acknowledge(ask) => {
                let said = self.share_acknowledge(&ask);
                self.spawn(async move { answer(ShareAnswer::Acknowledge(said.await)) });
            }
            ShareAsk::Release(ask) => {
                self.share_release(&ask);
                answer(ShareAnswer::Released);
            }
        }
    }

    /// A message that is not answered.
    pub(crate) fn note_share(self: &Rc<Self>, from: usize, note: ShareNote) {
        match note {
            ShareNote::Watch { watch, group, seen } => {
                if !self.share_watch(from, watch, &group, &seen) {
                    self.post(from, Message::Moved { watches: vec![watch] });
                }
            }
            ShareNote::Unwatch { watch, group, partitions } => {
                self.share_unwatch(from, watch, &group, &partitions);
            }
            ShareNote::Ended { group, member, connection } => {
                self.share_connection_ended(group, member, connection);
            }
            ShareNote::Empty { group } => self.share_group_is_empty(&group),
        }
    }

    fn share_connection_ended(
        self: &Rc<Self>,
        group: ByteString,
        member: ByteString,
        connection: ConnectionId,
    ) {
        let ended = self.share_sessions.borrow_mut().end_with(&group, &member, connection);
        if let Some(ended) = ended {
            let released = self.share_session_ended(group, member, ended);
            self.spawn(released);
        }
    }

    /// Asks the owners of partitions what a member says of its records. They are asked when this returns.
    pub(crate) fn share_said(
        self: &Rc<Self>,
        ask: AcknowledgeAsk,
    ) -> impl Future<Output = Vec<(PartitionId, Result<(), AcknowledgeRefusal>)>> + use<> {
        let AcknowledgeAsk { group, member, parts } = ask;
        let mut owners: Vec<(usize, AcknowledgeAsk)> = Vec::new();
        for part in parts {
            let owner = self.owner(part.0);
            match owners.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, ask)) => ask.parts.push(part),
                None => {
                    let (group, member) = (group.clone(), member.clone());
                    owners.push((owner, AcknowledgeAsk { group, member, parts: vec![part] }));
                }
            }
        }
        let asked = owners.into_iter().map(|(owner, ask)| {
            let ids: Vec<_> = ask.parts.iter().map(|(id, _)| *id).collect();
            let said = self.share_said_to(owner, ask);
            async move {
                let said = said.await;
                let left = std::iter::repeat(Err(AcknowledgeRefusal::Left));
                ids.into_iter().zip(said.into_iter().chain(left)).collect::<Vec<_>>()
            }
        });
        let asked: Vec<_> = asked.collect();
        async move { join_all(asked).await.into_iter().flatten().collect() }
    }

    fn share_said_to(
        self: &Rc<Self>,
        owner: usize,
        ask: AcknowledgeAsk,
    ) -> impl Future<Output = Vec<Result<(), AcknowledgeRefusal>>> + use<> {
        let (here, there) = if owner == self.number {
            (Some(self.share_acknowledge(&ask)), None)
        } else {
            (None, Some(self.ask(owner, Ask::Share(Box::new(ShareAsk::Acknowledge(ask))))))
        };
        async move {
            match (here, there) {
                (Some(here), _) => here.await,
                (None, Some(there)) => match there.await {
                    Ok(Answer::Share(answer)) => match *answer {
                        ShareAnswer::Acknowledge(said) => said,
                        _ => Vec::new(),
                    },
                    _ => Vec::new(),
                },
                (None, None) => Vec::new(),
            }
        }
    }

    pub(crate) fn share_connection(&self, peer: &Peer) -> ConnectionId {
        ConnectionId { shard: self.number, number: peer.id }
    }

    /// The member's session is to begin on this connection, and will end with it; false if too many have.
    pub(crate) fn share_begins_on(
        self: &Rc<Self>,
        peer: &Peer,
        group: &ByteString,
        member: &ByteString,
    ) -> bool {
        let connection = self.share_connection(peer);
        let kept = peer.keep(|| {
            let shard = Rc::downgrade(self);
            Rc::new(OfConnection { shard, connection, members: RefCell::default() }) as Rc<dyn Any>
        });
        let Some(kept) = kept.downcast_ref::<OfConnection>() else { return false };
        let mut members = kept.members.borrow_mut();
        members.insert((group.clone(), member.clone()));
        members.len() <= MEMBERS_OF_A_CONNECTION
    }

    /// The member has no session that began on this connection.
    pub(crate) fn share_ends_on(&self, peer: &Peer, group: &ByteString, member: &ByteString) {
        let Some(kept) = peer.kept() else { return };
        if let Some(kept) = kept.downcast_ref::<OfConnection>() {
            kept.members.borrow_mut().remove(&(group.clone(), member.clone()));
        }
    }
}

/// Members whose sessions began on one connection: a client has one for each group.
const MEMBERS_OF_A_CONNECTION: usize = 4_096;

/// The members whose sessions began on a connection. Dropped with it.
struct OfConnection {
    shard: Weak<Shard>,
    connection: ConnectionId,
    members: RefCell<HashSet<(ByteString, ByteString)>>,
}

impl Drop for OfConnection {
    fn drop(&mut self) {
        let Some(shard) = self.shard.upgrade().filter(|shard| !shard.stopping.get()) else {
            return;
        };
        let connection = self.connection;
        for (group, member) in self.members.take() {
            let owner = shard.share_owner(&group);
            if owner == shard.number {
                shard.share_connection_ended(group, member, connection);
            } else {
                let note = ShareNote::Ended { group, member, connection };
                shard.post(owner, Message::Share(Box::new(note)));
            }
        }
    }
}

fn lost(what: &SessionWhat) -> SessionAnswer {
    let why = SessionRefusal::Stopping;
    match what {
        SessionWhat::Fetch(_) => SessionAnswer::Fetch(Err(why)),
        SessionWhat::Acknowledge { .. } => SessionAnswer::Acknowledge(Err(why)),
        SessionWhat::Answer { .. } => SessionAnswer::Answer(Err(why)),
        SessionWhat::End => SessionAnswer::Ended,
    }
}
