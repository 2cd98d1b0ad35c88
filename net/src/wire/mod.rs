//! Kafka's requests and answers: one file per API, each a pair of plain structs that derive their codec.
//!
//! Read `codec` (the primitive types, what decoding may allocate), `header` (how a frame begins, what `response` yields),
//! `registry` (the table of APIs), then any API: `produce` is a typical one. `error` names Kafka's error codes.
//!
//! A frame is decoded by slicing it: strings and records share its memory. An answer is encoded as parts: one buffer of
//! the right size, and between its slices the records, uncopied.
//!
//! # Not obvious
//! - Kafka's clients send what they have learnt from ApiVersions; its answer is built from the same registry that decodes, so
//!   that it cannot promise what is not served. Produce alone is announced from version 0 (`registry`).
//! - Bytes after a request's last field are ignored, as Kafka does; after a stored message (`from_bytes`) they are an error.
//! - A string that is not UTF-8 closes the connection. Kafka's broker would put U+FFFD into it and go on.
//! - Null and empty arrays differ, in Metadata's topics even by the whole cluster.

mod codec;
mod error;
mod header;
mod registry;

pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_share_group_offsets;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_share_group_offsets;
pub mod delete_share_group_state;
pub mod delete_topics;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_share_group_offsets;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod initialize_share_group_state;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod read_share_group_state;
pub mod read_share_group_state_summary;
pub mod share_acknowledge;
pub mod share_fetch;
pub mod share_group_describe;
pub mod share_group_heartbeat;
pub mod sync_group;
pub mod update_features;
pub mod write_share_group_state;

pub use derive::Wire;

pub use self::{
    codec::{
        DECODE_BYTES_BASE, DECODE_BYTES_PER_FRAME_BYTE, DecodeError, Decoder, EncodeError, Encoder,
        Nullable, Records, Request, Tag, Wire, from_bytes, to_bytes,
    },
    error::ErrorCode,
    header::{RequestHeader, decode_response, request, response},
    registry::{AnyRequest, Api, api, apis},
};
