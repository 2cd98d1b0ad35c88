//! ListConfigResources (key 74): what may have configs (KIP-1142). Groups and client metrics that have some; every topic and broker.
//!
//! 0: client metrics only. 1: the types that are asked for, or all.

use net::wire::ErrorCode;
use net::wire::list_config_resources::{
    ConfigResource as Listed, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::{Context, Operation, Resource};
use crate::metadata::Image;
use crate::metadata::image::ConfigResource;

const BROKER_LOGGER: i8 = 8;
/// In the order in which they are answered.
const TYPES: [i8; 5] = [
    ConfigResource::GROUP,
    ConfigResource::CLIENT_METRICS,
    BROKER_LOGGER,
    ConfigResource::BROKER,
    ConfigResource::TOPIC,
];

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let failed = |error_code| ListConfigResourcesResponse { error_code, ..Default::default() };
    if !cx.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        return failed(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    let asked = match version {
        0 => vec![ConfigResource::CLIENT_METRICS],
        _ if request.resource_types.is_empty() => TYPES.to_vec(),
        _ => request.resource_types,
    };
    if asked.iter().any(|kind| !TYPES.contains(kind)) {
        return failed(ErrorCode::UNSUPPORTED_VERSION);
    }
    let image = cx.shard.image();
    let types = TYPES.into_iter().filter(|kind| asked.contains(kind));
    let config_resources = types.flat_map(|kind| list(&image, kind, &cx.peer.listener)).collect();
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

fn list(image: &Image, kind: i8, listener: &str) -> Vec<Listed> {
    let named = |name: &str| Listed { resource_name: name.into(), resource_type: kind };
    match kind {
        ConfigResource::TOPIC => image.topics().map(|topic| named(&topic.name)).collect(),
        ConfigResource::BROKER | BROKER_LOGGER => image
            .brokers()
            .filter(|broker| broker.endpoint(listener).is_some())
            .map(|broker| named(&broker.id.to_string()))
            .collect(),
        kind => image
            .configs()
            .filter(|(resource, _)| resource.kind == kind)
            .map(|(resource, _)| named(&resource.name))
            .collect(),
    }
}
