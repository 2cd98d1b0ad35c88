//! Kafka's APIs, one file each: a request comes in at [`call`], is decoded, and goes to its handler.
//!
//! A handler's first stage (decode, authorise, hand to the owners) runs before the connection's next request is read; what it
//! waits for after that runs behind it, and the answers leave in the order of the requests. Kafka's error codes are given here
//! and nowhere else (`error`).

pub(crate) mod alter_client_quotas;
pub(crate) mod alter_configs;
pub(crate) mod alter_partition_reassignments;
pub(crate) mod alter_replica_log_dirs;
pub(crate) mod alter_share_group_offsets;
pub(crate) mod api_versions;
mod configs;
pub(crate) mod consumer_group_describe;
pub(crate) mod consumer_group_heartbeat;
mod coordination;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_groups;
pub(crate) mod delete_records;
pub(crate) mod delete_share_group_offsets;
pub(crate) mod delete_share_group_state;
pub(crate) mod delete_topics;
pub(crate) mod describe_client_quotas;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_groups;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_quorum;
pub(crate) mod describe_share_group_offsets;
pub(crate) mod describe_topic_partitions;
pub(crate) mod elect_leaders;
mod error;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod get_telemetry_subscriptions;
mod groups;
pub(crate) mod heartbeat;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod initialize_share_group_state;
pub(crate) mod join_group;
pub(crate) mod leave_group;
pub(crate) mod list_config_resources;
pub(crate) mod list_groups;
pub(crate) mod list_offsets;
pub(crate) mod list_partition_reassignments;
pub(crate) mod metadata;
pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod produce;
pub(crate) mod push_telemetry;
pub(crate) mod read_share_group_state;
pub(crate) mod read_share_group_state_summary;
pub(crate) mod share_acknowledge;
pub(crate) mod share_fetch;
pub(crate) mod share_group_describe;
pub(crate) mod share_group_heartbeat;
mod share_groups;
mod share_state;
mod shares;
pub(crate) mod sync_group;
mod telemetry;
mod text;
mod throttle;
pub(crate) mod update_features;
pub(crate) mod write_share_group_state;

pub(crate) use self::share_state::partition_of as share_state_partition;

use std::rc::Rc;

use bytes::Bytes;
use bytestring::ByteString;
use net::connection::{CloseReason, Outcome, Peer, Service};
use net::wire::{AnyRequest, DecodeError, Decoder, Request, RequestHeader};

use storage::units::Epoch;

use self::throttle::Cost;
use crate::guard::InFlight;
use crate::shard::Shard;

/// What a handler knows of a request beside its body. It lives as long as the request.
pub(crate) struct Context {
    pub shard: Rc<Shard>,
    pub peer: Rc<Peer>,
    pub correlation_id: i32,
    /// What the client calls itself; empty if it does not.
    pub client_id: ByteString,
    /// Of the request as it came, without its length.
    pub frame_bytes: usize,
    cost: Cost,
    _in_flight: InFlight,
}

/// What a request wants to do, for [`Context::authorize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    Create,
    Alter,
    Delete,
    Describe,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
    ClusterAction,
}

