//! Metadata (key 3): brokers, topics, and who leads which partition. What every client asks first.
//!
//! - Topics null: all of them; in version 0 an empty list says so, later it means none.
//! - By name, from version 12 on also by id; if one topic of a request is named by its id, names do not count.
//!   Unknown names get UNKNOWN_TOPIC_OR_PARTITION or INVALID_TOPIC_EXCEPTION, unknown ids UNKNOWN_TOPIC_ID with the id.
//! - A name that is not known is created in the background if the request allows it (always before version 4) and
//!   `auto.create.topics.enable` does; this answer still says UNKNOWN_TOPIC_OR_PARTITION, and the client asks again. Topics that only
//!   brokers write to are not made in this way.
//! - Endpoints are those of the listener that the request came in on. A leader without that listener: LISTENER_NOT_FOUND
//!   (LEADER_NOT_AVAILABLE before version 6).
//! - The controller is a live broker, whoever leads the quorum: clients send admin requests there.
//!
//! 1: rack, controller, internal. 2: cluster id. 3: throttle time. 4: auto-creation is asked for. 5: offline replicas.
//! 7: leader epochs (KIP-320). 8: authorized operations (KIP-430). 9: flexible. 10: topic ids. 11: no cluster operations
//! (KIP-700). 12: by id (KIP-516). 13: an error for the whole answer (KIP-1102).

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use bytestring::ByteString;
use net::wire::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use net::wire::{ErrorCode, Request};
use storage::units::TopicId;
use uuid::Uuid;

use super::{Context, Operation, Resource};
use crate::controller::ControllerRequest;
use crate::metadata::image::{Broker, Image, Partition, Topic};
use crate::topic_name;

/// What may be done to a topic without an authorizer: bits by `AclOperation` (READ 3, WRITE, CREATE, DELETE, ALTER, DESCRIBE 8,
/// DESCRIBE_CONFIGS 10, ALTER_CONFIGS 11).
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// And to the cluster: CREATE 5, ALTER 7, DESCRIBE 8, CLUSTER_ACTION 9, both CONFIGS, IDEMPOTENT_WRITE 12.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
/// The field where nobody asked.
const NOT_ASKED: i32 = i32::MIN;

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: MetadataRequest,
) -> MetadataResponse {
    let image = cx.shard.image();
    let allowed = |name: &str| cx.authorize(Operation::Describe, Resource::Topic(name));
    let view = View { image: &image, listener: &cx.peer.listener, version, allowed: &allowed };
    let (response, missing) = view.answer(&request);
    let create = request.allow_auto_topic_creation && cx.shard.config.auto_create_topics;
    let may = |name: &ByteString| {
        cx.authorize(Operation::Create, Resource::Cluster)
            || cx.authorize(Operation::Create, Resource::Topic(name))
    };
    let names = missing.into_iter().filter(|name| create && may(name));
    let names = cx.shard.asked_topics.begin(names);
    if !names.is_empty() {
        let shard = Rc::clone(&cx.shard);
        cx.shard.spawn(async move {
            let request = ControllerRequest::AutoCreate { names: names.clone() };
            // Whether it worked shows in the next answer; the controller has logged why it did not.
            let _ = shard.controller(request).await;
            shard.asked_topics.end(&names);
        });
    }
    response
}

/// Topics that this shard has asked the controller to create and that it has not answered about: asked for once, and no more
/// of them than this. A client whose topic found no place asks again.
const ASKED_TOPICS_MAX: usize = 1000;

/// See `ASKED_TOPICS_MAX`.
#[derive(Debug, Default)]
pub(crate) struct AskedTopics(RefCell<HashSet<ByteString>>);

impl AskedTopics {
    /// Those of the names that are to be asked for now.
    pub(super) fn begin(&self, names: impl Iterator<Item = ByteString>) -> Vec<ByteString> {
        let mut asked = self.0.borrow_mut();
        let mut new = Vec::new();
        for name in names {
            if asked.len() < ASKED_TOPICS_MAX && asked.insert(name.clone()) {
                new.push(name);
            }
        }
        new
    }

    pub(super) fn end(&self, names: &[ByteString]) {
        let mut asked = self.0.borrow_mut();
        names.iter().for_each(|name| drop(asked.take(name)));
    }
}

