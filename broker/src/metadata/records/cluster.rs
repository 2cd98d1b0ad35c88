//! Records of brokers, controllers, features, producer ids and of the log itself (transactions, no-ops).

use bytestring::ByteString;
use net::wire::Wire;
use uuid::Uuid;

/// A broker registered (again): its incarnation, endpoints, features and directories.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0-4", flexible = "0+")]
pub struct RegisterBrokerRecord {
    pub broker_id: i32,
    #[wire(versions = "2+")]
    pub is_migrating_zk_broker: bool,
    pub incarnation_id: Uuid,
    pub broker_epoch: i64,
    pub end_points: Vec<BrokerEndpoint>,
    pub features: Vec<BrokerFeature>,
    #[wire(nullable = "0+")]
    pub rack: Option<ByteString>,
    #[wire(default = true)]
    pub fenced: bool,
    #[wire(versions = "1+")]
    pub in_controlled_shutdown: bool,
    #[wire(versions = "3+", tag = 0)]
    pub log_dirs: Vec<Uuid>,
    #[wire(versions = "4+", nullable = "4+", tag = 1)]
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct BrokerEndpoint {
    pub name: ByteString,
    pub host: ByteString,
    pub port: u16,
    pub security_protocol: i16,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct BrokerFeature {
    pub name: ByteString,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

/// A broker was taken out of the cluster for good.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRecord {
    pub broker_id: i32,
    pub broker_epoch: i64,
}

/// What changed of a registration. `fenced` and `in_controlled_shutdown`: 0 unchanged; `fenced` 1 fence, -1 unfence.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0-3", flexible = "0+")]
pub struct BrokerRegistrationChangeRecord {
    pub broker_id: i32,
    pub broker_epoch: i64,
    #[wire(tag = 0)]
    pub fenced: i8,
    #[wire(versions = "1+", tag = 1)]
    pub in_controlled_shutdown: i8,
    #[wire(versions = "2+", tag = 2)]
    pub log_dirs: Vec<Uuid>,
    #[wire(versions = "3+", nullable = "3+", tag = 3)]
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

/// Fenced, as controllers before 3.2 wrote it.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct FenceBrokerRecord {
    pub id: i32,
    pub epoch: i64,
}

/// Unfenced, as controllers before 3.2 wrote it.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct UnfenceBrokerRecord {
    pub id: i32,
    pub epoch: i64,
}

/// A controller registered: endpoints and features.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct RegisterControllerRecord {
    pub controller_id: i32,
    pub incarnation_id: Uuid,
    pub zk_migration_ready: bool,
    pub end_points: Vec<ControllerEndpoint>,
    pub features: Vec<ControllerFeature>,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct ControllerEndpoint {
    pub name: ByteString,
    pub host: ByteString,
    pub port: u16,
    pub security_protocol: i16,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct ControllerFeature {
    pub name: ByteString,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

/// A controller was taken out.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct UnregisterControllerRecord {
    pub controller_id: i32,
}

/// A feature was finalised at a level; level 0 takes it away.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct FeatureLevelRecord {
    pub name: ByteString,
    pub feature_level: i16,
}

/// A block of producer ids was given to a broker; the next block begins at `next_producer_id`.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ProducerIdsRecord {
    pub broker_id: i32,
    #[wire(default = -1)]
    pub broker_epoch: i64,
    pub next_producer_id: i64,
}

/// Nothing: an idle controller shows that it lives.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct NoOpRecord {}

/// Left over from the migration away from ZooKeeper.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ZkMigrationStateRecord {
    pub zk_migration_state: i8,
}

/// The records up to the matching end or abort count together (KIP-868).
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct BeginTransactionRecord {
    #[wire(nullable = "0+", tag = 0)]
    pub name: Option<ByteString>,
}

/// The records since the begin count.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct EndTransactionRecord {}

/// The records since the begin do not count.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct AbortTransactionRecord {
    #[wire(nullable = "0+", tag = 0)]
    pub reason: Option<ByteString>,
}
