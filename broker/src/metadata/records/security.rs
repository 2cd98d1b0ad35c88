//! Records of who may do what, and how much. They are kept and written into snapshots even where nothing acts on them yet:
//! a directory that Kafka wrote must not lose them.

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::Wire;
use uuid::Uuid;

/// An access control entry.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct AccessControlEntryRecord {
    pub id: Uuid,
    pub resource_type: i8,
    pub resource_name: ByteString,
    pub pattern_type: i8,
    pub principal: ByteString,
    pub host: ByteString,
    pub operation: i8,
    pub permission_type: i8,
}

/// An access control entry was removed.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct RemoveAccessControlEntryRecord {
    pub id: Uuid,
}

/// A user's SCRAM credential.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct UserScramCredentialRecord {
    pub name: ByteString,
    pub mechanism: i8,
    pub salt: Bytes,
    pub stored_key: Bytes,
    pub server_key: Bytes,
    pub iterations: i32,
}

/// A user's SCRAM credential was removed.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct RemoveUserScramCredentialRecord {
    pub name: ByteString,
    pub mechanism: i8,
}

/// A delegation token was issued or renewed.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct DelegationTokenRecord {
    pub owner: ByteString,
    pub requester: ByteString,
    pub renewers: Vec<ByteString>,
    pub issue_timestamp: i64,
    pub max_timestamp: i64,
    pub expiration_timestamp: i64,
    pub token_id: ByteString,
}

/// A delegation token is gone.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct RemoveDelegationTokenRecord {
    pub token_id: ByteString,
}

/// A quota of a client entity was set or removed.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ClientQuotaRecord {
    pub entity: Vec<EntityData>,
    pub key: ByteString,
    pub value: f64,
    pub remove: bool,
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub struct EntityData {
    pub entity_type: ByteString,
    #[wire(nullable = "0+")]
    pub entity_name: Option<ByteString>,
}