/// The image as one request sees it.
pub(super) struct View<'a> {
    pub(super) image: &'a Image,
    listener: &'a str,
    version: i16,
    pub(super) allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> View<'a> {
    /// As the newest version of Metadata sees it.
    pub(super) fn new(
        image: &'a Image,
        listener: &'a str,
        allowed: &'a dyn Fn(&str) -> bool,
    ) -> View<'a> {
        View { image, listener, version: *MetadataRequest::VERSIONS.end(), allowed }
    }

    /// The answer, and the names in it that no topic has and that may be created.
    fn answer(&self, request: &MetadataRequest) -> (MetadataResponse, Vec<ByteString>) {
        let all = match &request.topics {
            None => true,
            Some(topics) => topics.is_empty() && self.version == 0,
        };
        let asked = request.topics.as_deref().unwrap_or_default();
        if let Some(code) = self.refusal(asked) {
            return (refused(asked, code), Vec::new());
        }
        let mut missing = Vec::new();
        let mut topics = if all {
            self.image.topics().filter(|t| (self.allowed)(&t.name)).map(|t| self.topic(t)).collect()
        } else if asked.iter().any(|topic| !topic.topic_id.is_nil()) {
            self.by_id(asked)
        } else {
            self.by_name(asked, &mut missing)
        };
        if request.include_topic_authorized_operations {
            let known = |topic: &&mut MetadataResponseTopic| {
                !matches!(
                    topic.error_code,
                    ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::TOPIC_AUTHORIZATION_FAILED
                )
            };
            let known = topics.iter_mut().filter(known);
            known.for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
        }
        (self.response(request, topics), missing)
    }

    fn response(
        &self,
        request: &MetadataRequest,
        topics: Vec<MetadataResponseTopic>,
    ) -> MetadataResponse {
        let live = self.image.live_brokers();
        let cluster_operations = if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        };
        MetadataResponse {
            brokers: live.filter_map(|broker| self.broker(broker)).collect(),
            cluster_id: Some(self.image.cluster_id().clone()),
            controller_id: self.image.controller_id().unwrap_or(-1),
            topics,
            cluster_authorized_operations: cluster_operations,
            ..MetadataResponse::default()
        }
    }

    /// Why the request as a whole cannot be answered.
    fn refusal(&self, asked: &[MetadataRequestTopic]) -> Option<ErrorCode> {
        let ids = asked.iter().any(|topic| !topic.topic_id.is_nil());
        let nameless = asked.iter().any(|topic| topic.name.is_none());
        match self.version {
            ..12 if ids || nameless => Some(ErrorCode::INVALID_REQUEST),
            // Kafka fails on a topic with neither name nor id, unless another one has an id.
            12.. if nameless && !ids => Some(ErrorCode::UNKNOWN_SERVER_ERROR),
            _ => None,
        }
    }

    /// Unknown ids first, as Kafka answers.
    fn by_id(&self, asked: &[MetadataRequestTopic]) -> Vec<MetadataResponseTopic> {
        let mut seen = HashSet::new();
        let ids = asked.iter().map(|topic| topic.topic_id).filter(|id| !id.is_nil());
        let ids: Vec<Uuid> = ids.filter(|id| seen.insert(*id)).collect();
        let (known, unknown): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|id| self.image.topic(TopicId(*id)).is_some());
        let unknown = unknown.into_iter().map(|id| blank(ErrorCode::UNKNOWN_TOPIC_ID, None, id));
        let known = known.into_iter().filter_map(|id| self.image.topic(TopicId(id)));
        let known = known.map(|topic| match (self.allowed)(&topic.name) {
            true => self.topic(topic),
            // An id discloses nothing, a name would.
            false => blank(ErrorCode::TOPIC_AUTHORIZATION_FAILED, None, topic.id.0),
        });
        unknown.chain(known).collect()
    }

    /// Topics that exist first, as Kafka answers.
    fn by_name(
        &self,
        asked: &[MetadataRequestTopic],
        missing: &mut Vec<ByteString>,
    ) -> Vec<MetadataResponseTopic> {
        let mut seen = HashSet::new();
        let names = asked.iter().filter_map(|topic| topic.name.as_ref());
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for name in names.filter(|name| seen.insert(*name)) {
            if !(self.allowed)(name) {
                let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
                failed.push(blank(code, Some(name), Uuid::nil()));
            } else if let Some(topic) = self.image.topic_by_name(name) {
                found.push(self.topic(topic));
            } else if topic_name::check(name).is_err() {
                failed.push(blank(ErrorCode::INVALID_TOPIC_EXCEPTION, Some(name), Uuid::nil()));
            } else {
                let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                let is_internal = topic_name::internal(name);
                failed.push(MetadataResponseTopic {
                    is_internal,
                    ..blank(code, Some(name), Uuid::nil())
                });
                missing.extend((!is_internal).then(|| name.clone()));
            }
        }
        found.append(&mut failed);
        found
    }

    fn topic(&self, topic: &Topic) -> MetadataResponseTopic {
        MetadataResponseTopic {
            is_internal: topic_name::internal(&topic.name),
            partitions: topic.partitions().map(|(n, p)| self.partition(n, p)).collect(),
            ..blank(ErrorCode::NONE, Some(&topic.name), topic.id.0)
        }
    }

    fn partition(&self, index: i32, partition: &Partition) -> MetadataResponsePartition {
        // Version 0 leaves out brokers that cannot be reached, and says so; later ones name all.
        let shown = |ids: &[i32]| -> Vec<i32> {
            ids.iter().copied().filter(|id| self.version > 0 || self.reachable(*id)).collect()
        };
        let (replica_nodes, isr_nodes) = (shown(&partition.replicas), shown(&partition.isr));
        let complete = replica_nodes.len() == partition.replicas.len()
            && isr_nodes.len() == partition.isr.len();
        let (error_code, leader_id) = match self.leader(partition.leader) {
            Err(code) => (code, -1),
            Ok(leader) if complete => (ErrorCode::NONE, leader),
            Ok(leader) => (ErrorCode::REPLICA_NOT_AVAILABLE, leader),
        };
        MetadataResponsePartition {
            error_code,
            partition_index: index,
            leader_id,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes,
            isr_nodes,
            offline_replicas: self.offline(partition),
        }
    }

    /// The leader, if it can be reached by the listener.
    pub(super) fn leader(&self, leader: i32) -> Result<i32, ErrorCode> {
        match self.image.broker(leader) {
            None => Err(ErrorCode::LEADER_NOT_AVAILABLE),
            Some(broker) if broker.endpoint(self.listener).is_some() => Ok(leader),
            Some(_) if self.version >= 6 => Err(ErrorCode::LISTENER_NOT_FOUND),
            Some(_) => Err(ErrorCode::LEADER_NOT_AVAILABLE),
        }
    }

    /// Replicas that nobody can reach.
    pub(super) fn offline(&self, partition: &Partition) -> Vec<i32> {
        let offline = |id: &i32| !self.online(*id, partition);
        partition.replicas.iter().copied().filter(offline).collect()
    }

    fn reachable(&self, id: i32) -> bool {
        let broker = self.image.broker(id);
        broker.is_some_and(|broker| !broker.fenced && broker.endpoint(self.listener).is_some())
    }

    fn online(&self, id: i32, partition: &Partition) -> bool {
        let directory = partition.directory(id).unwrap_or_default();
        self.reachable(id) && self.image.broker(id).is_some_and(|b| b.has_online(directory))
    }

    fn broker(&self, broker: &Broker) -> Option<MetadataResponseBroker> {
        let endpoint = broker.endpoint(self.listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
        })
    }
}

fn blank(
    error_code: ErrorCode,
    name: Option<&ByteString>,
    topic_id: Uuid,
) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code,
        name: name.cloned(),
        topic_id,
        ..MetadataResponseTopic::default()
    }
}

/// One error for all topics. Before version 12 a name may not be null here, nor is it later.
fn refused(asked: &[MetadataRequestTopic], code: ErrorCode) -> MetadataResponse {
    let topic = |topic: &MetadataRequestTopic| {
        let name = topic.name.clone().unwrap_or_default();
        blank(code, Some(&name), topic.topic_id)
    };
    MetadataResponse {
        topics: asked.iter().map(topic).collect(),
        error_code: code,
        ..MetadataResponse::default()
    }
}

#[cfg(test)]
mod tests;
