//! The coordinators of a shard: those of groups and of share groups, which own partitions of internal topics, here or on another shard.

use std::rc::Rc;

use futures::future::LocalBoxFuture;
use storage::units::PartitionId;

use super::Shard;
use crate::coordinator::host::Host;
use crate::coordinator::{Hosts, Machine, Unserved};
use crate::group::message::{GroupAnswer, GroupRequest};
use crate::group::{self, Refusal};
use crate::message::{Answer, Ask, GroupAsk, Message, ShareStateAsk};
use crate::partition::Partition;
use crate::share::state::message::{StateAnswer, StateRequest};
use crate::share::state::{self, ShareCoordinator};

impl Shard {
    pub(super) fn serve_group(self: &Rc<Self>, from: usize, id: u32, ask: GroupAsk) {
        let answered = self.group(ask.partition, ask.request);
        if ask.wait.is_some() {
            self.post(from, Message::Answer { id, answer: Answer::Group(None) });
        }
        let shard = Rc::clone(self);
        self.spawn(async move {
            let answer = Box::new(answered.await);
            shard.post(
                from,
                match ask.wait {
                    Some(wait) => Message::Group { wait, answer },
                    None => Message::Answer { id, answer: Answer::Group(Some(answer)) },
                },
            );
        });
    }

    /// Asks a coordinator of this shard, before this returns unless too much is in memory for another commit.
    pub(crate) fn group(
        self: &Rc<Self>,
        partition: PartitionId,
        request: GroupRequest,
    ) -> impl Future<Output = GroupAnswer> + use<> {
        let lost = request.refused(Refusal::NotCoordinator);
        let shard = Rc::clone(self);
        let host = self.hosts.get(partition);
        let place = host.as_ref().and_then(|host| self.place(host.directory()));
        let full = place.is_some_and(|place| !place.store.has_room());
        let wait = matches!(request, GroupRequest::Commit(_)) && full;
        let (asked, later) = match host {
            Some(host) if wait => (None, Some((host, request))),
            Some(host) => (Some(host.ask(self, request)), None),
            None => (None, None),
        };
        async move {
            let asked = match later {
                Some((host, request)) => {
                    shard.room(host.directory()).await;
                    Some(host.ask(&shard, request))
                }
                None => asked,
            };
            match asked {
                Some(asked) => asked.await.unwrap_or(lost),
                None => lost,
            }
        }
    }

    /// Groups of this shard, their offsets, and requests that wait for them.
    pub(crate) fn group_counts(&self) -> (usize, usize, usize) {
        let add = |(a, b, c): (usize, usize, usize), host: &Rc<Host<group::Coordinator>>| {
            let (groups, offsets) = host.look(group::Coordinator::counts).unwrap_or_default();
            (a + groups, b + offsets, c + host.waiting())
        };
        self.hosts.all().iter().fold((0, 0, 0), add)
    }

    /// Share partitions whose state this shard keeps.
    pub(crate) fn share_partition_count(&self) -> usize {
        let hosts = self.state_hosts.all();
        hosts.iter().filter_map(|host| host.look(ShareCoordinator::count)).sum()
    }

    /// Asks the coordinator that owns this partition of `__consumer_offsets`, wherever it is.
    pub(crate) fn coordinator(
        self: &Rc<Self>,
        partition: PartitionId,
        request: GroupRequest,
    ) -> LocalBoxFuture<'static, GroupAnswer> {
        let owner = self.owner(partition);
        if owner == self.number {
            return Box::pin(self.group(partition, request));
        }
        let lost = request.refused(Refusal::NotCoordinator);
        let wait = request.may_park().then(|| self.parked.begin());
        let number = wait.as_ref().map(|wait| wait.number);
        let ask = GroupAsk { partition, request, wait: number };
        let asked = self.ask(owner, Ask::Group(Box::new(ask)));
        Box::pin(async move {
            match (asked.await, wait) {
                (Ok(Answer::Group(Some(answer))), _) => *answer,
                (Ok(Answer::Group(None)), Some(wait)) => wait.answer().await.unwrap_or(lost),
                _ => lost,
            }
        })
    }

    /// Asks the share coordinator that owns this partition of `__share_group_state`, wherever it is.
    pub(crate) fn share_state(
        self: &Rc<Self>,
        partition: PartitionId,
        request: StateRequest,
    ) -> LocalBoxFuture<'static, StateAnswer> {
        let owner = self.owner(partition);
        if owner == self.number {
            return Box::pin(self.own_share_state(partition, request));
        }
        let lost = request.ask.refused(Unserved::NotCoordinator.into());
        let ask = ShareStateAsk { partition, request };
        let asked = self.ask(owner, Ask::ShareState(Box::new(ask)));
        Box::pin(async move {
            match asked.await {
                Ok(Answer::ShareState(answer)) => *answer,
                _ => lost,
            }
        })
    }

    /// Asks a share coordinator of this shard. The request has its place in the coordinator's order when this returns.
    pub(super) fn own_share_state(
        self: &Rc<Self>,
        partition: PartitionId,
        request: StateRequest,
    ) -> impl Future<Output = StateAnswer> + use<> {
        let lost = request.ask.refused(Unserved::NotCoordinator.into());
        let asked = self.state_hosts.get(partition).map(|host| host.ask(self, request));
        async move {
            match asked {
                Some(asked) => asked.await.unwrap_or(lost),
                None => lost,
            }
        }
    }

    /// Takes up what a partition of an internal topic keeps, if this shard leads it.
    pub(crate) fn coordinate(
        self: &Rc<Self>,
        id: PartitionId,
        topic: &str,
        partition: &Rc<Partition>,
    ) {
        match topic {
            group::TOPIC => self.host(&self.hosts, Host::new(id, Rc::clone(partition))),
            state::TOPIC => self.host(&self.state_hosts, Host::new(id, Rc::clone(partition))),
            _ => {}
        }
    }

    fn host<M: Machine>(self: &Rc<Self>, hosts: &Hosts<M>, host: Rc<Host<M>>) {
        hosts.insert(Rc::clone(&host));
        if self.serving.get() {
            self.load(host);
        }
    }

    /// Coordinators are loaded, and may write, from when the epochs of partitions that were stopped uncleanly are raised.
    pub(crate) fn load_coordinators(self: &Rc<Self>) {
        self.serving.set(true);
        self.hosts.all().into_iter().for_each(|host| self.load(host));
        self.state_hosts.all().into_iter().for_each(|host| self.load(host));
    }

    fn load<M: Machine>(self: &Rc<Self>, host: Rc<Host<M>>) {
        let shard = Rc::clone(self);
        self.spawn(async move {
            // One after another: each reads megabytes at a time.
            let mut turn = shard.loads.enter();
            turn.come().await;
            Rc::clone(&host).load(Rc::clone(&shard)).await;
        });
    }
}
