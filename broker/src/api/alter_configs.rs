//! AlterConfigs (key 33): what is given becomes all that a topic, a broker, a client metrics subscription or a group has of its own.
//! Superseded by IncrementalAlterConfigs, with which it shares its rules; levels of loggers cannot be set in this way.
//!
//! 1: throttled after the answer. 2: flexible.

use net::wire::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::Context;
use super::configs::{Asked, Told, alter};
use crate::controller::configs::{Operation, SET};
use crate::metadata::image::ConfigResource;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let names: Vec<ConfigResource> = request.resources.iter().map(resource).collect();
    let asked = request.resources.into_iter().map(asked).collect();
    let told = alter(cx, asked, true, request.validate_only).await;
    let responses = names.into_iter().zip(told).map(answer).collect();
    AlterConfigsResponse { throttle_time_ms: 0, responses }
}

fn resource(resource: &AlterConfigsResource) -> ConfigResource {
    ConfigResource { kind: resource.resource_type, name: resource.resource_name.clone() }
}

fn asked(asked: AlterConfigsResource) -> Asked {
    let resource = resource(&asked);
    let set = |config: net::wire::alter_configs::AlterableConfig| Operation {
        key: config.name,
        kind: SET,
        value: config.value,
    };
    Asked { resource, operations: asked.configs.into_iter().map(set).collect() }
}

fn answer((resource, (error_code, text)): (ConfigResource, Told)) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse {
        error_code,
        error_message: text.map(Into::into),
        resource_type: resource.kind,
        resource_name: resource.name,
    }
}
