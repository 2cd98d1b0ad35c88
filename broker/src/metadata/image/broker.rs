//! Brokers of the image.

use bytestring::ByteString;
use uuid::Uuid;

use crate::metadata::records::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChangeRecord, RegisterBrokerRecord,
};

/// Where a broker can be reached on one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: ByteString,
    pub host: ByteString,
    pub port: u16,
    /// `SecurityProtocol.id`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A feature and the levels of it that a broker supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub name: ByteString,
    pub min: i16,
    pub max: i16,
}

/// A registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    /// The offset of its registration record.
    pub epoch: i64,
    /// Random for every start of the process.
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: Vec<Feature>,
    pub rack: Option<ByteString>,
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    /// The ids of its log directories that are online.
    pub directories: Vec<Uuid>,
    /// Directories that take no new replicas (KIP-1066); none if it has never said.
    pub cordoned: Option<Vec<Uuid>>,
}

impl Broker {
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == listener)
    }

    /// May it lead and be in sync?
    pub fn active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Can it take new replicas into some directory?
    pub fn takes_replicas(&self) -> bool {
        let cordoned = self.cordoned.as_deref().unwrap_or_default();
        self.directories.is_empty() || self.directories.iter().any(|id| !cordoned.contains(id))
    }

    /// Is the directory one of its own? The reserved ids (not placed yet, lost, migrating) are below 100; "lost" is not online.
    pub fn has_online(&self, directory: Uuid) -> bool {
        const LOST: Uuid = Uuid::from_u128(2);
        directory != LOST
            && (directory.as_u128() < 100
                || self.directories.is_empty()
                || self.directories.contains(&directory))
    }

    pub(super) fn from_record(record: &RegisterBrokerRecord) -> Broker {
        Broker {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: record.end_points.iter().map(endpoint).collect(),
            features: record.features.iter().map(feature).collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            directories: record.log_dirs.clone(),
            cordoned: record.cordoned_log_dirs.clone(),
        }
    }

    /// The registration after a change.
    pub(super) fn changed(&self, change: &BrokerRegistrationChangeRecord) -> Broker {
        let mut next = self.clone();
        match change.fenced {
            0 => {}
            fenced => next.fenced = fenced > 0,
        }
        if change.in_controlled_shutdown != 0 {
            next.in_controlled_shutdown = true;
        }
        if !change.log_dirs.is_empty() {
            next.directories = change.log_dirs.clone();
        }
        if let Some(cordoned) = &change.cordoned_log_dirs {
            next.cordoned = Some(cordoned.clone());
        }
        next
    }

    /// The record that says all of this.
    pub fn record(&self) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            broker_id: self.id,
            is_migrating_zk_broker: false,
            incarnation_id: self.incarnation,
            broker_epoch: self.epoch,
            end_points: self.endpoints.iter().map(endpoint_record).collect(),
            features: self.features.iter().map(feature_record).collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.directories.clone(),
            cordoned_log_dirs: self.cordoned.clone(),
        }
    }
}

fn endpoint(record: &BrokerEndpoint) -> Endpoint {
    Endpoint {
        name: record.name.clone(),
        host: record.host.clone(),
        port: record.port,
        security_protocol: record.security_protocol,
    }
}

fn endpoint_record(endpoint: &Endpoint) -> BrokerEndpoint {
    BrokerEndpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
    }
}

fn feature(record: &BrokerFeature) -> Feature {
    Feature {
        name: record.name.clone(),
        min: record.min_supported_version,
        max: record.max_supported_version,
    }
}

fn feature_record(feature: &Feature) -> BrokerFeature {
    BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
    }
}
