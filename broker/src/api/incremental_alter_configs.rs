//! IncrementalAlterConfigs (key 44): single configs of topics, brokers, loggers, client metrics and groups are set, deleted, and lists
//! grown or shortened (KIP-339).
//!
//! - A resource changes as a whole or not at all; the resources of a request do not depend on each other.
//! - What was set is checked together with what is there, in Kafka's order and words, and is in force on this node when it is
//!   answered. With `validate_only` nothing is written.
//! - Brokers: by id only the broker that is asked, with an empty name all of them (KIP-226). Levels of loggers are this process's, and
//!   gone with it (KIP-412).
//!
//! 1: flexible.

use net::wire::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use super::Context;
use super::configs::{Asked, Told, alter};
use crate::controller::configs::Operation;
use crate::metadata::image::ConfigResource;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let names: Vec<ConfigResource> = request.resources.iter().map(resource).collect();
    let asked = request.resources.into_iter().map(asked).collect();
    let told = alter(cx, asked, false, request.validate_only).await;
    let responses = names.into_iter().zip(told).map(answer).collect();
    IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses }
}

fn resource(resource: &AlterConfigsResource) -> ConfigResource {
    ConfigResource { kind: resource.resource_type, name: resource.resource_name.clone() }
}

fn asked(asked: AlterConfigsResource) -> Asked {
    let resource = resource(&asked);
    let operations = asked.configs.into_iter().map(|config| Operation {
        key: config.name,
        kind: config.config_operation,
        value: config.value,
    });
    Asked { resource, operations: operations.collect() }
}

fn answer((resource, (error_code, text)): (ConfigResource, Told)) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse {
        error_code,
        error_message: text.map(Into::into),
        resource_type: resource.kind,
        resource_name: resource.name,
    }
}
