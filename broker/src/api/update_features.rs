//! UpdateFeatures (key 57): finalised features are raised or lowered, all of a request or none (KIP-584).
//!
//! 1: kinds of upgrade, validation only (KIP-778); before, every update is an upgrade, as in Kafka. 2: one error for all (KIP-1022).

use net::wire::ErrorCode;
use net::wire::update_features::{
    UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use super::create_topics::unwritten;
use super::{Context, Operation, Resource};
use crate::controller::features::FeatureUpdate;
use crate::controller::{ControllerAnswer, ControllerRequest};

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    if !cx.authorize(Operation::Alter, Resource::Cluster) {
        let text = "Cluster authorization failed.".to_owned();
        return failed(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, text);
    }
    let updates: Vec<FeatureUpdate> = request
        .feature_updates
        .into_iter()
        .map(|update| FeatureUpdate {
            name: update.feature,
            level: update.max_version_level,
            kind: update.upgrade_type,
        })
        .collect();
    let validate_only = request.validate_only;
    let asked = ControllerRequest::UpdateFeatures { updates: updates.clone(), validate_only };
    match cx.shard.controller(asked).await {
        Ok(ControllerAnswer::UpdateFeatures(Ok(()))) => {
            let result = |update: FeatureUpdate| UpdatableFeatureResult {
                feature: update.name,
                error_code: ErrorCode::NONE,
                error_message: Some("NONE".into()),
            };
            let results = updates.into_iter().filter(|_| version <= 1).map(result).collect();
            UpdateFeaturesResponse { results, ..UpdateFeaturesResponse::default() }
        }
        Ok(ControllerAnswer::UpdateFeatures(Err(refusal))) => {
            let text = format!(
                "The update failed for all features since the following feature had an error: {refusal}"
            );
            failed(ErrorCode::INVALID_UPDATE_VERSION, text)
        }
        Ok(ControllerAnswer::Unwritten(error)) => failed(unwritten(&error), error.to_string()),
        Ok(_) => failed(ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
        Err(_) => failed(ErrorCode::NOT_CONTROLLER, String::new()),
    }
}

fn failed(error_code: ErrorCode, text: String) -> UpdateFeaturesResponse {
    let error_message = Some(text.into());
    UpdateFeaturesResponse { error_code, error_message, ..UpdateFeaturesResponse::default() }
}
