//! What GetTelemetrySubscriptions and PushTelemetry share: who asks, and Kafka's codes.

use std::collections::BTreeMap;

use net::wire::ErrorCode;
use storage::units::TopicId;
use uuid::Uuid;

use super::Context;
use crate::config::client_metrics::Trait;
use crate::telemetry::{Asking, Refusal, What};

impl Context {
    /// `instance` asks for what it is to push, or pushes.
    pub(super) fn telemetry(&self, instance: Uuid, what: What) -> Asking {
        let unknown = || "unknown".to_owned();
        let software = self.peer.software();
        let (name, version) = software.map_or_else(
            || (unknown(), unknown()),
            |software| (software.name.to_string(), software.version.to_string()),
        );
        let traits = BTreeMap::from([
            // Kafka writes all its ids as those of topics.
            (Trait::InstanceId, TopicId(instance).to_string()),
            (Trait::ClientId, self.client_id.to_string()),
            (Trait::SoftwareName, name),
            (Trait::SoftwareVersion, version),
            (Trait::SourceAddress, self.peer.remote.ip().to_string()),
            (Trait::SourcePort, self.peer.remote.port().to_string()),
        ]);
        Asking { instance, traits, what }
    }
}

/// Kafka's code for a refused question or push of telemetry.
pub(super) fn code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::TooEarly => ErrorCode::THROTTLING_QUOTA_EXCEEDED,
        Refusal::UnknownSubscription => ErrorCode::UNKNOWN_SUBSCRIPTION_ID,
        Refusal::Terminated => ErrorCode::INVALID_REQUEST,
        Refusal::Compression => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        Refusal::TooLarge => ErrorCode::TELEMETRY_TOO_LARGE,
        Refusal::Unreadable => ErrorCode::INVALID_RECORD,
    }
}
