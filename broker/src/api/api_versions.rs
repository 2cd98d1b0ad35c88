//! ApiVersions (key 18): which APIs in which versions this node serves, before anything else is asked.
//!
//! - The table is the codec's registry: what is not served in full does not stand in it.
//! - An unknown version is answered in version 0's format with UNSUPPORTED_VERSION and the range of this API, so that the client
//!   can come back with one that both know (KIP-511).
//! - Name and version of the client's software must look like such (version 3+), else INVALID_REQUEST.
//! - Features: what is supported, and what the metadata log has finalised, its quorum's own among it; those with a minimum of 0 are shown from version 4 on (KAFKA-17011).

use bytestring::ByteString;
use net::connection::{Outcome, Software};
use net::wire::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use net::wire::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
use net::wire::push_telemetry::PushTelemetryRequest;
use net::wire::{ErrorCode, Request, apis};

use super::{Context, answer};
use crate::controller::ledger::KRAFT_VERSION;
use crate::controller::registration::features;

pub(crate) const KEY: i16 = ApiVersionsRequest::KEY;
/// Announced only where clients are asked for their metrics.
const TELEMETRY: [i16; 2] = [GetTelemetrySubscriptionsRequest::KEY, PushTelemetryRequest::KEY];

pub(crate) fn handle(
    cx: &Context,
    version: i16,
    request: &ApiVersionsRequest,
) -> ApiVersionsResponse {
    if version >= 3
        && !(is_software(&request.client_software_name)
            && is_software(&request.client_software_version))
    {
        return ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..Default::default()
        };
    }
    if version >= 3 {
        cx.peer.set_software(Software {
            name: request.client_software_name.clone(),
            version: request.client_software_version.clone(),
        });
    }
    let image = cx.shard.image();
    let supported = features().into_iter().filter(|feature| version >= 4 || feature.min > 0);
    let level = |(name, level): (ByteString, i16)| FinalizedFeatureKey {
        name,
        max_version_level: level,
        min_version_level: level,
    };
    let finalized = image.features().map(|(name, level)| (name.clone(), level));
    let (kraft, kraft_level) = KRAFT_VERSION;
    let kraft = (ByteString::from_static(kraft), kraft_level);
    let mut finalized: Vec<_> = finalized.chain([kraft]).collect();
    finalized.sort();
    ApiVersionsResponse {
        api_keys: table()
            .into_iter()
            .filter(|api| cx.shard.config.client_telemetry || !TELEMETRY.contains(&api.api_key))
            .collect(),
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: feature.name,
                min_version: feature.min,
                max_version: feature.max,
            })
            .collect(),
        finalized_features_epoch: image.position().offset.0,
        finalized_features: finalized.into_iter().map(level).collect(),
        ..Default::default()
    }
}

/// The answer to a version that nobody knows yet.
pub(crate) fn unsupported(cx: &Context) -> Outcome {
    let own = table().into_iter().filter(|api| api.api_key == KEY).collect();
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: own,
        ..Default::default()
    };
    answer::<ApiVersionsRequest>(cx, 0, &response)
}

fn table() -> Vec<ApiVersion> {
    apis()
        .iter()
        .map(|api| ApiVersion {
            api_key: api.key,
            min_version: api.announced_min,
            max_version: *api.versions.end(),
        })
        .collect()
}

/// Kafka's `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&first), Some(&last)) if plain(first) && plain(last))
        && bytes.iter().all(|&c| plain(c) || c == b'-' || c == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names() {
        for (name, good) in [
            ("apache-kafka-java", true),
            ("4.3.1", true),
            ("a", true),
            ("", false),
            ("-a", false),
            ("a.", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(is_software(name), good, "{name:?}");
        }
    }

    #[test]
    fn produce_is_announced_from_zero() {
        let produce = table().into_iter().find(|api| api.api_key == 0).unwrap();
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
    }
}
