//! FindCoordinator (key 10): which broker has a group, or the state of a share partition.
//!
//! - The first one ever asked for creates `__consumer_offsets`, with `offsets.topic.num.partitions` partitions and as many replicas as
//!   `offsets.topic.replication.factor` says and there are brokers for. Kafka answers COORDINATOR_NOT_AVAILABLE meanwhile; here the request
//!   waits, and only what another request has asked for already is answered so.
//! - Transactional ids: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, as InitProducerId says, until transactions are served.
//! - Share partitions, `group:topic id:partition`: likewise with `__share_group_state` and `share.coordinator.state.topic.*`. INVALID_REQUEST
//!   before version 6, and for a key that is none.
//! - Any other type of key: INVALID_REQUEST.
//!
//! 4: several keys, an error for each. Before, the code's text stands beside it, NONE for none.

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use storage::units::PartitionId;

use super::coordination::partition_of;
use super::{Context, Operation, Resource, share_state};
use crate::controller::ControllerRequest;
use crate::group;
use crate::metadata::image::{Endpoint, Image};
use crate::shard::Shard;
use crate::share::state::{self, Key};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// The first version with several keys.
const SEVERAL: i16 = 4;
/// The first version with share partitions.
const SHARES: i16 = 6;

/// Node, host, port.
type Place = (i32, ByteString, i32);

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let keys = match version {
        SEVERAL.. => request.coordinator_keys,
        _ => vec![request.key],
    };
    match request.key_type {
        GROUP if keys.iter().any(|key| may_find(cx, key)) => {
            create_topic(&cx.shard, group::TOPIC).await;
        }
        SHARE
            if version >= SHARES && may_act(cx) && keys.iter().any(|k| Key::parse(k).is_some()) =>
        {
            create_topic(&cx.shard, state::TOPIC).await;
        }
        _ => {}
    }
    let image = cx.shard.image();
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        found.push(coordinator(cx, &image, version, request.key_type, key));
    }
    if version >= SEVERAL {
        return FindCoordinatorResponse {
            coordinators: found,
            ..FindCoordinatorResponse::default()
        };
    }
    let one = found.pop().unwrap_or_default();
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: Some(message(one.error_code).into()),
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..FindCoordinatorResponse::default()
    }
}

fn may_find(cx: &Context, group: &str) -> bool {
    cx.authorize(Operation::Describe, Resource::Group(group))
}

/// The state of share partitions is between brokers.
fn may_act(cx: &Context) -> bool {
    cx.authorize(Operation::ClusterAction, Resource::Cluster)
}

/// Before the first group, or share partition, there is no place for one.
pub(super) async fn create_topic(shard: &Shard, topic: &'static str) {
    if shard.image().topic_by_name(topic).is_some() {
        return;
    }
    let names = shard.asked_topics.begin(std::iter::once(topic.into()));
    if names.is_empty() {
        return;
    }
    let request = ControllerRequest::AutoCreate { names: names.clone() };
    // Whether it worked shows in the image; the controller has logged why it did not.
    let _ = shard.controller(request).await;
    shard.asked_topics.end(&names);
}

fn coordinator(
    cx: &Context,
    image: &Image,
    version: i16,
    key_type: i8,
    key: ByteString,
) -> Coordinator {
    let found = match key_type {
        GROUP if !may_find(cx, &key) => Err(ErrorCode::GROUP_AUTHORIZATION_FAILED),
        GROUP => leader_of(image, &cx.peer.listener, partition_of(image, &key)),
        TRANSACTION => Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        SHARE if version >= SHARES && !may_act(cx) => Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
        SHARE if version >= SHARES => match Key::parse(&key) {
            Some(of) => leader_of(image, &cx.peer.listener, share_state::partition_of(image, &of)),
            None => Err(ErrorCode::INVALID_REQUEST),
        },
        _ => Err(ErrorCode::INVALID_REQUEST),
    };
    let (error_code, (node_id, host, port)) = match found {
        Ok(place) => (ErrorCode::NONE, place),
        Err(code) => (code, (-1, ByteString::new(), -1)),
    };
    // With several keys Kafka has a text for those faults only that are the request's own.
    let told = error_code == ErrorCode::INVALID_REQUEST && !matches!(key_type, GROUP..=SHARE);
    let text = if told { message(error_code) } else { "" };
    Coordinator { key, node_id, host, port, error_code, error_message: Some(text.into()) }
}

/// The leader of a partition, at the listener that was asked.
fn leader_of(image: &Image, listener: &str, id: Option<PartitionId>) -> Result<Place, ErrorCode> {
    let place = |id| {
        let broker = image.broker(id).filter(|broker| !broker.fenced)?;
        let Endpoint { host, port, .. } = broker.endpoint(listener)?;
        Some((id, host.clone(), i32::from(*port)))
    };
    let leader = || {
        let id = id?;
        Some(image.topic(id.topic)?.partition(id.partition)?.leader)
    };
    leader().and_then(place).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}

/// Kafka's text for the codes that stand here.
fn message(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NONE => "NONE",
        ErrorCode::COORDINATOR_NOT_AVAILABLE => "The coordinator is not available.",
        ErrorCode::GROUP_AUTHORIZATION_FAILED => "Group authorization failed.",
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED => "Cluster authorization failed.",
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
            "Transactional Id authorization failed."
        }
        _ => {
            "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details."
        }
    }
}
