//! DescribeCluster (key 60): the cluster's id, its brokers as the asker's listener knows them, and where admin requests go (KIP-700).
//!
//! 1: brokers or controllers; only brokers are told here (KIP-919). 2: fenced brokers if asked for (KIP-1073).

use net::wire::ErrorCode;
use net::wire::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::metadata::CLUSTER_OPERATIONS;
use super::{Context, Operation, Resource};
use crate::metadata::image::Broker;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let text = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            return failed(ErrorCode::MISMATCHED_ENDPOINT_TYPE, text.to_owned());
        }
        other => {
            let text = format!("Unsupported endpoint type {other}");
            return failed(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, text);
        }
    }
    let image = cx.shard.image();
    let told = |broker: &&std::sync::Arc<Broker>| !broker.fenced || request.include_fenced_brokers;
    let brokers: Vec<DescribeClusterBroker> =
        image.brokers().filter(told).filter_map(|known| broker(known, &cx.peer.listener)).collect();
    let controller = image.controller_id();
    let controller = controller.filter(|id| brokers.iter().any(|broker| broker.broker_id == *id));
    let operations = match request.include_cluster_authorized_operations {
        true if cx.authorize(Operation::Describe, Resource::Cluster) => CLUSTER_OPERATIONS,
        true => 0,
        false => i32::MIN,
    };
    DescribeClusterResponse {
        cluster_id: image.cluster_id().clone(),
        controller_id: controller.unwrap_or(-1),
        brokers,
        cluster_authorized_operations: operations,
        ..DescribeClusterResponse::default()
    }
}

fn broker(broker: &Broker, listener: &str) -> Option<DescribeClusterBroker> {
    let endpoint = broker.endpoint(listener)?;
    Some(DescribeClusterBroker {
        broker_id: broker.id,
        host: endpoint.host.clone(),
        port: i32::from(endpoint.port),
        rack: broker.rack.clone(),
        is_fenced: broker.fenced,
    })
}

fn failed(error_code: ErrorCode, text: String) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code,
        error_message: Some(text.into()),
        ..DescribeClusterResponse::default()
    }
}
