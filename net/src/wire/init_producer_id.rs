//! InitProducerId, key 22, versions 0-5: a producer id and epoch, for idempotence and transactions.
//!
//! - Without a transactional id, a new producer id with epoch 0.
//! - Version 6 (two-phase commit, KIP-939) is not stable in Kafka 4.3 and is not served.
//!
//! 0: KIP-98. 1: throttled after the answer (KIP-219). 2: flexible (KIP-482). 3: an epoch to raise (KIP-360).
//! 4: PRODUCER_FENCED (KIP-588). 5: TRANSACTION_ABORTABLE (KIP-890).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 22, versions = "0-5", flexible = "2+", response = InitProducerIdResponse)]
pub struct InitProducerIdRequest {
    /// Null for a producer that is only idempotent.
    pub transactional_id: Option<ByteString>,
    pub transaction_timeout_ms: i32,
    /// The id that the producer has, -1 for none.
    #[wire(versions = "3+", default = -1)]
    pub producer_id: i64,
    #[wire(versions = "3+", default = -1)]
    pub producer_epoch: i16,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-5", flexible = "2+")]
pub struct InitProducerIdResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    /// -1 with an error.
    #[wire(default = -1)]
    pub producer_id: i64,
    pub producer_epoch: i16,
}