/// To what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Cluster,
    Topic(&'a str),
    Group(&'a str),
}

impl Context {
    /// Whether the client may do this. Every handler asks before it acts; without an authorizer everything is allowed, as in
    /// Kafka without `authorizer.class.name`.
    pub(crate) fn authorize(&self, _operation: Operation, _resource: Resource<'_>) -> bool {
        true
    }
}

/// A shard's side of its connections.
pub(crate) struct Api(pub Rc<Shard>);

impl Service for Api {
    async fn call(self: Rc<Self>, peer: Rc<Peer>, frame: Bytes) -> Outcome {
        let frame_bytes = frame.len();
        let mut decoder = Decoder::new(frame);
        let mut header = match RequestHeader::decode(&mut decoder) {
            Ok(header) => header,
            Err(error) => return refuse(&peer, &error),
        };
        let cx = Context {
            shard: Rc::clone(&self.0),
            peer,
            correlation_id: header.correlation_id,
            client_id: header.client_id.take().unwrap_or_default(),
            frame_bytes,
            cost: Cost::begin(self.0.quotas.any()),
            _in_flight: self.0.pulse.begin(),
        };
        if cx.shard.stopping.get() {
            return Outcome::Close(CloseReason::Shutdown);
        }
        cx.shard.stats.requests.bump(header.api_key);
        match AnyRequest::decode(&header, &mut decoder) {
            Ok(request) => {
                let cost = cx.cost.clone();
                cost.count(dispatch(cx, header.api_version, request)).await
            }
            Err(DecodeError::Version { .. }) if header.api_key == api_versions::KEY => {
                api_versions::unsupported(&cx)
            }
            Err(error) => refuse(&cx.peer, &error),
        }
    }
}

async fn dispatch(cx: Context, version: i16, request: AnyRequest) -> Outcome {
    match request {
        AnyRequest::Produce(request) => produce::call(cx, version, request).await,
        AnyRequest::Fetch(request) => fetch::call(cx, version, request),
        AnyRequest::ListOffsets(request) => later(cx, version, request, list_offsets::handle),
        AnyRequest::Metadata(request) => later(cx, version, request, metadata::handle),
        AnyRequest::OffsetCommit(request) => offset_commit::call(cx, version, request),
        AnyRequest::OffsetFetch(request) => offset_fetch::call(cx, version, request),
        AnyRequest::JoinGroup(request) => join_group::call(cx, version, request),
        AnyRequest::Heartbeat(request) => heartbeat::call(cx, version, request),
        AnyRequest::LeaveGroup(request) => leave_group::call(cx, version, request),
        AnyRequest::SyncGroup(request) => sync_group::call(cx, version, request),
        AnyRequest::DescribeGroups(request) => describe_groups::call(cx, version, request),
        AnyRequest::ListGroups(request) => list_groups::call(cx, version, request),
        AnyRequest::DeleteGroups(request) => delete_groups::call(cx, version, request),
        AnyRequest::OffsetDelete(request) => offset_delete::call(cx, version, request),
        AnyRequest::ConsumerGroupHeartbeat(request) => {
            consumer_group_heartbeat::call(cx, version, request)
        }
        AnyRequest::ConsumerGroupDescribe(request) => {
            consumer_group_describe::call(cx, version, request)
        }
        AnyRequest::ShareGroupHeartbeat(request) => {
            share_group_heartbeat::call(cx, version, request)
        }
        AnyRequest::ShareGroupDescribe(request) => share_group_describe::call(cx, version, request),
        AnyRequest::FindCoordinator(request) => {
            later(cx, version, request, find_coordinator::handle)
        }
        AnyRequest::ApiVersions(request) => {
            let response = api_versions::handle(&cx, version, &request);
            answer::<net::wire::api_versions::ApiVersionsRequest>(&cx, version, &response)
        }
        AnyRequest::CreateTopics(request) => later(cx, version, request, create_topics::handle),
        AnyRequest::DeleteTopics(request) => later(cx, version, request, delete_topics::handle),
        AnyRequest::InitProducerId(request) => {
            later(cx, version, request, init_producer_id::handle)
        }
        AnyRequest::OffsetForLeaderEpoch(request) => {
            later(cx, version, request, offset_for_leader_epoch::handle)
        }
        AnyRequest::AlterConfigs(request) => later(cx, version, request, alter_configs::handle),
        AnyRequest::IncrementalAlterConfigs(request) => {
            later(cx, version, request, incremental_alter_configs::handle)
        }
        AnyRequest::CreatePartitions(request) => {
            later(cx, version, request, create_partitions::handle)
        }
        AnyRequest::ElectLeaders(request) => later(cx, version, request, elect_leaders::handle),
        AnyRequest::AlterPartitionReassignments(request) => {
            later(cx, version, request, alter_partition_reassignments::handle)
        }
        AnyRequest::ListPartitionReassignments(request) => {
            later(cx, version, request, list_partition_reassignments::handle)
        }
        AnyRequest::DeleteRecords(request) => later(cx, version, request, delete_records::handle),
        AnyRequest::DescribeProducers(request) => {
            later(cx, version, request, describe_producers::handle)
        }
        AnyRequest::DescribeCluster(request) => {
            later(cx, version, request, describe_cluster::handle)
        }
        AnyRequest::ListConfigResources(request) => {
            later(cx, version, request, list_config_resources::handle)
        }
        AnyRequest::DescribeTopicPartitions(request) => {
            later(cx, version, request, describe_topic_partitions::handle)
        }
        AnyRequest::UpdateFeatures(request) => later(cx, version, request, update_features::handle),
        AnyRequest::DescribeQuorum(request) => later(cx, version, request, describe_quorum::handle),
        AnyRequest::AlterClientQuotas(request) => {
            later(cx, version, request, alter_client_quotas::handle)
        }
        AnyRequest::DescribeClientQuotas(request) => {
            later(cx, version, request, describe_client_quotas::handle)
        }
        AnyRequest::GetTelemetrySubscriptions(request) => {
            later(cx, version, request, get_telemetry_subscriptions::handle)
        }
        AnyRequest::PushTelemetry(request) => later(cx, version, request, push_telemetry::handle),
        AnyRequest::DescribeConfigs(request) => {
            later(cx, version, request, describe_configs::handle)
        }
        AnyRequest::AlterReplicaLogDirs(request) => {
            later(cx, version, request, alter_replica_log_dirs::handle)
        }
        AnyRequest::DescribeLogDirs(request) => {
            later(cx, version, request, describe_log_dirs::handle)
        }
        AnyRequest::ShareFetch(request) => share_fetch::call(cx, version, request),
        AnyRequest::ShareAcknowledge(request) => share_acknowledge::call(cx, version, request),
        AnyRequest::InitializeShareGroupState(request) => {
            later(cx, version, request, initialize_share_group_state::handle)
        }
        AnyRequest::ReadShareGroupState(request) => {
            later(cx, version, request, read_share_group_state::handle)
        }
        AnyRequest::WriteShareGroupState(request) => {
            later(cx, version, request, write_share_group_state::handle)
        }
        AnyRequest::DeleteShareGroupState(request) => {
            later(cx, version, request, delete_share_group_state::handle)
        }
        AnyRequest::ReadShareGroupStateSummary(request) => {
            later(cx, version, request, read_share_group_state_summary::handle)
        }
        AnyRequest::DescribeShareGroupOffsets(request) => {
            later(cx, version, request, describe_share_group_offsets::handle)
        }
        AnyRequest::AlterShareGroupOffsets(request) => {
            later(cx, version, request, alter_share_group_offsets::handle)
        }
        AnyRequest::DeleteShareGroupOffsets(request) => {
            later(cx, version, request, delete_share_group_offsets::handle)
        }
    }
}

/// A leader epoch of a request; -1 means that the client does not say.
fn epoch(epoch: i32) -> Option<Epoch> {
    (epoch != -1).then_some(Epoch(epoch))
}

/// Runs the whole handler behind the connection.
fn later<R, H>(cx: Context, version: i16, request: R, handle: H) -> Outcome
where
    R: Request + 'static,
    H: AsyncFnOnce(&Context, i16, R) -> R::Response + 'static,
{
    Outcome::Later(Box::pin(async move {
        let mut response = cx.cost.count(handle(&cx, version, request)).await;
        cx.charge(&mut response, None).await;
        parts::<R>(&cx, version, &response)
    }))
}

/// Runs the rest of a handler behind the connection, after its first stage.
fn then<R: Request>(
    cx: Context,
    version: i16,
    rest: impl AsyncFnOnce(&Context) -> R::Response + 'static,
) -> Outcome {
    Outcome::Later(Box::pin(async move {
        let mut response = cx.cost.count(rest(&cx)).await;
        cx.charge(&mut response, None).await;
        parts::<R>(&cx, version, &response)
    }))
}

/// An answer that is ready.
fn answer<R: Request>(cx: &Context, version: i16, response: &R::Response) -> Outcome {
    match parts::<R>(cx, version, response) {
        Some(parts) => Outcome::Answer(parts),
        None => Outcome::Close(CloseReason::Refused),
    }
}

/// The answer's bytes; `None` closes the connection: an answer that cannot be encoded is a fault of ours, and is logged.
fn parts<R: Request>(
    cx: &Context,
    version: i16,
    response: &R::Response,
) -> Option<net::send::Parts> {
    match net::wire::response::<R>(cx.correlation_id, version, response) {
        Ok(parts) => Some(parts),
        Err(error) => {
            tracing::error!(api = R::KEY, version, %error, "an answer could not be encoded; the connection is closed");
            None
        }
    }
}

fn refuse(peer: &Peer, error: &DecodeError) -> Outcome {
    tracing::warn!(peer = %peer.remote, %error, "closing a connection: its request cannot be read");
    Outcome::Close(CloseReason::Malformed)
}
