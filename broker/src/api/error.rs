//! Kafka's codes for our refusals. Every match names every case, so that a new one is not answered by accident.

use net::wire::ErrorCode;
use storage::AppendError;
use storage::batch::BatchError;
use storage::producer::SequenceError;

use crate::partition::{AppendRefusal, ReadRefusal};

/// A refused append in an answer: the code, what the client is told beside it (Produce 8 and later), and the records that were
/// refused, each with its reason (KIP-467).
pub(super) struct Refused {
    pub code: ErrorCode,
    pub message: Option<String>,
    pub records: Vec<(i32, Option<String>)>,
}

pub(super) fn append_refusal(refusal: &AppendRefusal, topic: &str, partition: i32) -> Refused {
    let code = match refusal {
        AppendRefusal::NotHere | AppendRefusal::Stopping => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        AppendRefusal::Invalid(error) => return batch_error(error, topic, partition),
        AppendRefusal::ZstdTooOld => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        AppendRefusal::Transactional => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        AppendRefusal::Sequence(error) => match error {
            SequenceError::OutOfOrder { .. } | SequenceError::NewEpochNotAtZero { .. } => {
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            }
            SequenceError::OldEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
            SequenceError::OutsideTransaction { .. } => ErrorCode::INVALID_TXN_STATE,
            SequenceError::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        },
        AppendRefusal::NotEnoughReplicas(_) => ErrorCode::NOT_ENOUGH_REPLICAS,
        AppendRefusal::Log(error) => match error {
            AppendError::NoRoom(_) | AppendError::Offline(_) => ErrorCode::KAFKA_STORAGE_ERROR,
            AppendError::TooLarge(_) => ErrorCode::RECORD_LIST_TOO_LARGE,
            AppendError::Deleted => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        },
        AppendRefusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
        AppendRefusal::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
    };
    Refused { code, message: Some(refusal.to_string()), records: Vec::new() }
}

fn batch_error(error: &BatchError, topic: &str, partition: i32) -> Refused {
    let (code, errors) = match error {
        BatchError::Corrupt(_) => (ErrorCode::CORRUPT_MESSAGE, None),
        BatchError::Invalid(_) => (ErrorCode::INVALID_RECORD, None),
        BatchError::TooLarge { .. } => (ErrorCode::MESSAGE_TOO_LARGE, None),
        BatchError::Timestamps(errors) => (ErrorCode::INVALID_TIMESTAMP, Some((errors, true))),
        BatchError::Records(errors) => (ErrorCode::INVALID_RECORD, Some((errors, false))),
        BatchError::Unreadable(_) => (ErrorCode::UNKNOWN_SERVER_ERROR, None),
    };
    let Some((errors, timestamps)) = errors else {
        return Refused { code, message: Some(error.to_string()), records: Vec::new() };
    };
    Refused {
        code,
        message: Some(errors.message(timestamps, topic, partition)),
        records: errors
            .listed
            .iter()
            .map(|error| (error.index, Some(error.message(topic, partition))))
            .collect(),
    }
}

pub(super) fn read_refusal(refusal: ReadRefusal) -> ErrorCode {
    match refusal {
        ReadRefusal::NotHere | ReadRefusal::NotReplica | ReadRefusal::Stopping => {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        }
        ReadRefusal::FencedEpoch => ErrorCode::FENCED_LEADER_EPOCH,
        ReadRefusal::UnknownEpoch => ErrorCode::UNKNOWN_LEADER_EPOCH,
        ReadRefusal::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadRefusal::Corrupt => ErrorCode::CORRUPT_MESSAGE,
        ReadRefusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
