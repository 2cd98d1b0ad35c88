//! Kafka's codes for our refusals. Every match names every case, so that a new one is not answered by accident.

use net::wire::ErrorCode;
use storage::AppendError;
use storage::batch::{BatchError, Corruption, Invalidity};
use storage::producer::SequenceError;
use storage::units::Offset;

use crate::partition::{AppendRefusal, ReadRefusal};

/// A refused append in an answer: the code, what the client is told beside it (Produce 8 and later), and the records that were
/// refused, each with its reason (KIP-467).
pub(super) struct Refused {
    pub code: ErrorCode,
    pub message: Option<String>,
    pub records: Vec<(i32, Option<String>)>,
    pub log_start: Offset,
}

pub(super) fn append_refusal(refusal: &AppendRefusal, topic: &str, partition: i32) -> Refused {
    let code = match refusal {
        AppendRefusal::NotHere | AppendRefusal::Stopping => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        AppendRefusal::Invalid { error, log_start } => {
            return Refused {
                log_start: log_start_beside(error, *log_start),
                ..batch_error(error, topic, partition)
            };
        }
        AppendRefusal::ZstdTooOld => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        AppendRefusal::Transactional => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        AppendRefusal::Sequence { error, .. } => match error {
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
            // Or the store is closing. The client asks who leads now, and learns what is so.
            AppendError::Deleted => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        },
        AppendRefusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
        AppendRefusal::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
    };
    let mut log_start = Offset::NONE;
    if let AppendRefusal::Sequence { log_start: known, .. } = refusal {
        log_start = *known;
    }
    Refused { code, message: Some(refusal.to_string()), records: Vec::new(), log_start }
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
        return Refused {
            code,
            message: Some(told(error)),
            records: Vec::new(),
            log_start: Offset::NONE,
        };
    };
    Refused {
        code,
        log_start: Offset::NONE,
        message: Some(errors.message(timestamps, topic, partition)),
        records: errors
            .listed
            .iter()
            .map(|error| (error.index, Some(error.message(topic, partition))))
            .collect(),
    }
}

/// Kafka tells the log start beside what its validator refuses, not beside what its reader does.
fn log_start_beside(error: &BatchError, log_start: Offset) -> Offset {
    match error {
        BatchError::Invalid(
            Invalidity::NoBatch | Invalidity::MoreThanOneBatch | Invalidity::OldMagic(_),
        )
        | BatchError::Corrupt(_)
        | BatchError::TooLarge { .. } => Offset::NONE,
        BatchError::Invalid(_)
        | BatchError::Timestamps(_)
        | BatchError::Records(_)
        | BatchError::Unreadable(_) => log_start,
    }
}

/// What is said of a whole batch: Kafka's words where it has some.
fn told(error: &BatchError) -> String {
    match error {
        BatchError::Corrupt(Corruption::Magic(magic)) => {
            format!("Invalid magic found in record: {magic}")
        }
        BatchError::Corrupt(Corruption::Length(length)) => {
            format!("Record size {length} is less than the minimum record overhead (14)")
        }
        other => other.to_string(),
    }
}

pub(super) fn read_refusal(refusal: ReadRefusal) -> ErrorCode {
    match refusal {
        ReadRefusal::NotHere | ReadRefusal::NotReplica | ReadRefusal::Stopping => {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        }
        ReadRefusal::FencedEpoch => ErrorCode::FENCED_LEADER_EPOCH,
        ReadRefusal::UnknownEpoch => ErrorCode::UNKNOWN_LEADER_EPOCH,
        ReadRefusal::OutOfRange => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadRefusal::Corrupt => ErrorCode::CORRUPT_MESSAGE,
        ReadRefusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
